//! `/api/v1` of operators.

use serde_json::{Value, json};
use tepui_proto::v1::master::call;

use crate::limits;

use super::{
    super::{AgentClient, FrameworkClient, clients, master},
    Client,
};

const PATH: &str = "/api/v1";

#[tokio::test]
async fn reads_are_answered_in_the_form_of_their_type() {
    let (_dir, server) = master().await;
    let _agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let mut client = Client::connect(server.address()).await;
    let types = (0..100).filter_map(|number| call::Type::try_from(number).ok());
    let names = types.map(|kind| kind.as_str_name());
    // GET_METRICS has fields of its own.
    let is_read = |name: &&str| name.starts_with("GET_") && *name != "GET_METRICS";
    let reads: Vec<&str> = names.filter(is_read).collect();
    assert!(reads.len() >= 16, "{reads:?}");
    for kind in reads {
        let answer = client.post(PATH, &[], &json!({"type": kind})).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = answer.json();
        assert_eq!(answer["type"], kind);
        assert!(answer[kind.to_lowercase()].is_object(), "{answer}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn large_answers_are_packed_for_who_takes_gzip() {
    let (_dir, server) = master().await;
    let mut agents = Vec::new();
    for host in ["a", "b", "c", "d"] {
        agents.push(AgentClient::registered(server.address(), clients::agent(host)).await);
    }
    let mut client = Client::connect(server.address()).await;
    let gzip = [("Accept-Encoding", "gzip, deflate")];
    let call = json!({"type": "GET_AGENTS"});
    let answer = client.post(PATH, &gzip, &call).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let plain = client.post(PATH, &[], &call).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(
        tepui_edge::http::body::unpack(&answer.body, limits::BODY_BYTES).unwrap(),
        plain.body
    );
    let small = client
        .post(PATH, &gzip, &json!({"type": "GET_HEALTH"}))
        .await;
    assert_eq!(small.header("content-encoding"), None);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn errors_have_mesos_codes() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let nobody = json!({"value": "nobody"});
    let resources = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1},
        "reservations": [{"type": "DYNAMIC", "role": "r"}]}]);
    let cases = [
        (
            json!({"type": "TEARDOWN"}),
            400,
            "Expecting 'teardown' to be present",
        ),
        (
            json!({"type": "TEARDOWN", "teardown": {"framework_id": nobody}}),
            400,
            "No framework found with ID nobody",
        ),
        (
            json!({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": nobody}}),
            404,
            "nobody",
        ),
        (
            json!({"type": "RESERVE_RESOURCES",
                "reserve_resources": {"agent_id": nobody, "resources": resources}}),
            400,
            "No agent found with specified ID",
        ),
        (
            json!({"type": "READ_FILE", "read_file": {"path": "/x", "offset": 0}}),
            404,
            "/x",
        ),
        (json!({"type": "UNKNOWN"}), 501, ""),
        (
            json!({"type": "FLY"}),
            400,
            "Expecting 'type' to be present",
        ),
    ];
    for (call, status, text) in cases {
        let answer = client.post(PATH, &[], &call).await;
        assert_eq!(answer.status, status, "{call}: {}", answer.text());
        assert!(answer.text().contains(text), "{call}: {}", answer.text());
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_changes_is_answered_with_an_empty_body() {
    let (_dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let mut client = Client::connect(server.address()).await;
    let weights = json!({"weight_infos": [{"role": "r", "weight": 2}]});
    let calls = [
        json!({"type": "UPDATE_WEIGHTS", "update_weights": weights}),
        json!({"type": "TEARDOWN", "teardown": {"framework_id": {"value": framework.id().value}}}),
    ];
    for call in calls {
        let answer = client.post(PATH, &[], &call).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, String::new()),
            "{call}"
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn watchers_hear_what_stands_and_then_every_change() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let answer = client.post(PATH, &[], &json!({"type": "SUBSCRIBE"})).await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("mesos-stream-id"), None);
    let first = client.event().await.unwrap();
    assert_eq!(first["type"], "SUBSCRIBED");
    assert_eq!(first["subscribed"]["heartbeat_interval_seconds"], 15.0);
    assert_eq!(
        first["subscribed"]["get_state"]["get_agents"]["agents"],
        json!([])
    );
    assert_eq!(client.event().await.unwrap(), json!({"type": "HEARTBEAT"}));
    let agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let added = client.hear().await;
    assert_eq!(added["type"], "AGENT_ADDED");
    let hostname = &added["agent_added"]["agent"]["agent_info"]["hostname"];
    assert_eq!(*hostname, Value::from("host"));
    drop(agent);
    let _f = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    assert_eq!(client.hear().await["type"], "FRAMEWORK_ADDED");
    server.stop().await.unwrap();
}
