//! `tepui run`, the quick test of any cluster, and the containers behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    io::Read,
    time::{Duration, Instant},
};

use tepui_cluster_tests::{Cluster, can_isolate, eventually};

#[test]
fn a_command_streams_its_output_and_gives_its_exit_code() {
    let cluster = Cluster::start(1);
    let ran = cluster.tepui(&["run", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(
        (ran.code, ran.output.as_str()),
        (Some(7), "out\n"),
        "{ran:?}"
    );
    assert!(ran.error.contains("err\n"), "{ran:?}");
    assert_eq!(cluster.tepui(&["run", "--", "true"]).code, Some(0));
    assert_eq!(cluster.tepui(&["run", "--", "false"]).code, Some(1));
    assert_eq!(
        cluster.tepui(&["run", "--", "sh", "-c", "kill -9 $$"]).code,
        Some(137)
    );
}

#[test]
fn output_comes_while_the_task_runs() {
    let cluster = Cluster::start(1);
    let mut child = cluster.spawn(&["run", "--", "sh", "-c", "echo first; exec sleep 60"]);
    let mut first = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(&first, b"first\n");
    let task = cluster.await_running(1).remove(0);
    cluster
        .tepui(&["kill", task["task_id"]["value"].as_str().unwrap()])
        .ok();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn arguments_reach_the_task_as_they_are_and_the_environment_too() {
    let cluster = Cluster::start(1);
    let line = "printf '%s|' \"$@\"; printf %s \"$GREETING\"";
    let ran = cluster.tepui(&[
        "run",
        "--env",
        "GREETING=a b",
        "--",
        "sh",
        "-c",
        line,
        "sh",
        "x y",
        "",
        "*",
    ]);
    assert_eq!(ran.ok(), "x y||*|a b");
}

#[test]
fn a_program_that_is_not_there_fails_and_says_so() {
    let cluster = Cluster::start(1);
    let ran = cluster.tepui(&["run", "--", "/no/such/program"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.error.contains("/no/such/program"), "{ran:?}");
}

#[test]
fn a_task_that_takes_too_long_is_ended() {
    let cluster = Cluster::start(1);
    let ran = cluster.tepui(&["run", "--timeout", "500ms", "--", "sleep", "60"]);
    assert_eq!(ran.code, Some(124), "{ran:?}");
    eventually("no task is left", || {
        cluster.tasks().is_empty().then_some(())
    });
}

#[test]
fn a_task_that_ignores_term_is_killed_after_its_grace() {
    let cluster = Cluster::start(1);
    let line = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    let mut child = cluster.spawn(&["run", "--", "sh", "-c", line]);
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    let task = cluster.await_running(1).remove(0);
    let started = Instant::now();
    cluster
        .tepui(&[
            "kill",
            "--grace",
            "1s",
            task["task_id"]["value"].as_str().unwrap(),
        ])
        .ok();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn memory_beyond_the_limit_ends_the_task_and_is_named() {
    if !can_isolate() {
        return;
    }
    let cluster = Cluster::start(1);
    // The shell keeps all that it reads in one variable.
    let ran = cluster.tepui(&[
        "run",
        "--mem",
        "32",
        "--",
        "sh",
        "-c",
        "x=$(tr '\\0' x </dev/zero)",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.error.to_lowercase().contains("memory"), "{ran:?}");
    let ended = cluster.json(&["ps", "--all"]);
    let status = &ended["completed_tasks"][0]["statuses"];
    let last = status
        .as_array()
        .and_then(|it| it.last())
        .cloned()
        .unwrap_or_default();
    assert_eq!(last["state"], "TASK_FAILED", "{ended}");
    assert_eq!(
        last["reason"], "REASON_CONTAINER_LIMITATION_MEMORY",
        "{ended}"
    );
}

#[test]
fn a_fork_bomb_stays_in_its_container() {
    if !can_isolate() {
        return;
    }
    let cluster = Cluster::start(1);
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 1; exit 3";
    let ran = cluster.tepui(&[
        "run",
        "--mem",
        "128",
        "--timeout",
        "20s",
        "--",
        "sh",
        "-c",
        bomb,
    ]);
    assert!(ran.code.is_some(), "{ran:?}");
    assert_eq!(
        cluster.tepui(&["run", "--", "echo", "alive"]).ok(),
        "alive\n"
    );
}

#[test]
fn a_task_that_asks_for_nothing_cannot_reach_the_host() {
    if !can_isolate() {
        return;
    }
    let cluster = Cluster::start(1);
    let line = "grep -E '^(CapEff|CapAmb|NoNewPrivs|Seccomp:)' /proc/self/status | cut -f2; \
                hostname changed 2>/dev/null || mount -t tmpfs none /mnt 2>/dev/null \
                || (echo 1 > /proc/sys/vm/swappiness) 2>/dev/null || echo held; ls /dev";
    let output = cluster.tepui(&["run", "--", "sh", "-c", line]).ok();
    let lines: Vec<_> = output.lines().collect();
    let expected = ["00000000a80425fb", "0000000000000000", "1", "2", "held"];
    assert_eq!(lines[..5], expected, "{output}");
    assert!(
        lines.contains(&"null") && !lines.contains(&"loop0"),
        "{output}"
    );
}

#[test]
fn a_sandbox_beyond_what_was_asked_for_ends_the_task_and_is_named() {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--container-disk-watch-interval", "100ms"]);
    cluster.await_agents(1);
    let line = "head -c 8M /dev/zero > full; sleep 60";
    let ran = cluster.tepui(&["run", "--disk", "2", "--", "sh", "-c", line]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.error.contains("exceeds quota (2.0MB)"), "{ran:?}");
    let ended = cluster.json(&["ps", "--all"]).to_string();
    assert!(
        ended.contains("REASON_CONTAINER_LIMITATION_DISK"),
        "{ended}"
    );
}

#[test]
fn r5_empty_files_beyond_what_the_disk_has_room_for_end_the_task_and_are_named() {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--container-disk-watch-interval", "100ms"]);
    cluster.await_agents(1);
    let line = "mkdir many; cd many; seq 1 10100 | xargs touch; sleep 60";
    let ran = cluster.tepui(&["run", "--disk", "64", "--", "sh", "-c", line]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = "Disk usage (10001 files) exceeds quota (10000 files for 64.0MB)";
    assert!(ran.error.contains(said), "{ran:?}");
    let ended = cluster.json(&["ps", "--all"]).to_string();
    assert!(
        ended.contains("REASON_CONTAINER_LIMITATION_DISK"),
        "{ended}"
    );
}

#[test]
fn each_task_has_its_own_processes_host_name_and_mounts() {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(0);
    // It takes the power to change them to show that the host's do not change.
    cluster.add_agent(&["--effective-capabilities", "all"]);
    cluster.await_agents(1);
    let line = "echo $(ps -e 2>/dev/null | wc -l) $(ls /proc | grep -c '^[0-9]'); hostname changed; \
                mount -t tmpfs none /mnt && ls /proc/self/fd | wc -l";
    let output = cluster.tepui(&["run", "--", "sh", "-c", line]).ok();
    let processes: usize = output.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(
        processes < 12,
        "the task sees {processes} processes: {output}"
    );
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_ne!(host.trim(), "changed");
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(" /mnt tmpfs"), "{mounts}");
}
