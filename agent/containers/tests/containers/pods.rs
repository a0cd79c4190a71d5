//! Containers inside of one that holds what they share.

use std::fs;

use tepui_containers::{
    Communication, Exit, LaunchError, NetworkSpec, Parent, Program, RecoveredState, Spec,
    VolumeKind, VolumeSpec,
};

use crate::machine::{Machine, exited, id, signaled, soon};

/// A machine with a container `pod` that others can be inside of.
async fn with_pod() -> Option<Machine> {
    let machine = Machine::new()?;
    let mut pod = machine.shell("pod", "");
    pod.program = Program::Hold;
    pod.hostname = Some("inside".to_owned());
    machine.runtime.launch(pod).await.unwrap();
    Some(machine)
}

fn member(machine: &Machine, name: &str, line: &str) -> Spec {
    let mut spec = machine.shell(name, line);
    spec.parent = Some(Parent {
        container: id("pod"),
        sandbox: machine.sandbox("pod"),
        share_processes: false,
    });
    spec
}

async fn launch(machine: &Machine, spec: &Spec) {
    machine.runtime.launch(spec.clone()).await.unwrap();
}

async fn end(machine: &Machine, name: &str) -> Exit {
    machine.runtime.kill(&id(name)).await.unwrap();
    remove(machine, name).await
}

async fn remove(machine: &Machine, name: &str) -> Exit {
    let exit = machine.runtime.wait(&id(name)).await;
    machine.runtime.remove(&id(name)).await.unwrap();
    exit
}

fn read(spec: &Spec, name: &str) -> String {
    fs::read_to_string(spec.sandbox.join(name)).unwrap_or_default()
}

#[tokio::test]
async fn what_is_inside_shares_what_the_pod_holds_and_has_the_rest_for_itself() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let look = "for name in net ipc uts mnt pid cgroup; do \
                echo $name $(readlink /proc/self/ns/$name); done; hostname";
    let members = ["one", "two"].map(|name| member(&machine, name, look));
    for spec in &members {
        launch(&machine, spec).await;
        assert_eq!(remove(&machine, spec.id.as_str()).await, exited(0));
    }
    let [one, two] = members.map(|spec| read(&spec, "stdout"));
    let lines: Vec<_> = one.lines().zip(two.lines()).collect();
    assert_eq!(lines.len(), 7, "{one}");
    for (one, two) in lines {
        let shared = ["net", "ipc", "uts", "inside"];
        let is_shared = shared.iter().any(|name| one.starts_with(name));
        // The kernel may give a namespace the number of one that is gone.
        if is_shared {
            assert_eq!(one, two);
        }
    }
    assert!(one.ends_with("inside\n"), "{one}");
    assert_eq!(end(&machine, "pod").await, signaled(9));
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn means_of_communication_are_shared_with_each_other_and_not_with_the_host() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let make = member(&machine, "maker", "ipcmk -Q > queue; ipcs -q | grep -c 0x");
    launch(&machine, &make).await;
    assert_eq!(remove(&machine, "maker").await, exited(0));
    let look = member(&machine, "looker", "ipcs -q | grep -c 0x");
    launch(&machine, &look).await;
    assert_eq!(remove(&machine, "looker").await, exited(0));
    assert_eq!(read(&look, "stdout"), read(&make, "stdout"));
    end(&machine, "pod").await;
}

