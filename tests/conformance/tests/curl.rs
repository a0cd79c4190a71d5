//! The examples of Mesos' documents, as scripts that call a real cluster by curl alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::{path::PathBuf, process::Command};

use tepui_cluster_tests::{Cluster, can_isolate};
use tepui_proto::v1::{agent, executor, master, scheduler};

/// The endpoints without a version that a master and an agent of Mesos document, but those of its
/// own build and storage: `/profiler`, `/registrar(id)/registry`, `/containerizer/debug`; and
/// `/observe`, which has gone.
const UNVERSIONED: [&str; 33] = [
    "/containers",
    "/create-volumes",
    "/destroy-volumes",
    "/files/browse",
    "/files/debug",
    "/files/download",
    "/files/read",
    "/flags",
    "/frameworks",
    "/health",
    "/logging/toggle",
    "/machine/down",
    "/machine/up",
    "/maintenance/schedule",
    "/maintenance/status",
    "/metrics/snapshot",
    "/monitor/statistics",
    "/quota",
    "/quota/role1",
    "/redirect",
    "/reserve",
    "/roles",
    "/slaves",
    "/state",
    "/state-summary",
    "/system/stats.json",
    "/tasks",
    "/teardown",
    "/unreserve",
    "/version",
    "/weights",
    "/master/state",
    "/slave(1)/state",
];

/// The names of an API's calls, as `name` knows them by their numbers.
fn names(name: impl Fn(i32) -> Option<&'static str>) -> Vec<&'static str> {
    let all = (0..64).filter_map(name);
    all.filter(|it| *it != "UNKNOWN").collect()
}

/// Runs a script on a cluster of its own, of which the agent has these resources, and says which
/// calls it made; `wanted` are to be among them.
fn runs(script: &str, resources: &str, wanted: &[&str]) {
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of(resources, &[]);
    cluster.await_agents(1);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("curl");
    let ran = Command::new("bash")
        .arg(folder.join(script))
        .env("MASTER", cluster.master.address())
        .env("AGENT", cluster.agents[0].address())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{script}:\n{out}\n{error}");
    let mut made: Vec<&str> = out
        .lines()
        .filter_map(|line| line.split([' ', '?']).next())
        .collect();
    println!("{script} made {} calls: {}", made.len(), told(&made));
    made.sort_unstable();
    let missing = |name: &&&str| made.binary_search(name).is_err();
    let missing: Vec<_> = wanted.iter().filter(missing).collect();
    assert!(missing.is_empty(), "{script} does not call {missing:?}");
}

/// Each name once, in the order of the first calls.
fn told(made: &[&str]) -> String {
    let first = |at: &usize| !made[..*at].contains(&made[*at]);
    let once: Vec<&str> = (0..made.len()).filter(first).map(|at| made[at]).collect();
    once.join(", ")
}

const USUAL: &str = "cpus:2;mem:512;disk:1024;ports:[31000-32000]";

#[test]
fn the_documented_calls_of_a_scheduler_answer_as_documented() {
    let kind = |it| scheduler::call::Type::try_from(it).ok();
    let wanted = names(|it| kind(it).map(|it| it.as_str_name()));
    runs("scheduler.sh", USUAL, &wanted);
}

#[test]
fn the_documented_calls_of_an_executor_answer_as_documented() {
    let kind = |it| executor::call::Type::try_from(it).ok();
    let wanted = names(|it| kind(it).map(|it| it.as_str_name()));
    runs("executor.sh", USUAL, &wanted);
}

#[test]
fn the_documented_calls_of_a_masters_operator_answer_as_documented() {
    let kind = |it| master::call::Type::try_from(it).ok();
    let wanted = names(|it| kind(it).map(|it| it.as_str_name()));
    runs("master.sh", &format!("{USUAL};disk(role1):256"), &wanted);
}

#[test]
fn the_documented_calls_of_an_agents_operator_answer_as_documented() {
    // Containers inside of others need namespaces.
    if can_isolate() {
        let kind = |it| agent::call::Type::try_from(it).ok();
        let wanted = names(|it| kind(it).map(|it| it.as_str_name()));
        runs("agent.sh", USUAL, &wanted);
    }
}

#[test]
fn the_endpoints_without_a_version_answer_as_documented() {
    runs("unversioned.sh", USUAL, &UNVERSIONED);
}
