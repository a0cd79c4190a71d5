//! The processes that wait in the cgroups of the next containers, where joining them is slow.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tepui_containers::limits::{MIN_SEATS, SEATS};

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
    let mut seats: Vec<_> = groups
        .filter(|path| path.to_string_lossy().contains(".seat-"))
        .collect();
    let number = |path: &PathBuf| {
        path.to_string_lossy()
            .rsplit('-')
            .next()?
            .parse::<u64>()
            .ok()
    };
    seats.sort_by_key(number);
    Some(seats)
}

fn processes(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().flat_map(str::parse).collect()
}

/// Launches once, so that seats for the next containers are made, and waits for them. Returns the
/// one whose turn is next.
async fn with_seat() -> Option<(Machine, PathBuf)> {
    let machine = Machine::new()?;
    seats(&machine)?;
    assert_eq!(machine.run_shell("exit 1").await.exit, exited(1));
    let mut all = all_ready(&machine).await;
    Some((machine, all.remove(0)))
}

/// All seats, the next one first, when all of them are taken by a process.
async fn all_ready(machine: &Machine) -> Vec<PathBuf> {
    loop {
        let found = seats(machine).unwrap();
        assert!(found.len() <= SEATS, "so many are enough: {found:?}");
        let taken = |seat: &PathBuf| !processes(seat).is_empty();
        if found.len() == SEATS && found.iter().all(taken) {
            // They are ready when the agent has heard of them.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn seats_are_made_again_when_few_are_left() {
    let Some((machine, _)) = with_seat().await else {
        return;
    };
    let before = all_ready(&machine).await;
    // One more than may be gone before more are made.
    for number in 0..=SEATS - MIN_SEATS {
        assert_eq!(
            machine.run_shell("exit 4").await.exit,
            exited(4),
            "{number}"
        );
    }
    let after = all_ready(&machine).await;
    let kept = before.iter().filter(|seat| after.contains(seat)).count();
    assert_eq!(kept, MIN_SEATS - 1, "the oldest are taken first");
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
