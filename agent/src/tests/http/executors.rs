//! `/api/v1/executor`, and the same over gRPC.

use serde_json::{Value, json};
use tepui_proto::{
    services::{agent_message::Message, executor_client::ExecutorClient},
    v1::{self, executor},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{
    super::{
        World, ended,
        master::{FRAMEWORK, in_executor},
    },
    Client,
};

const PATH: &str = "/api/v1/executor";
const UUID: &str = "AAECAwQFBgcICQoLDA0ODw==";

fn call(kind: &str, rest: Value) -> Value {
    let mut call = json!({
        "type": kind,
        "framework_id": {"value": FRAMEWORK},
        "executor_id": {"value": "e"},
    });
    let more = rest.as_object().unwrap().clone();
    call.as_object_mut().unwrap().extend(more);
    call
}

fn update(state: &str, uuid: &str) -> Value {
    let status = json!({
        "task_id": {"value": "t"}, "state": state, "uuid": uuid, "source": "SOURCE_EXECUTOR",
    });
    call("UPDATE", json!({"update": {"status": status}}))
}

/// An agent that has been given a task in executor `e`.
async fn world() -> World {
    let world = World::new().await;
    world.session.run(in_executor("t", "e", "anything")).await;
    super::super::eventually("a container", || !world.fake.state().specs.is_empty()).await;
    world
}

async fn subscribed(world: &World) -> Client {
    let mut stream = Client::connect(world.agent.address()).await;
    let subscribe = call("SUBSCRIBE", json!({"subscribe": {}}));
    let answer = stream.post(PATH, &[], &subscribe).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let event = stream.hear().await;
    assert_eq!(event["type"], "SUBSCRIBED");
    let said = &event["subscribed"];
    assert_eq!(said["executor_info"]["executor_id"]["value"], "e");
    assert_eq!(said["framework_info"]["id"]["value"], FRAMEWORK);
    assert_eq!(said["agent_info"]["id"]["value"], "m-S0");
    stream
}

#[tokio::test]
async fn an_executor_lives_over_http() {
    let mut world = world().await;
    let mut stream = subscribed(&world).await;
    let launch = stream.hear().await;
    assert_eq!(launch["launch"]["task"]["task_id"]["value"], "t");
    let mut calls = Client::connect(world.agent.address()).await;
    let answer = calls
        .post(
            "/slave(1)/api/v1/executor",
            &[],
            &update("TASK_RUNNING", UUID),
        )
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (202, ""));
    let heard = stream.hear().await;
    assert_eq!(heard["acknowledged"]["uuid"], UUID);
    let status = world.session.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskRunning);
    world.session.tell("e", b"hi").await;
    assert_eq!(stream.hear().await["message"]["data"], "aGk=");
    let words = call("MESSAGE", json!({"message": {"data": "aGk="}}));
    assert_eq!(calls.post(PATH, &[], &words).await.status, 202);
    let Message::ExecutorMessage(said) = world.session.next().await else {
        panic!("no words of the executor")
    };
    assert_eq!(said.data, b"hi");
    world.session.kill("t", std::time::Duration::ZERO).await;
    assert_eq!(stream.hear().await["kill"]["task_id"]["value"], "t");
    let container = world.fake.state().specs[0].id.clone();
    world.fake.end(&container, ended());
    let Message::ExecutorExited(exited) = world.session.next().await else {
        panic!("its end is not told")
    };
    assert_eq!(exited.status, Some(0));
    let status = world.session.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskFailed);
    assert_eq!(stream.event().await, None, "and then its stream ends");
}

