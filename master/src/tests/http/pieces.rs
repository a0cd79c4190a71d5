//! Answers that are sent in pieces.

use prost::Message;
use serde_json::{Value, json, to_value};
use tepui_proto::v1::{
    self,
    master::{self, call},
};

use super::{
    super::{AgentClient, clients, master, soon},
    Client,
};
use crate::{Server, limits};

const PATH: &str = "/api/v1";
const KINDS: [call::Type; 4] = [
    call::Type::GetState,
    call::Type::GetAgents,
    call::Type::GetFrameworks,
    call::Type::GetTasks,
];

/// Agents that have much to say about themselves.
async fn agents(server: &Server) -> Vec<AgentClient> {
    let mut agents = Vec::new();
    for host in ["a", "b", "c", "d"] {
        let mut agent = clients::agent(host);
        agent.agent.as_mut().unwrap().attributes = vec![v1::Attribute {
            name: "text".into(),
            r#type: v1::value::Type::Text.into(),
            text: Some(v1::value::Text {
                value: "x".repeat(limits::WHOLE_ANSWER_BYTES / 2),
            }),
            ..v1::Attribute::default()
        }];
        agents.push(AgentClient::registered(server.address(), agent).await);
    }
    agents
}

/// The whole body, chunk by chunk, and how many there were.
async fn chunks(client: &mut Client) -> (Vec<u8>, usize) {
    let (mut body, mut count) = (Vec::new(), 0);
    while let Some(chunk) = client.chunk().await {
        body.extend(chunk);
        count += 1;
    }
    // The line after the last chunk.
    (body, count)
}

async fn over_grpc(server: &Server, kind: call::Type) -> master::Response {
    let mut operator = clients::operator(server.address()).await;
    let answer = soon(operator.call(clients::ask(kind))).await.unwrap();
    answer.into_inner()
}

#[tokio::test]
async fn large_answers_come_in_pieces_and_are_the_same_over_every_road() {
    let (_dir, server) = master().await;
    let _agents = agents(&server).await;
    for kind in KINDS {
        let whole = over_grpc(&server, kind).await;
        let call = json!({"type": kind.as_str_name()});
        let is_large = matches!(kind, call::Type::GetState | call::Type::GetAgents);
        let forms = [
            ("application/json", false),
            ("application/x-protobuf", false),
            ("application/json", true),
        ];
        for (media, packed) in forms {
            let mut client = Client::connect(server.address()).await;
            let encoding = if packed { "gzip" } else { "identity" };
            let headers = [("Accept", media), ("Accept-Encoding", encoding)];
            let mut answer = client.post(PATH, &headers, &call).await;
            assert_eq!(answer.header("content-type"), Some(media));
            if is_large {
                let is_chunked = answer.header("transfer-encoding") == Some("chunked");
                assert!(is_chunked, "{kind:?}");
                let (body, count) = chunks(&mut client).await;
                assert!(
                    count > 1 || packed || media != "application/json",
                    "{kind:?} came in {count} chunks"
                );
                answer.body = body;
            }
            if answer.header("content-encoding") == Some("gzip") {
                answer.body = tepui_edge::http::body::unpack(&answer.body, 1 << 30).unwrap();
            }
            let seen = match media {
                "application/json" => serde_json::from_slice::<Value>(&answer.body).unwrap(),
                _ => to_value(master::Response::decode(&*answer.body).unwrap()).unwrap(),
            };
            assert_eq!(seen, to_value(&whole).unwrap(), "{kind:?} {media}");
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_text_of_an_answer_is_that_of_its_message() {
    let (_dir, server) = master().await;
    let _agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    for kind in KINDS {
        let whole = over_grpc(&server, kind).await;
        let mut client = Client::connect(server.address()).await;
        let answer = client
            .post(PATH, &[], &json!({"type": kind.as_str_name()}))
            .await;
        assert_eq!(answer.text(), serde_json::to_string(&whole).unwrap());
    }
    server.stop().await.unwrap();
}
