//! Whole GPUs, with device files of a driver that is not there.

use std::{fs, process::Command};

use tempfile::TempDir;
use tepui_containers::{Capabilities, Gpus, Isolator, Options, Runtime, Spec, Users};
use tepui_model::Quantity;

use crate::machine::{Machine, exited, id, soon};

/// The number of a driver that the kernel leaves to experiments.
const DRIVER: &str = "60";

/// A folder like `/dev` with these device files. `None` without root.
fn devices(names: &[&str]) -> Option<TempDir> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: to make device files takes root");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for (minor, name) in names.iter().enumerate() {
        let path = folder.path().join(name);
        let mut make = Command::new("mknod");
        let made = make.args(["-m", "666"]).arg(path);
        let made = made.args(["c", DRIVER, &minor.to_string()]).status();
        assert!(made.unwrap().success());
    }
    Some(folder)
}

fn give(options: &mut Options, folder: &TempDir) {
    options.isolation = options.isolation.with(Isolator::Gpus);
    options.policy.bounding_capabilities = Capabilities::ALL;
    options.policy.unconfined = true;
    options.gpus = Gpus {
        folder: folder.path().to_owned(),
        only: None,
    };
}

fn wanting(machine: &Machine, name: &str, line: &str, gpus: u32) -> Spec {
    let mut spec = machine.shell(name, line);
    spec.gpus = gpus;
    // As images of CUDA have it.
    let variable = ("NVIDIA_VISIBLE_DEVICES".to_owned(), "all".to_owned());
    spec.environment.push(variable);
    spec
}

const NAMES: [&str; 4] = ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"];

#[tokio::test]
async fn a_task_has_the_gpus_that_it_asks_for_and_no_others() {
    let Some(folder) = devices(&NAMES) else {
        return;
    };
    let Some(machine) = Machine::with(|options| give(options, &folder)) else {
        return;
    };
    // Beside them: whoever may mount and make device files opens no others all the same.
    let line = "echo $NVIDIA_VISIBLE_DEVICES; cd /dev && echo nvidia*; \
                cd $OLDPWD && mkdir m && mount -t tmpfs none m || exit 9; \
                for minor in 0 1 2; do mknod m/$minor c 60 $minor; \
                (exec 3< m/$minor) 2>&1 | grep -o 'No such device\\|not permitted'; done";
    let outcome = |name, gpus| {
        let mut spec = wanting(&machine, name, line, gpus);
        spec.security = machine.trusted(name, line).security;
        machine.run(spec)
    };
    let one = outcome("one", 1).await;
    assert_eq!(one.exit, exited(0), "{one:?}");
    // The driver is not there, so what may be opened is no device.
    let expected =
        "0\nnvidia-uvm nvidia0 nvidiactl\nNo such device\nnot permitted\nNo such device\n";
    assert_eq!(one.out, expected, "{one:?}");
    let none = outcome("none", 0).await;
    let expected = "void\nnvidia*\nnot permitted\nnot permitted\nnot permitted\n";
    assert_eq!(none.out, expected, "{none:?}");
}

#[tokio::test]
async fn a_task_with_users_of_its_own_has_its_gpus_and_its_quota() {
    let Some(folder) = devices(&NAMES) else {
        return;
    };
    let Some(machine) = Machine::with(|options| give(options, &folder)) else {
        return;
    };
    let line = "echo $NVIDIA_VISIBLE_DEVICES; \
                (exec 3< /dev/nvidia0) 2>&1 | grep -o 'No such device\\|denied\\|not permitted'";
    let mut spec = wanting(&machine, "own", line, 1);
    machine.open_way(&spec);
    spec.users = Users::Own;
    spec.limits.cpu_limit = Some(Quantity::from_millis(500));
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "0\nNo such device\n", "{outcome:?}");
}

#[tokio::test]
async fn no_gpu_is_two_tasks_over_a_restart_of_the_agent_either() {
    let Some(folder) = devices(&NAMES) else {
        return;
    };
    let Some(machine) = Machine::with(|options| give(options, &folder)) else {
        return;
    };
    let line = "echo $NVIDIA_VISIBLE_DEVICES; sleep 60";
    let told = |machine: &Machine, name: &str| {
        let path = machine.sandbox(name).join("stdout");
        soon("it has told its GPUs", || {
            fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))
        });
        fs::read_to_string(&path).unwrap()
    };
    machine
        .runtime
        .launch(wanting(&machine, "first", line, 1))
        .await
        .unwrap();
    assert_eq!(told(&machine, "first"), "0\n");
    let machine = machine.restart();
    machine.runtime.recover().await;
    machine
        .runtime
        .launch(wanting(&machine, "second", line, 1))
        .await
        .unwrap();
    assert_eq!(told(&machine, "second"), "1\n");
    let used = machine.runtime.usage(&id("second")).await.unwrap();
    assert_eq!(used.gpus, [1]);
    let third = wanting(&machine, "third", line, 1);
    let refused = machine.runtime.launch(third.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("too few"), "{refused}");
    machine.runtime.kill(&id("first")).await.unwrap();
    machine.runtime.launch(third).await.unwrap();
    assert_eq!(told(&machine, "third"), "0\n");
}

#[tokio::test]
async fn an_agent_that_is_to_give_gpus_and_has_none_does_not_start() {
    let Some(folder) = devices(&["nvidia0"]) else {
        return;
    };
    let Some(machine) = Machine::new() else {
        return;
    };
    let refusal = |only: Option<u32>| {
        let mut options = machine.options.clone();
        options.runtime_dir = machine.folder.path().join("other");
        options.cgroup_root = format!("{}-other", machine.options.cgroup_root);
        give(&mut options, &folder);
        options.gpus.only = only.map(|number| [number].into());
        Runtime::probe(options).unwrap_err().to_string()
    };
    let text = refusal(None);
    assert!(
        text.contains("gpu/nvidia: there is no device file"),
        "{text}"
    );
    assert!(text.contains("nvidiactl"), "{text}");
    assert!(refusal(Some(3)).contains("/nvidia3"));
    let root = format!("{}-other", machine.options.cgroup_root);
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let _ = fs::remove_dir(hierarchy.path().join(&root));
    }
}
