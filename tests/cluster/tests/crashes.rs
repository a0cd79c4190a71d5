//! `kill -9` of each part while tasks run: nothing acknowledged is lost, nothing runs twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use tepui_cluster_tests::{Cluster, eventually};

const SERVICE: &str = "\
name: steady
command: 'echo started >> $LIVES; exec sleep 1000'
replicas: 3
cpus: 0.1
mem: 32
";

/// A cluster with a service of three replicas, each of which writes a line when it starts.
fn with_service() -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::start(2);
    cluster.add_framework("service");
    let lives = cluster.folder().join("lives").display().to_string();
    let file = cluster.folder().join("steady.yaml");
    fs::write(&file, SERVICE.replace("$LIVES", &lives)).unwrap();
    cluster
        .tepui(&["service", "deploy", file.to_str().unwrap()])
        .ok();
    let ids = ids(&cluster.await_running(3));
    (cluster, ids)
}

fn ids(tasks: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = tasks
        .iter()
        .map(|it| it["task_id"]["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn lives(folder: &Path) -> usize {
    fs::read_to_string(folder.join("lives"))
        .unwrap_or_default()
        .lines()
        .count()
}

/// The same tasks run, and none has been started again.
fn expect_undisturbed(cluster: &Cluster, before: &[String]) {
    assert_eq!(ids(&cluster.await_running(3)), before);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ids(&cluster.await_running(3)), before);
    assert_eq!(lives(cluster.folder()), 3, "a task was started again");
}

#[test]
fn tasks_outlive_the_master_and_are_known_again() {
    let (mut cluster, before) = with_service();
    cluster.master.kill_hard();
    cluster.master.start_again();
    cluster.await_agents(2);
    expect_undisturbed(&cluster, &before);
    assert_eq!(
        cluster.tepui(&["run", "--", "echo", "work goes on"]).ok(),
        "work goes on\n"
    );
}

#[test]
fn tasks_outlive_their_agent_and_their_end_is_still_seen() {
    let (mut cluster, before) = with_service();
    for at in 0..2 {
        cluster.agents[at].kill_hard();
        cluster.agents[at].start_again();
    }
    cluster.await_agents(2);
    expect_undisturbed(&cluster, &before);
    cluster.tepui(&["kill", &before[0]]).ok();
    eventually("the killed replica is replaced", || {
        let now = ids(&cluster.await_running(3));
        (!now.contains(&before[0])).then_some(())
    });
}

#[test]
fn an_end_while_the_agent_is_away_is_reported_when_it_is_back() {
    let mut cluster = Cluster::start(1);
    let gate = cluster.folder().join("gate").display().to_string();
    let line = format!("while [ ! -e {gate} ]; do sleep 0.05; done; exit 5");
    let mut child = cluster.spawn(&["run", "--", "sh", "-c", &line]);
    cluster.await_running(1);
    cluster.agents[0].kill_hard();
    fs::write(&gate, "").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    cluster.agents[0].start_again();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn tasks_outlive_their_framework_which_comes_back_as_itself() {
    let (mut cluster, before) = with_service();
    let framework = |cluster: &Cluster| cluster.json(&["frameworks"])["frameworks"].clone();
    let id = framework(&cluster)[0]["framework_info"]["id"]["value"].clone();
    cluster.frameworks[0].kill_hard();
    eventually("the master sees the framework go", || {
        (framework(&cluster)[0]["connected"] != true).then_some(())
    });
    cluster.frameworks[0].start_again();
    eventually("the framework is back", || {
        (framework(&cluster)[0]["connected"] == true).then_some(())
    });
    assert_eq!(framework(&cluster)[0]["framework_info"]["id"]["value"], id);
    expect_undisturbed(&cluster, &before);
}

#[test]
fn everything_killed_at_once_comes_back_with_every_task() {
    let (mut cluster, before) = with_service();
    cluster.frameworks[0].kill_hard();
    cluster
        .agents
        .iter_mut()
        .for_each(tepui_cluster_tests::Part::kill_hard);
    cluster.master.kill_hard();
    cluster.master.start_again();
    cluster
        .agents
        .iter_mut()
        .for_each(tepui_cluster_tests::Part::start_again);
    cluster.frameworks[0].start_again();
    cluster.await_agents(2);
    expect_undisturbed(&cluster, &before);
}

#[test]
fn an_agent_that_leaves_takes_its_tasks_and_they_are_replaced_elsewhere() {
    let (mut cluster, _) = with_service();
    cluster.agents[0].signal(nix::sys::signal::Signal::SIGUSR1);
    cluster.agents[0].wait();
    let agents = cluster.json(&["agents"]);
    let left = agents["agents"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["active"] == true)
        .unwrap();
    let id = left["agent_info"]["id"]["value"].clone();
    eventually("three replicas run on the agent that is left", || {
        let tasks = cluster.await_running(3);
        tasks
            .iter()
            .all(|it| it["agent_id"]["value"] == id)
            .then_some(())
    });
}
