//! The ways to say the same: gRPC, and HTTP with messages in either form.

use prost::Message;
use serde_json::{Value, json, to_value};
use tepui_proto::{
    decode,
    services::{operator_client::OperatorClient, scheduler_client::SchedulerClient},
    v1::{
        master,
        scheduler::{self, Event},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{
    http::{self, Answer},
    outcome::{Outcome, plain},
    stage::Stage,
};

/// A way to a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    Grpc,
    Json,
    Protobuf,
}

impl Road {
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Json, Self::Protobuf];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::Json => "HTTP JSON",
            Self::Protobuf => "HTTP protobuf",
        }
    }

    pub(crate) const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            _ => "application/x-protobuf",
        }
    }
}

async fn post(
    stage: &Stage,
    road: Road,
    path: &str,
    stream_id: Option<&str>,
    (json, bytes): (&Value, Vec<u8>),
) -> Answer {
    let media = road.media();
    let mut headers = vec![("Content-Type", media), ("Accept", media)];
    headers.extend(stream_id.map(|id| ("Mesos-Stream-Id", id)));
    let body = match road {
        Road::Json => json.to_string().into_bytes(),
        _ => bytes,
    };
    http::post(stage.address, path, &headers, &body).await
}

/// Puts the master's id where the text of a case says so.
fn filled(call: &Value, stage: &Stage) -> Value {
    let text = call.to_string().replace("@master", &stage.id);
    serde_json::from_str(&text).unwrap()
}

/// A call of the operator API, and what comes of it.
pub async fn operate(stage: &Stage, road: Road, call: &Value) -> Outcome {
    let json = filled(call, stage);
    let call: master::Call = decode::json(json.to_string().as_bytes()).unwrap();
    if road == Road::Grpc {
        let client = OperatorClient::connect(format!("http://{}", stage.address));
        return match client.await.unwrap().call(call).await {
            Ok(answer) => done(&answer.into_inner(), stage),
            Err(status) => refused(status.message(), stage),
        };
    }
    let answer = post(stage, road, "/api/v1", None, (&json, call.encode_to_vec())).await;
    let status = answer.status;
    let body = answer.body().await;
    match (status, road) {
        (200 | 202, _) if body.is_empty() => done(&master::Response::default(), stage),
        (200, Road::Json) => {
            Outcome::Done(plain(serde_json::from_slice(&body).unwrap(), &stage.id))
        }
        (200, _) => done(&master::Response::decode(&*body).unwrap(), stage),
        _ => refused(&String::from_utf8_lossy(&body), stage),
    }
}

fn done(answer: &master::Response, stage: &Stage) -> Outcome {
    Outcome::Done(plain(to_value(answer).unwrap(), &stage.id))
}

fn refused(text: &str, stage: &Stage) -> Outcome {
    Outcome::Refused(text.replace(&stage.id, "@master"))
}

/// A framework on one of the roads.
pub struct Framework<'stage> {
    stage: &'stage Stage,
    road: Road,
    id: String,
    line: Line,
    marks: usize,
}

enum Line {
    Grpc(mpsc::Sender<scheduler::Call>, Box<Streaming<Event>>),
    Http(Box<Answer>, String),
}

impl<'stage> Framework<'stage> {
    pub async fn subscribe(stage: &'stage Stage, road: Road) -> Self {
        let json = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info":
            {"user": "u", "name": "n", "roles": ["r"], "failover_timeout": 100.0,
             "capabilities": [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]}}});
        let call: scheduler::Call = decode::json(json.to_string().as_bytes()).unwrap();
        let line = if road == Road::Grpc {
            let client = SchedulerClient::connect(format!("http://{}", stage.address));
            let mut client = client.await.unwrap();
            let (calls, outgoing) = mpsc::channel(16);
            let events = client.open(ReceiverStream::new(outgoing));
            let events = events.await.unwrap().into_inner();
            calls.send(call).await.unwrap();
            Line::Grpc(calls, Box::new(events))
        } else {
            let path = "/api/v1/scheduler";
            let answer = post(stage, road, path, None, (&json, call.encode_to_vec())).await;
            let stream_id = answer.header("mesos-stream-id").unwrap().to_owned();
            Line::Http(Box::new(answer), stream_id)
        };
        let mut framework = Self {
            stage,
            road,
            id: String::new(),
            line,
            marks: 0,
        };
        let first = framework.event().await.expect("SUBSCRIBED");
        let id = first["subscribed"]["framework_id"]["value"].as_str();
        framework.id = id.unwrap().to_owned();
        framework
    }

    /// The next event that is no heartbeat; `None` at the end.
    pub async fn event(&mut self) -> Option<Value> {
        loop {
            let event = match &mut self.line {
                Line::Grpc(_, events) => to_value(events.message().await.ok()??).unwrap(),
                Line::Http(answer, _) => {
                    let record = answer.record().await?;
                    match self.road {
                        Road::Json => serde_json::from_slice(&record).unwrap(),
                        _ => to_value(Event::decode(&*record).unwrap()).unwrap(),
                    }
                }
            };
            if event["type"] != "HEARTBEAT" {
                return Some(event);
            }
        }
    }

    async fn say(&self, call: &Value) -> Result<(), String> {
        let mut json = filled(call, self.stage);
        json["framework_id"] = json!({"value": self.id});
        let call: scheduler::Call = decode::json(json.to_string().as_bytes()).unwrap();
        match &self.line {
            Line::Grpc(calls, _) => calls.send(call).await.map_err(|it| it.to_string()),
            Line::Http(_, stream_id) => {
                let bytes = call.encode_to_vec();
                let path = "/api/v1/scheduler";
                let id = Some(stream_id.as_str());
                let answer = post(self.stage, self.road, path, id, (&json, bytes)).await;
                match answer.status {
                    200 | 202 => Ok(()),
                    _ => Err(String::from_utf8_lossy(&answer.body().await).into_owned()),
                }
            }
        }
    }

    /// Makes a call, and gives the events that follow: up to the answer to a question that only
    /// marks the end, or to the end of the stream.
    pub async fn call(&mut self, call: &Value) -> Outcome {
        if let Err(text) = self.say(call).await {
            return refused(&text, self.stage);
        }
        self.marks += 1;
        let mark = format!("mark-{}", self.marks);
        let task = json!({"task_id": {"value": mark}});
        let question = json!({"type": "RECONCILE", "reconcile": {"tasks": [task]}});
        // A framework that is removed cannot ask any more.
        let _ = self.say(&question).await;
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            if event["update"]["status"]["task_id"]["value"] == mark {
                break;
            }
            // Offers come when they come, whatever is called.
            if event["type"] != "OFFERS" {
                events.push(plain(event, &self.stage.id));
            }
        }
        Outcome::Done(Value::Array(events))
    }
}
