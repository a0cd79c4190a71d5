//! Agents that come back: after a restart of the machine, as another version, as another machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tepui_cluster_tests::{Cluster, can_isolate, eventually, program};

/// The inits of all containers of the first agent, as its records name them.
fn inits(cluster: &Cluster) -> Vec<i32> {
    let folder = cluster.folder().join("agent-0/run/containers");
    let records = fs::read_dir(folder).into_iter().flatten().flatten();
    let pid = |path: PathBuf| {
        let record = fs::read_to_string(path.join("record")).ok()?;
        let record: serde_json::Value = serde_json::from_str(&record).ok()?;
        i32::try_from(record["pid"].as_i64()?).ok()
    };
    records.filter_map(|entry| pid(entry.path())).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An agent on one machine, which after the next start believes to be on a machine that was
/// restarted: the kernel names each run of it, and here that name is covered by another.
fn restart_machine(cluster: &mut Cluster) {
    cluster.agents[0].kill_hard();
    for init in inits(cluster) {
        kill(Pid::from_raw(init), Signal::SIGKILL).unwrap();
    }
    let boot_id = cluster.folder().join("boot-id");
    fs::write(&boot_id, "6c1ff4b2-8b6c-4c6b-9a52-6fb6b2a1a001\n").unwrap();
    let line = format!(
        "mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"",
        text(&boot_id)
    );
    let program = program();
    cluster.agents[0].run_by(&["unshare", "--mount", "sh", "-c", &line, "-", text(&program)]);
    cluster.agents[0].start_again();
}

#[test]
fn g09_after_a_restart_of_the_machine_tasks_are_reported_lost_once() {
    if !can_isolate() {
        return eprintln!("g09: passed over, because it needs root");
    }
    let mut cluster = Cluster::start(1);
    let mut child = cluster.spawn(&["run", "--", "sleep", "1000"]);
    let task = cluster.await_running(1)[0]["task_id"]["value"].clone();
    restart_machine(&mut cluster);
    assert!(!child.wait().unwrap().success());
    cluster.await_agents(1);
    let ended = eventually("the task has ended", || {
        let tasks = cluster.json(&["ps", "--all"]);
        let ended = tasks["completed_tasks"].as_array()?.clone();
        (!ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["task_id"]["value"], task);
    let statuses = ended[0]["statuses"].as_array().unwrap();
    let lost = |it: &&serde_json::Value| it["state"] == "TASK_GONE" || it["state"] == "TASK_LOST";
    assert_eq!(statuses.iter().filter(lost).count(), 1, "{statuses:?}");
    eventually("nothing is left of it", || {
        inits(&cluster).is_empty().then_some(())
    });
    let said = cluster.tepui(&["run", "--", "echo", "work goes on"]).ok();
    assert_eq!(said, "work goes on\n");
}

#[test]
fn g16_an_agent_whose_program_is_replaced_keeps_its_tasks() {
    let mut cluster = Cluster::start(1);
    let path = cluster.folder().join("tepui");
    let install = || {
        let fresh = path.with_extension("new");
        fs::copy(program(), &fresh).unwrap();
        fs::rename(&fresh, &path).unwrap();
    };
    install();
    cluster.agents[0].kill_hard();
    cluster.agents[0].run_by(&[text(&path)]);
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    let gate = cluster.folder().join("gate");
    let line = format!(
        "while [ ! -e {} ]; do sleep 0.05; done; exit 7",
        text(&gate)
    );
    let mut child = cluster.spawn(&["run", "--", "sh", "-c", &line]);
    cluster.await_running(1);
    let before = inits(&cluster);
    // As a package manager does it: the running program's file has no name any more.
    install();
    cluster.agents[0].signal(Signal::SIGTERM);
    cluster.agents[0].wait();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    assert_eq!(inits(&cluster), before);
    let said = cluster.tepui(&["run", "--", "echo", "new work too"]).ok();
    assert_eq!(said, "new work too\n");
    fs::write(&gate, "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn an_agent_that_is_configured_otherwise_says_what_is_different_and_how_to_go_on() {
    let mut cluster = Cluster::start(1);
    cluster.agents[0].signal(Signal::SIGTERM);
    cluster.agents[0].wait();
    let before = cluster.agents[0].arguments().to_vec();
    let other: Vec<String> = before
        .iter()
        .map(|word| word.replace("number:0", "number:0;rack:r1"))
        .collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let refused = Command::new(program()).args(&other).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    for words in [
        "'number:0'",
        "'number:0;rack:r1'",
        "--reconfiguration-policy",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let mut agent = Command::new(program())
        .args(&other)
        .args(["--reconfiguration-policy", "additive"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the master has its new attribute", || {
        let agents = cluster.json(&["agents"]);
        let attributes = agents["agents"][0]["agent_info"]["attributes"].as_array()?;
        attributes.iter().find(|it| it["name"] == "rack").map(drop)
    });
    kill(
        Pid::from_raw(agent.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    agent.wait().unwrap();
}
