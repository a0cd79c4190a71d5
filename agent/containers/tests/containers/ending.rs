//! How containers end: by themselves, by SIGTERM, by SIGKILL.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tepui_containers::{Error, Exit, ExitStatus};

use crate::machine::{self, Machine, exited, id, signaled, soon};

fn wait_for_line(sandbox: &Path, line: &str) {
    soon(line, || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| text.contains(line))
    });
}

/// Whether a process of this cgroup has been stopped by a signal.
fn has_stopped(group: &Path) -> bool {
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    processes.lines().any(|process| {
        fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") T "))
    })
}

#[tokio::test]
async fn sigterm_reaches_every_process_of_the_container() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let child = "trap 'echo child; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let line = format!(
        "trap 'wait; echo task; exit 4' TERM; setsid sh -c \"{child}\" & while :; do sleep 0.05; \
            done"
    );
    let spec = machine.shell("term", &line);
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    wait_for_line(&sandbox, "ready");
    machine.runtime.terminate(&id).unwrap();
    assert_eq!(machine.runtime.wait(&id).await, exited(4));
    let text = fs::read_to_string(sandbox.join("stdout")).unwrap();
    assert_eq!(text, "ready\nchild\ntask\n");
}

#[tokio::test]
async fn a_task_that_does_not_handle_sigterm_dies_of_it() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("default", "exec sleep 60");
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    machine.runtime.terminate(&id).unwrap();
    assert_eq!(machine.runtime.wait(&id).await, signaled(15));
}

#[tokio::test]
async fn c30_a_task_that_ignores_sigterm_is_killed_with_all_its_processes() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell(
        "stubborn",
        "trap '' TERM; (setsid sleep 60 &) ; \
        setsid sleep 60 & echo ready; while :; do sleep 0.1; done",
    );
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    wait_for_line(&sandbox, "ready");
    machine.runtime.terminate(&id).unwrap();
    let still = tokio::time::timeout(Duration::from_millis(300), machine.runtime.wait(&id)).await;
    assert!(still.is_err(), "it ignores SIGTERM");
    machine.runtime.kill(&id).await.unwrap();
    // All are gone when `kill` returns: the kernel would not let the groups be removed otherwise.
    assert_eq!(machine.runtime.usage(&id).await.unwrap().pids, 0);
    assert_eq!(machine.runtime.wait(&id).await, signaled(9));
}

#[tokio::test]
async fn a_stopped_task_is_killed_too() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("stopped", "trap '' TERM; kill -STOP $$; sleep 60");
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    soon("a stopped task", || {
        machine.groups().iter().any(|group| has_stopped(group))
    });
    machine.runtime.terminate(&id).unwrap();
    machine.runtime.kill(&id).await.unwrap();
    assert_eq!(machine.runtime.wait(&id).await, signaled(9));
}

#[tokio::test]
async fn what_a_task_leaves_behind_ends_with_it() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let began = Instant::now();
    let spec = machine.shell(
        "daemon",
        "(setsid sh -c 'trap \"\" HUP TERM; sleep 600' &) ; exit 6",
    );
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    assert_eq!(machine.runtime.wait(&id).await, exited(6));
    // It did not wait for the other's sleep.
    assert!(began.elapsed() < Duration::from_secs(300));
    assert_eq!(machine.runtime.usage(&id).await.unwrap().pids, 0);
    machine.runtime.remove(&id).await.unwrap();
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn orphans_are_reaped() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "for i in 1 2 3 4 5 6 7 8; do (sh -c ':' &) ; done; sleep 0.5; \
        grep -l 'State:.Z' /proc/[0-9]*/status; exit 0";
    let outcome = machine.run_shell(line).await;
    assert_eq!((outcome.exit, outcome.out.as_str()), (exited(0), ""));
}

#[tokio::test]
async fn waiting_gives_the_same_answer_as_often_as_it_is_asked() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("often", "sleep 0.1; exit 9");
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    let (one, other) = tokio::join!(machine.runtime.wait(&id), machine.runtime.wait(&id));
    assert_eq!((one, other), (exited(9), exited(9)));
    assert_eq!(machine.runtime.wait(&id).await, exited(9));
    machine.runtime.terminate(&id).unwrap();
    machine.runtime.kill(&id).await.unwrap();
    assert_eq!(
        machine.runtime.wait(&id).await,
        exited(9),
        "nothing changes after the end"
    );
}

#[tokio::test]
async fn a_kill_during_the_launch_waits_for_it() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("early", "sleep 60");
    let id = spec.id.clone();
    let runtime = machine.runtime.clone();
    let launch = tokio::spawn(async move { runtime.launch(spec).await });
    while matches!(machine.runtime.kill(&id).await, Err(Error::NotFound(_))) {
        tokio::task::yield_now().await;
    }
    launch.await.unwrap().unwrap();
    assert_eq!(machine.runtime.wait(&id).await, signaled(9));
}

#[tokio::test]
async fn a_running_container_is_not_removed_and_an_unknown_one_ended_unseen() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("running", "sleep 60");
    let known = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    assert!(matches!(
        machine.runtime.remove(&known).await,
        Err(Error::Running(_))
    ));
    let unknown = id("unknown");
    let unseen = Exit {
        status: ExitStatus::Unknown,
        oom: None,
        disk: None,
    };
    assert_eq!(machine.runtime.wait(&unknown).await, unseen);
    assert!(matches!(
        machine.runtime.terminate(&unknown),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        machine.runtime.kill(&unknown).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        machine.runtime.remove(&unknown).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        machine.runtime.usage(&unknown).await,
        Err(Error::NotFound(_))
    ));
    machine.runtime.kill(&known).await.unwrap();
}

#[tokio::test]
async fn what_was_prepared_for_containers_to_come_is_given_back_at_the_end() {
    let Some(machine) = Machine::new() else {
        return;
    };
    assert_eq!(machine.run_shell("exit 3").await.exit, exited(3));
    let staying = machine.shell("staying", "exec sleep 1000");
    machine.runtime.launch(staying.clone()).await.unwrap();
    machine.runtime.close().await;
    let groups = machine::groups(&machine.options);
    let of_container = |group: &PathBuf| group.ends_with("staying");
    assert!(groups.iter().all(of_container), "{groups:?}");
    // It runs on: whoever comes next finds it.
    machine.runtime.kill(&staying.id).await.unwrap();
    machine.runtime.remove(&staying.id).await.unwrap();
    machine.runtime.close().await;
    let roots = machine::roots(&machine.options);
    assert!(roots.iter().all(|root| !root.exists()), "{roots:?}");
}
