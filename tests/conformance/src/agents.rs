//! The calls of an agent's operators over every road.

use prost::Message;
use serde_json::{Value, json, to_value};
use tepui_proto::{decode, services::node_client::NodeClient, v1::agent};

use crate::{
    http,
    outcome::{Outcome, plain},
    roads::Road,
    stage::AgentStage,
};

fn part(kind: &str, part: Value) -> Value {
    json!({"type": kind, kind.to_lowercase(): part})
}

/// The calls, but those whose answer or question is a stream.
pub fn cases() -> Vec<Value> {
    let reads = [
        "GET_HEALTH",
        "GET_FLAGS",
        "GET_VERSION",
        "GET_LOGGING_LEVEL",
        "GET_STATE",
        "GET_CONTAINERS",
        "GET_FRAMEWORKS",
        "GET_EXECUTORS",
        "GET_OPERATIONS",
        "GET_TASKS",
        "GET_AGENT",
        "GET_RESOURCE_PROVIDERS",
    ];
    let mut calls: Vec<Value> = reads.iter().map(|kind| json!({"type": kind})).collect();
    let second = json!({"nanoseconds": 1_000_000_000});
    let nested = json!({"value": "child", "parent": {"value": "nobody"}});
    let alone = json!({"container_id": {"value": "nobody"}});
    let inside = json!({"container_id": nested});
    let mut launch = inside.clone();
    launch["command"] = json!({"value": "true"});
    let provider = json!({"info": {"type": "org.example.t", "name": "n"}});
    let named = json!({"type": "org.example.t", "name": "n"});
    calls.extend([
        part("GET_METRICS", json!({"timeout": second})),
        part(
            "SET_LOGGING_LEVEL",
            json!({"level": 0, "duration": {"nanoseconds": 1}}),
        ),
        part("LIST_FILES", json!({"path": "/nowhere"})),
        part(
            "READ_FILE",
            json!({"path": "/nowhere", "offset": 0, "length": 1}),
        ),
        part("LAUNCH_NESTED_CONTAINER", launch.clone()),
        part("WAIT_NESTED_CONTAINER", inside.clone()),
        part("KILL_NESTED_CONTAINER", inside.clone()),
        part("REMOVE_NESTED_CONTAINER", inside),
        part("LAUNCH_CONTAINER", launch),
        part("WAIT_CONTAINER", alone.clone()),
        part("KILL_CONTAINER", alone.clone()),
        part("REMOVE_CONTAINER", alone),
        part("ADD_RESOURCE_PROVIDER_CONFIG", provider.clone()),
        part("UPDATE_RESOURCE_PROVIDER_CONFIG", provider),
        part("REMOVE_RESOURCE_PROVIDER_CONFIG", named),
        part(
            "MARK_RESOURCE_PROVIDER_GONE",
            json!({"resource_provider_id": {"value": "x"}}),
        ),
        part("PRUNE_IMAGES", json!({"excluded_images": []})),
    ]);
    calls
}

/// A call, and what comes of it.
pub async fn operate(stage: &AgentStage, road: Road, json: &Value) -> Outcome {
    let call: agent::Call = decode::json(json.to_string().as_bytes()).unwrap();
    if road == Road::Grpc {
        let client = NodeClient::connect(format!("http://{}", stage.address));
        return match client.await.unwrap().call(call).await {
            Ok(answer) => done(&answer.into_inner(), stage),
            Err(status) => refused(status.message(), stage),
        };
    }
    let media = road.media();
    let headers = [("Content-Type", media), ("Accept", media)];
    let body = match road {
        Road::Json => json.to_string().into_bytes(),
        _ => call.encode_to_vec(),
    };
    let answer = http::post(stage.address, "/api/v1", &headers, &body).await;
    let status = answer.status;
    let body = answer.body().await;
    match (status, road) {
        (200 | 202, _) if body.is_empty() => done(&agent::Response::default(), stage),
        (200, Road::Json) => {
            Outcome::Done(plain(serde_json::from_slice(&body).unwrap(), stage.id()))
        }
        (200, _) => done(&agent::Response::decode(&*body).unwrap(), stage),
        _ => refused(&String::from_utf8_lossy(&body), stage),
    }
}

fn done(answer: &agent::Response, stage: &AgentStage) -> Outcome {
    Outcome::Done(plain(to_value(answer).unwrap(), stage.id()))
}

fn refused(text: &str, stage: &AgentStage) -> Outcome {
    Outcome::Refused(text.replace(stage.id(), "@master"))
}
