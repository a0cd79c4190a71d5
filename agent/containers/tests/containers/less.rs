//! Machines and options with less isolation: asked for by name, and then as good as it gets.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use tepui_containers::{InitProgram, Isolation, Options, Refusal, Runtime};

use crate::machine::{AGENT, Machine, exited, id, signaled, soon};

fn with(isolation: &str) -> Option<Machine> {
    let isolation: Isolation = isolation.parse().unwrap();
    Machine::with(|options| options.isolation = isolation)
}

#[tokio::test]
async fn a_plain_process_is_launched_ended_and_killed_with_its_children() {
    let Some(machine) = with("none") else { return };
    assert_eq!(machine.run_shell("exit 3").await.exit, exited(3));
    let line = "(setsid sleep 60 &) ; trap 'echo term; exit 4' TERM; echo ready; while :; \
        do sleep 0.05; done";
    let spec = machine.shell("plain", line);
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    soon("ready", || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| !text.is_empty())
    });
    machine.runtime.terminate(&id).unwrap();
    assert_eq!(machine.runtime.wait(&id).await, exited(4));
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn a_plain_process_that_ignores_sigterm_is_killed_with_all_that_descends_from_it() {
    let Some(machine) = with("none") else { return };
    let mark = format!("60.{}", std::process::id());
    let line = format!(
        "trap '' TERM; (setsid sleep {mark} &) ; sleep {mark} & echo ready; while :; \
            do sleep 0.05; done"
    );
    let spec = machine.shell("stubborn", &line);
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    soon("ready", || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| !text.is_empty())
    });
    soon("both run", || running(&mark) == 2);
    machine.runtime.terminate(&id).unwrap();
    let still = tokio::time::timeout(Duration::from_millis(200), machine.runtime.wait(&id)).await;
    assert!(still.is_err());
    machine.runtime.kill(&id).await.unwrap();
    assert_eq!(running(&mark), 0, "the daemon is gone too");
    assert_eq!(machine.runtime.wait(&id).await, signaled(9));
}

/// How many processes have this among their arguments.
fn running(argument: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|part| part == argument.as_bytes())
        })
        .count()
}

#[tokio::test]
async fn cgroups_alone_end_all_that_is_inside() {
    let Some(machine) = with("cgroups/cpu,cgroups/mem,cgroups/pids") else {
        return;
    };
    let mark = format!("61.{}", std::process::id());
    let line = format!(
        "trap '' TERM; (setsid sleep {mark} &) ; (setsid sleep {mark} &) ; echo ready; while :; \
            do sleep 0.05; done"
    );
    let spec = machine.shell("grouped", &line);
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    soon("ready", || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| !text.is_empty())
    });
    soon("both run", || running(&mark) == 2);
    machine.runtime.kill(&id).await.unwrap();
    assert_eq!(running(&mark), 0);
    assert_eq!(machine.runtime.wait(&id).await, signaled(9));
    machine.runtime.remove(&id).await.unwrap();
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn what_a_plain_task_leaves_behind_ends_with_it() {
    let Some(machine) = with("none") else { return };
    let mark = format!("62.{}", std::process::id());
    let outcome = machine
        .run_shell(&format!("(setsid sleep {mark} &) ; sleep {mark} & exit 5"))
        .await;
    assert_eq!(outcome.exit, exited(5));
    assert_eq!(running(&mark), 0);
}

#[tokio::test]
async fn a_memory_limit_alone_reports_out_of_memory() {
    let Some(machine) = with("cgroups/mem") else {
        return;
    };
    let outcome = machine.run_shell("tail /dev/zero; sleep 60").await;
    assert!(outcome.exit.oom.is_some(), "{outcome:?}");
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn a_host_name_without_its_namespace_is_refused_and_the_host_keeps_its_own() {
    let Some(machine) = with("namespaces/mnt,namespaces/pid") else {
        return;
    };
    let mut spec = machine.shell("named", "true");
    spec.hostname = Some("inside".to_owned());
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a host name of its own needs namespaces/uts in --isolation"
    );
}

/// Runs the test agent as a user without rights.
fn as_nobody(folder: &Path, isolation: &str) -> Output {
    // Cargo's folder may be out of reach for others.
    let program = folder.join("agent");
    fs::copy(AGENT, &program).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    let sandbox = folder.join("sandbox");
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
    ]);
    command.arg(program).args([
        &folder.join("run"),
        Path::new("tepui-test/nobody"),
        &sandbox,
    ]);
    command.args(["c1", "id -u > done", isolation, "wait"]);
    fs::create_dir(&sandbox).unwrap();
    fs::set_permissions(&sandbox, fs::Permissions::from_mode(0o777)).unwrap();
    command.output().unwrap()
}

#[test]
fn c32_without_root_full_isolation_is_refused_with_all_that_is_missing() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not run: it takes root to become somebody else");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = as_nobody(folder.path(), "all");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    for line in [
        "  cgroups/mem: cannot ",
        "  namespaces/pid: it needs root (CAP_SYS_ADMIN)",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        text.trim()
            .ends_with("all the same: --isolation linux/nnp,linux/seccomp,posix/rlimits,disk/du"),
        "{text}"
    );
    assert!(
        !folder.path().join("sandbox/done").exists(),
        "nothing was run"
    );
}

#[test]
fn without_root_and_without_isolation_tasks_run_as_the_agent_s_user() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not run: it takes root to become somebody else");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = as_nobody(folder.path(), "none");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read_to_string(folder.path().join("sandbox/done")).unwrap(),
        "65534\n"
    );
}

#[tokio::test]
async fn a_program_that_is_no_launcher_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("run"), "tepui-test/no-launcher");
    options.isolation = Isolation::NONE;
    options.init = InitProgram::Path("/bin/true".into());
    let error = Runtime::probe(options.clone()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does its main call init_main() first?"),
        "{error}"
    );
    options.init = InitProgram::Path("/no/such/program".into());
    assert!(matches!(
        Runtime::probe(options).unwrap_err(),
        Refusal::Seal { .. }
    ));
}

#[tokio::test]
async fn another_agent_on_the_same_folders_is_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let refused = Runtime::probe(machine.options.clone()).unwrap_err();
    assert!(matches!(refused, Refusal::RuntimeDirInUse(_)), "{refused}");
    let mut options = machine.options.clone();
    options.runtime_dir = machine.folder.path().join("other");
    let refused = Runtime::probe(options).unwrap_err();
    assert!(matches!(refused, Refusal::CgroupRootInUse(_)), "{refused}");
    assert!(refused.to_string().contains("--cgroup-root"), "{refused}");
    let unknown = id("unknown");
    assert!(machine.runtime.usage(&unknown).await.is_err());
}
