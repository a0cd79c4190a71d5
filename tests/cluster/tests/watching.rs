//! What operators see: offers and events as they happen, and the services by reflection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::io::{BufRead, BufReader};

use serde_json::Value;
use tepui_cluster_tests::{Cluster, eventually};

#[test]
fn offers_are_seen_as_they_come_and_go() {
    let cluster = Cluster::start(1);
    let mut watch = cluster.spawn(&["offers", "--watch", "-o", "json"]);
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(
        first.get("snapshot_end").is_some(),
        "nobody is subscribed yet: {first}"
    );
    cluster.tepui(&["run", "--", "true"]).ok();
    let added: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(added["added"]["id"]["value"].is_string(), "{added}");
    let removed: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(removed["removed"]["reason"], "ACCEPTED", "{removed}");
    assert_eq!(removed["removed"]["offer_id"], added["added"]["id"]);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn events_tell_a_tasks_life_in_order() {
    let cluster = Cluster::start(1);
    let mut watch = cluster.spawn(&["events", "-o", "json"]);
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut events = lines.map(|it| serde_json::from_str::<Value>(&it.unwrap()).unwrap());
    let first = events.next().unwrap();
    assert_eq!(first["type"], "SUBSCRIBED");
    assert_eq!(
        first["subscribed"]["get_state"]["get_agents"]["agents"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    cluster.tepui(&["run", "--", "true"]).ok();
    let mut seen = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap().to_owned();
        seen.push(
            event["task_updated"]["state"]
                .as_str()
                .map_or(kind.clone(), str::to_owned),
        );
        if kind == "FRAMEWORK_REMOVED" {
            break;
        }
    }
    seen.retain(|it| it != "HEARTBEAT" && it != "TASK_STARTING");
    let expected = [
        "FRAMEWORK_ADDED",
        "TASK_ADDED",
        "TASK_RUNNING",
        "TASK_FINISHED",
        "FRAMEWORK_REMOVED",
    ];
    assert_eq!(seen, expected);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn every_read_command_prints_a_table_and_json() {
    let cluster = Cluster::start(1);
    for command in ["ps", "agents", "frameworks", "roles", "offers"] {
        let table = cluster.tepui(&[command]).ok();
        let heading = table.lines().next().unwrap_or_default();
        assert!(
            heading.chars().all(|it| !it.is_lowercase()),
            "{command}: {table}"
        );
        assert!(cluster.json(&[command]).is_object() || cluster.json(&[command]).is_array());
        cluster.tepui(&[command, "-o", "wide"]).ok();
    }
}

#[test]
fn logs_of_an_ended_task_can_be_read() {
    let cluster = Cluster::start(1);
    cluster
        .tepui(&[
            "run",
            "--name",
            "writer",
            "--",
            "sh",
            "-c",
            "echo one; echo two >&2",
        ])
        .ok();
    let id = eventually("the task is completed", || {
        let all = cluster.json(&["ps", "--all"]);
        all["completed_tasks"][0]["task_id"]["value"]
            .as_str()
            .map(str::to_owned)
    });
    let logs = cluster.tepui(&["logs", &id]);
    assert_eq!(
        (logs.output.as_str(), logs.error.as_str()),
        ("one\n", "two\n")
    );
}

#[test]
fn services_are_listed_by_reflection() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (part, expected) in [
        (&cluster.master, "tepui.v1.Operator"),
        (&cluster.agents[0], "tepui.v1.Node"),
    ] {
        let answer = runtime.block_on(async {
            let address = format!("http://{}", part.address());
            let channel = tonic::transport::Endpoint::from_shared(address).unwrap();
            let mut client = ServerReflectionClient::new(channel.connect().await.unwrap());
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let stream = client
                .server_reflection_info(tokio_stream::once(request))
                .await
                .unwrap();
            stream.into_inner().message().await.unwrap().unwrap()
        });
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let names: Vec<_> = list.service.iter().map(|it| it.name.as_str()).collect();
        assert!(names.contains(&expected), "{names:?}");
    }
}

#[test]
fn a_framework_that_waits_hears_why() {
    let cluster = Cluster::start(1);
    let mut greedy = cluster.spawn(&["run", "--name", "greedy", "--", "sleep", "1000"]);
    let tasks = cluster.await_running(1);
    let agent = tasks[0]["agent_id"]["value"].as_str().unwrap();
    let found = cluster.json(&["explain", "agent", agent]);
    assert_eq!(
        found["contenders"].as_array().map(Vec::len),
        Some(1),
        "{found}"
    );
    let role = cluster.tepui(&["explain", "role", "*"]).ok();
    assert!(role.contains("SHARE"), "{role}");
    let task = tasks[0]["task_id"]["value"].as_str().unwrap();
    let told = cluster.tepui(&["explain", "task", task]).ok();
    assert!(told.contains("TASK_RUNNING"), "{told}");
    let unknown = cluster.tepui(&["explain", "framework", "nobody"]);
    assert_eq!(unknown.code, Some(1), "{}", unknown.error);
    assert!(
        unknown.error.contains("tepui frameworks"),
        "{}",
        unknown.error
    );
    greedy.kill().unwrap();
    greedy.wait().unwrap();
}
