//! What operators decide holds over the real binaries, and outlives `kill -9` of the master.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::process::Child;

use serde_json::Value;
use tepui_cluster_tests::{Cluster, eventually};

fn restart(cluster: &mut Cluster) {
    cluster.master.kill_hard();
    cluster.master.start_again();
}

/// The state of the first agent, as `tepui agents` shows it.
fn agent(cluster: &Cluster, at: usize) -> Option<Value> {
    let found = cluster.tepui(&["agents", "-o", "json"]);
    let found: Value = serde_json::from_str(&found.output).ok()?;
    found["agents"].get(at).cloned()
}

fn agent_id(cluster: &Cluster, at: usize) -> String {
    let found = agent(cluster, at).unwrap();
    found["agent_info"]["id"]["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A task that runs until it is killed.
fn sleeper(cluster: &Cluster, role: &str) -> Child {
    cluster.spawn(&["run", "--role", role, "--cpus", "1", "--", "sleep", "1000"])
}

fn end(mut child: Child) {
    // It may have ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_quota_holds_between_two_frameworks_and_after_the_master_died() {
    let mut cluster = Cluster::start(1);
    cluster
        .tepui(&["quota", "set", "limited", "--limit", "cpus:1"])
        .ok();
    let first = sleeper(&cluster, "limited");
    cluster.await_running(1);
    restart(&mut cluster);
    cluster.await_agents(1);
    let told = cluster.tepui(&["quota", "list"]).ok();
    assert!(
        told.contains("limited") && told.contains("cpus:1"),
        "{told}"
    );
    let second = sleeper(&cluster, "limited");
    // A framework of another role comes after the second of this one, and is served.
    let other = cluster.tepui(&["run", "--role", "free", "--cpus", "1", "--", "true"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    cluster.await_running(1);
    let refused = cluster.tepui(&["quota", "set", "limited", "--limit", "cpus:0.5"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.error.contains("already consuming"), "{refused:?}");
    assert_eq!(
        cluster
            .tepui(&["quota", "set", "x", "--limit", "cpus:-1"])
            .code,
        Some(2)
    );
    cluster.tepui(&["quota", "remove", "limited"]).ok();
    cluster.await_running(2);
    end(first);
    end(second);
}

#[test]
fn a_drain_ends_the_tasks_and_waits_for_that_and_outlives_the_master() {
    let mut cluster = Cluster::start(1);
    let task = sleeper(&cluster, "a");
    cluster.await_running(1);
    let id = agent_id(&cluster, 0);
    let name = id.rsplit('-').next().unwrap();
    cluster
        .tepui(&["drain", name, "--grace", "1s", "--wait"])
        .ok();
    assert_eq!(cluster.tasks().len(), 0);
    let ended = task.wait_with_output().unwrap();
    assert_ne!(ended.status.code(), Some(0), "its task was killed");
    restart(&mut cluster);
    eventually("the agent is back, and drained still", || {
        let found = agent(&cluster, 0)?;
        (found["drain_info"]["state"] == "DRAINED").then_some(())
    });
    let listed = cluster.tepui(&["agents"]).ok();
    assert!(listed.contains("drained"), "{listed}");
    cluster.tepui(&["reactivate", &id]).ok();
    cluster.await_agents(1);
    cluster.tepui(&["run", "--", "true"]).ok();
    cluster.tepui(&["deactivate", &id]).ok();
    assert_eq!(agent(&cluster, 0).unwrap()["deactivated"], true);
    let unknown = cluster.tepui(&["drain", "S77"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.error.contains("tepui agents"), "{unknown:?}");
}

#[test]
fn a_window_gives_inverse_offers_and_a_machine_that_is_down_stays_away() {
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--hostname", "localhost"]);
    cluster.await_agents(1);
    let task = sleeper(&cluster, "a");
    cluster.await_running(1);
    cluster
        .tepui(&[
            "maintenance",
            "schedule",
            "localhost",
            "--in",
            "1h",
            "--for",
            "2h",
        ])
        .ok();
    let asked = |cluster: &Cluster| {
        let found = cluster.tepui(&["frameworks", "-o", "json"]);
        let found: Value = serde_json::from_str(&found.output).ok()?;
        found["frameworks"][0]["inverse_offers"].get(0).cloned()
    };
    let offer = eventually("the framework is asked", || asked(&cluster));
    assert!(offer["unavailability"]["duration"].is_object(), "{offer}");
    restart(&mut cluster);
    cluster.await_agents(1);
    eventually("the framework is asked again", || asked(&cluster));
    let told = cluster.tepui(&["maintenance", "status"]).ok();
    assert!(
        told.contains("localhost") && told.contains("draining"),
        "{told}"
    );
    cluster.tepui(&["maintenance", "down", "localhost"]).ok();
    assert!(cluster.agents[0].wait().success(), "it ends as it was told");
    end(task);
    restart(&mut cluster);
    let told = cluster.tepui(&["maintenance", "status"]).ok();
    assert!(told.contains("down"), "{told}");
    cluster.tepui(&["maintenance", "up", "localhost"]).ok();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
}

#[test]
fn an_agent_that_is_gone_does_not_come_back() {
    let mut cluster = Cluster::start(2);
    let id = agent_id(&cluster, 0);
    cluster.tepui(&["gone", &id]).ok();
    cluster.tepui(&["gone", &id]).ok();
    cluster.await_agents(1);
    restart(&mut cluster);
    cluster.await_agents(1);
    assert_ne!(agent_id(&cluster, 0), id);
    let logs: Vec<String> = cluster.agents.iter().map(|it| it.log()).collect();
    assert!(
        logs.iter().any(|log| log.contains("marked gone")),
        "{logs:?}"
    );
}
