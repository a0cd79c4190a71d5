//! `/api/v1/scheduler`.

use std::net::SocketAddr;

use prost::Message;
use serde_json::{Value, json};
use tepui_proto::{
    services::master_message,
    v1::scheduler::{self, event},
};

use super::{
    super::{AgentClient, FrameworkClient, clients, master, soon},
    Answer, Client,
    client::JSON,
    subscribe,
};

use crate::limits;

const PATH: &str = "/api/v1/scheduler";

/// A framework that is subscribed.
struct Framework {
    address: SocketAddr,
    events: Client,
    stream_id: String,
    id: String,
}

impl Framework {
    async fn subscribed(address: SocketAddr, call: &Value) -> Self {
        let mut events = Client::connect(address).await;
        let answer = events.post(PATH, &[], call).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let stream_id = answer.header("mesos-stream-id").unwrap().to_owned();
        let first = events.event().await.unwrap();
        assert_eq!(first["type"], "SUBSCRIBED", "{first}");
        let id = first["subscribed"]["framework_id"]["value"].as_str();
        Self {
            address,
            events,
            stream_id,
            id: id.unwrap().to_owned(),
        }
    }

    /// A call of this framework, with its id filled in.
    async fn say(&self, mut call: Value) -> Answer {
        call["framework_id"] = json!({"value": self.id});
        let headers = [("Mesos-Stream-Id", self.stream_id.as_str())];
        let mut client = Client::connect(self.address).await;
        client.post(PATH, &headers, &call).await
    }

    /// A call that is accepted.
    async fn tell(&self, call: Value) {
        let answer = self.say(call).await;
        assert_eq!((answer.status, answer.text()), (202, String::new()));
        assert_eq!(answer.header("content-type"), None);
    }
}

#[tokio::test]
async fn a_subscription_is_a_stream_of_records_each_in_a_chunk() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let answer = client.post(PATH, &[], &subscribe("f")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("mesos-stream-id").unwrap().len(), 36);
    let subscribed = client.event().await.unwrap();
    assert_eq!(subscribed["subscribed"]["heartbeat_interval_seconds"], 15.0);
    let port = subscribed["subscribed"]["master_info"]["port"].as_u64();
    assert_eq!(port, Some(u64::from(server.address().port())));
    assert_eq!(client.event().await.unwrap(), json!({"type": "HEARTBEAT"}));
    server.stop().await.unwrap();
    assert_eq!(client.event().await, None);
}