#[tokio::test]
async fn who_is_inside_reaches_the_others_over_localhost_and_nobody_else_does() {
    let Some(machine) = Machine::new() else {
        return;
    };
    if !fs::exists("/usr/bin/busybox").unwrap() {
        return eprintln!("not run: it needs busybox");
    }
    let mut pod = machine.shell("pod", "");
    pod.program = Program::Hold;
    pod.network = NetworkSpec::Alone;
    machine.runtime.launch(pod).await.unwrap();
    let server = member(
        &machine,
        "server",
        "exec busybox httpd -f -p 127.0.0.1:7171 -h .",
    );
    fs::write(server.sandbox.join("page"), "words\n").unwrap();
    launch(&machine, &server).await;
    let get = "busybox wget -q -O - http://127.0.0.1:7171/page";
    let line = format!("until {get}; do sleep 0.05; done");
    let client = member(&machine, "client", &line);
    launch(&machine, &client).await;
    assert_eq!(remove(&machine, "client").await, exited(0));
    assert_eq!(read(&client, "stdout"), "words\n");
    let outside = machine.run_shell(get).await;
    assert_ne!(outside.exit, exited(0));
    end(&machine, "server").await;
    end(&machine, "pod").await;
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn processes_are_shared_when_that_is_asked_for() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let mut specs = ["first", "second"].map(|name| {
        let line = format!("exec -a {name}-of-pod sleep 1000");
        let mut spec = member(&machine, name, "");
        spec.program = Program::Exec {
            path: "/bin/bash".to_owned(),
            arguments: vec!["bash".to_owned(), "-c".to_owned(), line],
        };
        spec
    });
    for spec in &mut specs {
        spec.parent.as_mut().unwrap().share_processes = true;
        launch(&machine, spec).await;
    }
    let mut third = member(&machine, "third", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    launch(&machine, &third).await;
    remove(&machine, "third").await;
    let alone = read(&third, "stdout");
    assert!(!alone.contains("-of-pod"), "{alone}");
    third.parent.as_mut().unwrap().share_processes = true;
    launch(&machine, &third).await;
    assert_eq!(remove(&machine, "third").await, exited(0));
    let shared = read(&third, "stdout");
    for name in ["first-of-pod", "second-of-pod"] {
        assert!(shared.contains(name), "{shared}");
    }
    // One is ended without the other.
    assert_eq!(end(&machine, "first").await, signaled(9));
    machine.runtime.terminate(&id("second")).unwrap();
    assert_eq!(remove(&machine, "second").await, signaled(15));
    end(&machine, "pod").await;
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn each_has_a_limit_of_its_own_and_all_together_that_of_the_pod() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let mut hungry = member(&machine, "hungry", "tail /dev/zero");
    hungry.limits.memory = tepui_containers::Bytes(32 << 20);
    let neighbour = member(&machine, "neighbour", "exec sleep 1000");
    launch(&machine, &neighbour).await;
    launch(&machine, &hungry).await;
    let exit = remove(&machine, "hungry").await;
    let report = exit.oom.unwrap();
    assert_eq!(report.limit.0, 32 << 20);
    let usage = machine.runtime.usage(&neighbour.id).await.unwrap();
    assert!(usage.pids > 0, "the neighbour lives");
    let pod = machine.runtime.usage(&id("pod")).await.unwrap();
    assert!(pod.pids > usage.pids, "what is inside counts for the pod");
    end(&machine, "neighbour").await;
    end(&machine, "pod").await;
}

#[tokio::test]
async fn who_is_inside_ends_with_the_pod() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let spec = member(
        &machine,
        "inner",
        "trap '' TERM; while :; do sleep 0.1; done",
    );
    launch(&machine, &spec).await;
    assert_eq!(end(&machine, "pod").await, signaled(9));
    assert_eq!(remove(&machine, "inner").await, signaled(9));
    assert!(machine.groups().is_empty());
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(matches!(error, LaunchError::NotRunning(_)), "{error}");
}