#[tokio::test]
async fn a_call_is_refused_in_mesos_order_and_words() {
    let world = world().await;
    let mut client = Client::connect(world.agent.address()).await;
    let answer = client.request("GET", PATH, &[], b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = client.request("POST", PATH, &[], b"{}").await;
    assert_eq!(answer.text(), "Expecting 'Content-Type' to be present");
    let text = [("Content-Type", "text/plain")];
    assert_eq!(client.request("POST", PATH, &text, b"{}").await.status, 415);
    let other = |field: &str| {
        let mut call = update("TASK_RUNNING", UUID);
        call[field]["value"] = json!("nobody");
        call
    };
    let cases = [
        (json!({}), 400, "Failed to "),
        (
            call("UPDATE", json!({})),
            400,
            "Failed to validate Executor::Call: Expecting 'update' to be present",
        ),
        (other("framework_id"), 400, "Framework cannot be found"),
        (other("executor_id"), 400, "Executor cannot be found"),
        (
            update("TASK_RUNNING", UUID),
            403,
            "Executor is not subscribed",
        ),
        (call("HEARTBEAT", json!({})), 202, ""),
    ];
    for (body, status, text) in cases {
        let answer = client.post(PATH, &[], &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().starts_with(text), "{}", answer.text());
    }
    let subscribe = call("SUBSCRIBE", json!({"subscribe": {}}));
    let html = [("Accept", "text/html")];
    assert_eq!(client.post(PATH, &html, &subscribe).await.status, 406);
}

#[tokio::test]
async fn an_executor_comes_back_to_a_restarted_agent() {
    let mut world = world().await;
    let mut stream = subscribed(&world).await;
    stream.hear().await;
    world = world.restart().await;
    assert_eq!(stream.event().await, None);
    let mut stream = Client::connect(world.agent.address()).await;
    let status = update("TASK_RUNNING", UUID)["update"].clone();
    let subscribe = json!({"subscribe": {"unacknowledged_updates": [status]}});
    stream.post(PATH, &[], &call("SUBSCRIBE", subscribe)).await;
    assert_eq!(stream.hear().await["type"], "SUBSCRIBED");
    assert_eq!(stream.hear().await["acknowledged"]["uuid"], UUID);
    let status = world.session.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskRunning);
}

#[tokio::test]
async fn an_executor_lives_over_grpc_as_over_http() {
    let mut world = world().await;
    let address = format!("http://{}", world.agent.address());
    let mut client = ExecutorClient::connect(address).await.unwrap();
    let (calls, stream) = mpsc::channel(8);
    let wire = |body: Value| -> executor::Call {
        tepui_proto::decode::json(body.to_string().as_bytes()).unwrap()
    };
    let events = client.open(ReceiverStream::new(stream));
    let mut events = events.await.unwrap().into_inner();
    let subscribe = call("SUBSCRIBE", json!({"subscribe": {}}));
    calls.send(wire(subscribe)).await.unwrap();
    let mut hear = async || events.message().await.map(|event| event.unwrap().r#type());
    assert_eq!(hear().await.unwrap(), executor::event::Type::Subscribed);
    assert_eq!(hear().await.unwrap(), executor::event::Type::Launch);
    calls
        .send(wire(update("TASK_RUNNING", UUID)))
        .await
        .unwrap();
    assert_eq!(hear().await.unwrap(), executor::event::Type::Acknowledged);
    let status = world.session.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskRunning);
    let wrong = call("UPDATE", json!({}));
    calls.send(wire(wrong)).await.unwrap();
    let end = hear().await.unwrap_err();
    assert_eq!(end.code(), Code::InvalidArgument);
    assert!(end.message().contains("Expecting 'update'"), "{end}");
}

#[tokio::test]
async fn executors_and_nobody_else_are_served_on_the_domain_socket() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let mut master = super::super::master::Master::start().await;
    let mut options = super::super::options(folder.path(), master.address);
    options.executors.http_executor_domain_sockets = true;
    let fake = super::super::Fake::default();
    let agent = super::super::start(options, &fake).await;
    let (session, _) = master.registered().await;
    session.run(in_executor("t", "e", "anything")).await;
    super::super::eventually("a container", || !fake.state().specs.is_empty()).await;
    let socket = folder.path().join("agent.sock").display().to_string();
    let variable = ("MESOS_DOMAIN_SOCKET".to_owned(), socket.clone());
    assert!(fake.state().specs[0].environment.contains(&variable));
    let ask = async |path: &str, body: String| {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let mut length = 0;
        while !String::from_utf8_lossy(&answer[..length]).contains("\r\n\r\n") {
            length += stream.read(&mut answer[length..]).await.unwrap();
        }
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let subscribe = call("SUBSCRIBE", json!({"subscribe": {}})).to_string();
    let answer = ask(PATH, subscribe).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = ask("/api/v1", json!({"type": "GET_STATE"}).to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    agent.stop().await.unwrap();
}