#[tokio::test]
async fn protobuf_goes_both_ways() {
    let (_dir, server) = master().await;
    let call = clients::subscribe(clients::framework("binary")).encode_to_vec();
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Accept", "application/x-protobuf"),
    ];
    let mut client = Client::connect(server.address()).await;
    let answer = client.request("POST", PATH, &headers, &call).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    let first: scheduler::Event = client.message().await.unwrap();
    assert_eq!(first.r#type(), event::Type::Subscribed);
    let second: scheduler::Event = client.message().await.unwrap();
    assert_eq!(second.r#type(), event::Type::Heartbeat);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn offers_are_accepted_tasks_run_and_their_updates_come() {
    let (_dir, server) = master().await;
    let mut framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    let mut agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let offers = framework.events.hear().await;
    let offer = &offers["offers"]["offers"][0];
    let task = json!({
        "name": "t", "task_id": {"value": "t:1"}, "agent_id": offer["agent_id"],
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": "0.5"}},
            {"name": "gpus", "type": "SCALAR", "scalar": {"value": 0}},
        ],
        "command": {"value": "true", "unknown": null},
    });
    let launch = json!({"type": "LAUNCH", "launch": {"task_infos": task}});
    let accept = json!({"offer_ids": offer["id"], "operations": launch, "filters": null});
    framework
        .tell(json!({"type": "ACCEPT", "accept": accept}))
        .await;
    let run = loop {
        match agent.hear().await {
            master_message::Message::RunTask(run) => break run,
            master_message::Message::Ping(_) => {}
            other => panic!("not RunTask: {other:?}"),
        }
    };
    assert_eq!(run.task.unwrap().task_id.value, "t:1");
    framework.tell(json!({"type": "REVIVE"})).await;
    framework
        .tell(json!({"type": "DECLINE", "decline": {"filters": {"refuse_seconds": 4294967295u32}}}))
        .await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_unknown_task_is_lost_by_reconciliation_and_by_kill() {
    let (_dir, server) = master().await;
    let mut framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    let task = json!({"task_id": {"value": "nobody"}});
    for call in [
        json!({"type": "RECONCILE", "reconcile": {"tasks": [task]}}),
        json!({"type": "KILL", "kill": task}),
    ] {
        framework.tell(call).await;
        let status = framework.events.hear().await["update"]["status"].clone();
        assert_eq!(status["state"], "TASK_LOST");
        assert_eq!(status["source"], "SOURCE_MASTER");
        assert_eq!(status["reason"], "REASON_RECONCILIATION");
        assert_eq!(status["uuid"], Value::Null);
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_checks_come_in_mesos_order_with_mesos_words() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let answer = client.get(PATH).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = client.request("POST", PATH, &[], b"{}").await;
    let text = "Expecting 'Content-Type' to be present";
    assert_eq!((answer.status, answer.text()), (400, text.into()));
    let kind = [("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(client.request("POST", PATH, &kind, b"{").await.status, 415);
    let binary = [("Content-Type", "application/x-protobuf")];
    let answer = client.request("POST", PATH, &binary, &[0xff]).await;
    let text = "Failed to parse body into Call protobuf";
    assert_eq!((answer.status, answer.text()), (400, text.into()));
    let none = [("Accept", "text/html")];
    let cases = [
        ("{", "Failed to parse body into JSON: "),
        ("[]", "Failed to convert JSON into Call protobuf: "),
        (
            r#"{"type": "KILL", "kill": {}}"#,
            "Failed to convert JSON into Call protobuf: Missing required fields: kill.task_id",
        ),
        (
            "{}",
            "Failed to validate scheduler::Call: Expecting 'type' to be present",
        ),
        (
            r#"{"type": "REVIVE", "framework_id": {"value": "nobody"}}"#,
            "Framework cannot be found",
        ),
    ];
    for (body, expected) in cases {
        let headers = [JSON, &none].concat();
        let answer = client
            .request("POST", PATH, &headers, body.as_bytes())
            .await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.text().starts_with(expected),
            "{body}: {}",
            answer.text()
        );
    }
    let answer = client.post(PATH, &none, &subscribe("f")).await;
    assert_eq!(answer.status, 406, "{}", answer.text());
    let answer = client
        .post(PATH, &[("Mesos-Stream-Id", "x")], &subscribe("f"))
        .await;
    let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
    assert_eq!((answer.status, answer.text()), (400, text.into()));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_must_name_the_stream_that_it_belongs_to() {
    let (_dir, server) = master().await;
    let framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    let mut client = Client::connect(server.address()).await;
    let call = json!({"type": "REVIVE", "framework_id": {"value": framework.id}});
    let answer = client.post(PATH, &[], &call).await;
    let text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
    assert_eq!((answer.status, answer.text()), (400, text.into()));
    let answer = client
        .post(PATH, &[("Mesos-Stream-Id", "other")], &call)
        .await;
    let text = format!(
        "The stream ID 'other' included in this request didn't match the stream ID currently \
         associated with framework ID {}",
        framework.id
    );
    assert_eq!((answer.status, answer.text()), (400, text));
    let long = "x".repeat(limits::STREAM_ID_BYTES + 1);
    let answer = client
        .post(PATH, &[("Mesos-Stream-Id", &long)], &call)
        .await;
    let shown = format!("'{}'", &long[1..]);
    assert!(answer.text().contains(&shown), "{}", answer.text());
    let grpc = FrameworkClient::subscribed(server.address(), clients::framework("g")).await;
    let call = json!({"type": "REVIVE", "framework_id": {"value": grpc.id().value}});
    let answer = client.post(PATH, &[], &call).await;
    let text = "Framework is not connected via HTTP";
    assert_eq!((answer.status, answer.text()), (403, text.into()));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_framework_that_went_away_is_not_subscribed() {
    let (_dir, server) = master().await;
    let mut call = subscribe("f");
    call["subscribe"]["framework_info"]["failover_timeout"] = json!(2147483647);
    let framework = Framework::subscribed(server.address(), &call).await;
    let id = framework.id.clone();
    drop(framework);
    let mut client = Client::connect(server.address()).await;
    let revive = json!({"type": "REVIVE", "framework_id": {"value": id}});
    soon(async {
        loop {
            let answer = client.post(PATH, &[], &revive).await;
            if answer.status == 403 {
                assert_eq!(answer.text(), "Framework is not subscribed");
                break;
            }
        }
    })
    .await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn who_subscribes_again_takes_over() {
    let (_dir, server) = master().await;
    let mut old = Framework::subscribed(server.address(), &subscribe("f")).await;
    let mut call = subscribe("f");
    call["framework_id"] = json!({"value": old.id});
    call["subscribe"]["framework_info"]["id"] = call["framework_id"].clone();
    let new = Framework::subscribed(server.address(), &call).await;
    assert_eq!(new.id, old.id);
    let error = old.events.hear().await;
    assert_eq!(error["error"]["message"], "Framework failed over");
    assert_eq!(old.events.chunk().await, None);
    assert_eq!(old.say(json!({"type": "REVIVE"})).await.status, 400);
    new.tell(json!({"type": "REVIVE"})).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_id_of_nobody_is_taken_and_an_empty_one_is_none() {
    let (_dir, server) = master().await;
    let with_id = |id: &str| {
        let mut call = subscribe("f");
        call["framework_id"] = json!({"value": id});
        call["subscribe"]["framework_info"]["id"] = json!({"value": id});
        call
    };
    let known = Framework::subscribed(server.address(), &with_id("my-driver-1")).await;
    assert_eq!(known.id, "my-driver-1");
    let new = Framework::subscribed(server.address(), &with_id("")).await;
    assert!(new.id.ends_with("-0000"), "{}", new.id);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_makes_no_sense_is_one_error_event() {
    let (_dir, server) = master().await;
    let mut call = subscribe("f");
    call["subscribe"]["framework_info"]["role"] = json!("../up");
    let mut client = Client::connect(server.address()).await;
    let answer = client.post(PATH, &[], &call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let error = client.event().await.unwrap();
    assert_eq!(error["type"], "ERROR", "{error}");
    assert!(error["error"]["message"].is_string());
    while let Some(event) = client.event().await {
        assert_eq!(event["type"], "HEARTBEAT");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_framework_that_is_removed_hears_so_and_cannot_come_back() {
    let (_dir, server) = master().await;
    let mut framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    framework.tell(json!({"type": "TEARDOWN"})).await;
    while let Some(event) = framework.events.event().await {
        assert_eq!(event["type"], "HEARTBEAT");
    }
    let mut call = subscribe("f");
    call["framework_id"] = json!({"value": framework.id});
    call["subscribe"]["framework_info"]["id"] = call["framework_id"].clone();
    let mut client = Client::connect(server.address()).await;
    assert_eq!(client.post(PATH, &[], &call).await.status, 200);
    let error = client.hear().await;
    assert_eq!(error["error"]["message"], "Framework has been removed");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_framework_hears_at_once_whether_its_update_is_taken() {
    let (_dir, server) = master().await;
    let framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    let update = |user: &str| {
        let info = json!({"user": user, "name": "new", "id": {"value": framework.id}});
        json!({"type": "UPDATE_FRAMEWORK", "update_framework": {"framework_info": info}})
    };
    assert_eq!(framework.say(update("u")).await.status, 200);
    let answer = framework.say(update("other")).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("FrameworkInfo.user"),
        "{}",
        answer.text()
    );
    framework.tell(json!({"type": "SUPPRESS"})).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn calls_are_taken_at_every_name_of_the_endpoint() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    for path in [
        "/api/v1/scheduler",
        "/api/v1/scheduler/",
        "/master/api/v1/scheduler",
        "/api/v1",
        "/api/v1/",
        "/api/v1/operator",
        "/api/v1/operator/",
        "/master/api/v1",
    ] {
        let answer = client.post(path, &[], &json!({})).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(
            answer.text().contains("'type'"),
            "{path}: {}",
            answer.text()
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn calls_may_be_pipelined_chunked_and_packed() {
    let (_dir, server) = master().await;
    let framework = Framework::subscribed(server.address(), &subscribe("f")).await;
    let call = json!({"type": "REVIVE", "framework_id": {"value": framework.id}}).to_string();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Mesos-Stream-Id: {}\r\n",
        framework.stream_id
    );
    let (first, second) = call.split_at(10);
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\
         Trailer: x\r\n\r\n",
        first.len(),
        second.len()
    );
    let mut client = Client::connect(server.address()).await;
    client.send_raw(chunked.repeat(3).as_bytes()).await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.status, 202);
    }
    let packed = tepui_edge::http::gzip::pack(call.as_bytes());
    let headers = [
        JSON,
        &[
            ("Content-Encoding", "gzip"),
            ("Mesos-Stream-Id", &framework.stream_id),
        ],
    ]
    .concat();
    let answer = client.request("POST", PATH, &headers, &packed).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    server.stop().await.unwrap();
}
