//! The process that waits in the cgroups of the next container, where joining them is slow.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::machine::{Machine, exited, soon};

/// The memory groups that wait for a container. `None`, with a line that says why, where there are
/// none.
fn seats(machine: &Machine) -> Option<Vec<PathBuf>> {
    let root = PathBuf::from("/sys/fs/cgroup/memory").join(&machine.options.cgroup_root);
    if !root.is_dir() {
        eprintln!("not run: cgroups v2 need no seats");
        return None;
    }
    let groups = fs::read_dir(root)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    Some(
        groups
            .filter(|path| path.to_string_lossy().contains(".seat-"))
            .collect(),
    )
}

fn processes(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().flat_map(str::parse).collect()
}

/// Launches once, so that a seat for the next container is made, and waits for it.
async fn with_seat() -> Option<(Machine, PathBuf)> {
    let machine = Machine::new()?;
    seats(&machine)?;
    assert_eq!(machine.run_shell("exit 1").await.exit, exited(1));
    loop {
        let found = seats(&machine)?;
        assert!(found.len() <= 1, "one is enough: {found:?}");
        if let Some(seat) = found.into_iter().find(|seat| !processes(seat).is_empty()) {
            // It is ready when the agent has heard of it.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            return Some((machine, seat));
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_next_container_takes_the_seat_and_its_groups() {
    let Some((machine, seat)) = with_seat().await else {
        return;
    };
    let waiting = processes(&seat);
    let line = "cat /proc/self/cgroup; ls /proc | grep -c '^[0-9]'";
    let outcome = machine.run_shell(line).await;
    assert_eq!(outcome.exit, exited(0));
    assert!(outcome.out.contains(":memory:/\n"), "{outcome:?}");
    assert!(!seat.exists(), "the group has the container's name");
    soon("the seat's process is gone", || {
        !fs::exists(format!("/proc/{}", waiting[0])).unwrap()
    });
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn a_seat_that_was_killed_costs_nothing_but_time() {
    let Some((machine, seat)) = with_seat().await else {
        return;
    };
    kill(Pid::from_raw(processes(&seat)[0]), Signal::SIGKILL).unwrap();
    soon("it is gone", || processes(&seat).is_empty());
    assert_eq!(machine.run_shell("exit 2").await.exit, exited(2));
    assert!(!seat.exists());
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn a_seat_whose_groups_are_gone_costs_one_launch_and_leaves_nothing() {
    let Some((machine, seat)) = with_seat().await else {
        return;
    };
    kill(Pid::from_raw(processes(&seat)[0]), Signal::SIGKILL).unwrap();
    soon("its group can be removed", || fs::remove_dir(&seat).is_ok());
    let spec = machine.shell("unlucky", "exit 3");
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot rename "), "{error}");
    assert!(machine.groups().is_empty());
    assert_eq!(machine.run(spec).await.exit, exited(3));
}

#[tokio::test]
async fn a_launch_that_fails_takes_its_seat_along() {
    let Some((machine, seat)) = with_seat().await else {
        return;
    };
    let mut spec = machine.shell("failing", "true");
    spec.user = Some("no-such-user".to_owned());
    machine.runtime.launch(spec).await.unwrap_err();
    soon("the seat is gone", || !seat.exists());
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn the_seat_of_a_dead_agent_is_removed_by_the_next() {
    let Some((machine, seat)) = with_seat().await else {
        return;
    };
    let waiting = processes(&seat);
    let machine = machine.restart();
    machine.runtime.recover().await;
    assert!(!seat.exists());
    soon("it is gone", || {
        !fs::exists(format!("/proc/{}", waiting[0])).unwrap()
    });
}
