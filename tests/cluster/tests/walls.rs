//! Walls that a task or an operator asks for, from the command to the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::process::Command;

use tepui_cluster_tests::{Cluster, can_isolate};

/// The number of a driver that the kernel leaves to experiments.
const DRIVER: &str = "60";

fn isolated(what: &str) -> bool {
    let can = can_isolate();
    if !can {
        eprintln!("not run: {what} takes root");
    }
    can
}

#[test]
fn a_task_has_users_of_its_own_if_it_asks_or_the_operator_says_so() {
    if !isolated("a user namespace") {
        return;
    }
    let cluster = Cluster::start(1);
    let line = "id -u; awk '{ print $2 }' /proc/self/uid_map; touch mine; cat /proc/1/environ";
    let ran = cluster.tepui(&["run", "--own-users", "--", "sh", "-c", line]);
    let (user, rest) = ran.output.split_once('\n').unwrap();
    let outside: u32 = rest.lines().next().unwrap().parse().unwrap();
    assert_eq!(user, "0");
    assert!(outside >= 65_536, "{ran:?}");
    assert!(ran.error.contains("Permission denied"), "{ran:?}");
    let usual = cluster.tepui(&["run", "--", "sh", "-c", line]);
    assert!(usual.output.starts_with("0\n0\n"), "{usual:?}");

    let mut strict = Cluster::start(0);
    strict.add_agent(&[
        "--user-namespaces",
        "always",
        "--userns-remap",
        "3000000:65536",
    ]);
    let ran = strict.tepui(&["run", "--", "sh", "-c", line]);
    assert!(ran.output.starts_with("0\n3000000\n"), "{ran:?}");
}

#[test]
fn gpus_are_given_whole_and_to_frameworks_that_know_them() {
    if !isolated("a device file") {
        return;
    }
    let devices = tempfile::tempdir().unwrap();
    for (minor, name) in ["nvidia0", "nvidia1", "nvidiactl"].iter().enumerate() {
        let mut make = Command::new("mknod");
        make.args(["-m", "666"]).arg(devices.path().join(name));
        let made = make.args(["c", DRIVER, &minor.to_string()]).status();
        assert!(made.unwrap().success());
    }
    let mut cluster = Cluster::start(0);
    let folder = devices.path().to_str().unwrap();
    let flags = ["--isolation", "all,gpu/nvidia", "--gpu-device-dir", folder];
    cluster.add_agent(&flags);
    let line = "cd /dev; echo nvidia? $NVIDIA_VISIBLE_DEVICES";
    let ran = cluster.tepui(&["run", "--gpus", "2", "--", "sh", "-c", line]);
    assert_eq!(ran.ok(), "nvidia0 nvidia1 0,1\n");
    let ran = cluster.tepui(&["run", "--gpus", "1", "--", "sh", "-c", line]);
    assert_eq!(ran.ok(), "nvidia0 0\n");
    let more = ["run", "--gpus", "3", "--timeout", "1s", "--", "true"];
    let ran = cluster.tepui(&more);
    assert!(ran.error.contains("gpus"), "{ran:?}");
}

#[test]
fn whole_processors_are_one_task_s_alone_where_the_operator_says_so() {
    if !isolated("a cgroup") {
        return;
    }
    let processors = std::thread::available_parallelism().unwrap().get();
    if processors < 2 {
        eprintln!("not run: a machine with one processor has none to give away");
        return;
    }
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--isolation", "all,cgroups/cpuset"]);
    let line = "sed -n 's/^Cpus_allowed_list:.//p' /proc/self/status";
    let count = |cpus: &str| {
        let ran = cluster.tepui(&["run", "--cpus", cpus, "--", "sh", "-c", line]);
        ran.ok()
    };
    let alone = count("1");
    assert!(alone.trim().parse::<u32>().is_ok(), "one of them: {alone}");
    assert!(count("0.5").trim().parse::<u32>().is_err(), "all of them");
}