#[tokio::test]
async fn a_container_may_be_inside_of_one_with_a_program() {
    let Some(machine) = Machine::new() else {
        return;
    };
    launch(&machine, &machine.shell("pod", "exec sleep 1000")).await;
    let mut inner = member(&machine, "inner", "exit 4");
    if let Err(error) = machine.runtime.launch(inner.clone()).await {
        // There it has the limits of the one that it is inside of, and must say so.
        assert!(error.to_string().contains("cgroup v2"), "{error}");
        inner.share_cgroups = true;
        machine.runtime.launch(inner).await.unwrap();
    }
    assert_eq!(remove(&machine, "inner").await, exited(4));
    end(&machine, "pod").await;
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn parts_of_the_pod_s_sandbox_are_volumes_of_what_is_inside() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let shared = VolumeSpec {
        kind: VolumeKind::ParentPath,
        source: "shared".into(),
        target: "data".into(),
        read_only: false,
        shared: true,
    };
    let with = |name: &str, line: &str| {
        let mut spec = member(&machine, name, line);
        spec.volumes = vec![shared.clone()];
        spec
    };
    launch(&machine, &with("writer", "echo words > data/file")).await;
    assert_eq!(remove(&machine, "writer").await, exited(0));
    let reader = with("reader", "cat data/file");
    launch(&machine, &reader).await;
    assert_eq!(remove(&machine, "reader").await, exited(0));
    assert_eq!(read(&reader, "stdout"), "words\n");
    end(&machine, "pod").await;
}

#[tokio::test]
async fn a_pod_and_what_is_inside_are_found_again() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let spec = member(
        &machine,
        "inner",
        "while [ ! -e go ]; do sleep 0.02; done; exit 5",
    );
    launch(&machine, &spec).await;
    let machine = machine.restart();
    let found = machine.runtime.recover().await;
    let running = |state| matches!(state, RecoveredState::Running(_));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| running(found.state)), "{found:?}");
    fs::write(spec.sandbox.join("go"), "").unwrap();
    assert_eq!(remove(&machine, "inner").await, exited(5));
    // And it can still take others in.
    let late = member(&machine, "late", "echo here");
    launch(&machine, &late).await;
    assert_eq!(remove(&machine, "late").await, exited(0));
    soon("it wrote", || read(&late, "stdout") == "here\n");
    end(&machine, "pod").await;
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn memory_is_shared_with_the_pod_when_that_is_asked_for() {
    let Some(machine) = with_pod().await else {
        return;
    };
    let look = "cat /dev/shm/words; readlink /proc/self/ns/ipc";
    let asking = |name: &str, line: &str, communication| {
        let mut spec = member(&machine, name, line);
        spec.communication = communication;
        spec
    };
    let line = format!("echo words > /dev/shm/words; {look}");
    let writer = asking("writer", &line, Communication::Parents);
    let sharing = asking("sharing", look, Communication::Parents);
    let usual = asking("usual", look, Communication::Usual);
    let own = asking("own", look, Communication::Own);
    for spec in [&writer, &sharing, &usual, &own] {
        launch(&machine, spec).await;
        remove(&machine, spec.id.as_str()).await;
    }
    let [writer, sharing, usual, own] =
        [writer, sharing, usual, own].map(|spec| read(&spec, "stdout"));
    assert!(writer.starts_with("words\n"), "{writer}");
    assert_eq!(sharing, writer, "the memory, and the namespace");
    // By old custom the namespace is shared, and the memory is each one's own.
    assert!(
        writer.ends_with(&usual) && !usual.contains("words"),
        "{usual}"
    );
    assert!(!writer.ends_with(&own) && !own.contains("words"), "{own}");
    assert!(!fs::exists("/dev/shm/words").unwrap());
    end(&machine, "pod").await;
}

#[tokio::test]
async fn who_shares_the_pod_s_cgroups_has_the_limits_of_the_pod() {
    let Some(machine) = with_pod().await else {
        return;
    };
    // More than was asked for, and less than the pod may have.
    let line = "head -c 40m /dev/zero | tail -c 40m | wc -c";
    for share in [true, false] {
        let mut spec = member(&machine, &format!("hungry-{share}"), line);
        spec.limits.memory = tepui_containers::Bytes(32 << 20);
        spec.share_cgroups = share;
        launch(&machine, &spec).await;
        let exit = remove(&machine, spec.id.as_str()).await;
        let all = read(&spec, "stdout") == "41943040\n";
        assert_eq!(all, share, "{exit:?}");
        assert_eq!(exit.oom.is_some(), !share, "{exit:?}");
    }
    end(&machine, "pod").await;
    assert!(machine.groups().is_empty());
}
