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
    stage::Place,
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
    place: &Place,
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
    http::post(place.address, path, &headers, &body).await
}

/// Puts the master's id where the text of a case says so.
fn filled(call: &Value, place: &Place) -> Value {
    let text = call.to_string().replace("@master", &place.id);
    serde_json::from_str(&text).unwrap()
}

/// A call of the operator API, and what comes of it.
pub async fn operate(place: &Place, road: Road, call: &Value) -> Outcome {
    let json = filled(call, place);
    let call: master::Call = decode::json(json.to_string().as_bytes()).unwrap();
    if road == Road::Grpc {
        let client = OperatorClient::connect(format!("http://{}", place.address));
        return match client.await.unwrap().call(call).await {
            Ok(answer) => done(&answer.into_inner(), place),
            Err(status) => refused(status.message(), place),
        };
    }
    let answer = post(place, road, "/api/v1", None, (&json, call.encode_to_vec())).await;
    let status = answer.status;
    let body = answer.body().await;
    match (status, road) {
        (200 | 202, _) if body.is_empty() => done(&master::Response::default(), place),
        (200, Road::Json) => {
            Outcome::Done(plain(serde_json::from_slice(&body).unwrap(), &place.id))
        }
        (200, _) => done(&master::Response::decode(&*body).unwrap(), place),
        _ => refused(&String::from_utf8_lossy(&body), place),
    }
}

fn done(answer: &master::Response, place: &Place) -> Outcome {
    Outcome::Done(plain(to_value(answer).unwrap(), &place.id))
}

fn refused(text: &str, place: &Place) -> Outcome {
    Outcome::Refused(text.replace(&place.id, "@master"))
}

/// The user that this runs as, for what is to run as the same.
pub fn user() -> String {
    let printed = std::process::Command::new("id").arg("-un").output();
    String::from_utf8(printed.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

/// A framework on one of the roads.
pub struct Framework {
    place: Place,
    road: Road,
    pub id: String,
    line: Line,
    marks: usize,
}

enum Line {
    Grpc(mpsc::Sender<scheduler::Call>, Box<Streaming<Event>>),
    Http(Box<Answer>, String),
}

impl Framework {
    /// One that launches nothing.
    pub async fn subscribe(place: &Place, road: Road) -> Self {
        let info = json!({"user": "u", "name": "n", "roles": ["r"], "failover_timeout": 100.0,
             "capabilities": [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]});
        Self::subscribe_as(place, road, &info).await
    }

    pub async fn subscribe_as(place: &Place, road: Road, info: &Value) -> Self {
        let json = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}});
        let call: scheduler::Call = decode::json(json.to_string().as_bytes()).unwrap();
        let line = if road == Road::Grpc {
            let client = SchedulerClient::connect(format!("http://{}", place.address));
            let mut client = client.await.unwrap();
            let (calls, outgoing) = mpsc::channel(16);
            let events = client.open(ReceiverStream::new(outgoing));
            let events = events.await.unwrap().into_inner();
            calls.send(call).await.unwrap();
            Line::Grpc(calls, Box::new(events))
        } else {
            let path = "/api/v1/scheduler";
            let answer = post(place, road, path, None, (&json, call.encode_to_vec())).await;
            let stream_id = answer.header("mesos-stream-id").unwrap().to_owned();
            Line::Http(Box::new(answer), stream_id)
        };
        let mut framework = Self {
            place: place.clone(),
            road,
            id: String::new(),
            line,
            marks: 0,
        };
        let first = framework.event().await.expect("SUBSCRIBED");
        let id = first["subscribed"]["framework_id"]["value"].as_str();
        let id = id.unwrap_or_else(|| panic!("it is refused: {first}"));
        framework.id = id.to_owned();
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

    /// Makes a call, and says why it is refused if it is.
    pub async fn say(&self, call: &Value) -> Result<(), String> {
        let mut json = filled(call, &self.place);
        json["framework_id"] = json!({"value": self.id});
        let call: scheduler::Call = decode::json(json.to_string().as_bytes()).unwrap();
        match &self.line {
            Line::Grpc(calls, _) => calls.send(call).await.map_err(|it| it.to_string()),
            Line::Http(_, stream_id) => {
                let bytes = call.encode_to_vec();
                let path = "/api/v1/scheduler";
                let id = Some(stream_id.as_str());
                let answer = post(&self.place, self.road, path, id, (&json, bytes)).await;
                match answer.status {
                    200 | 202 => Ok(()),
                    _ => Err(String::from_utf8_lossy(&answer.body().await).into_owned()),
                }
            }
        }
    }

    /// The first offer of that kind. Others are kept.
    pub async fn offer(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.event().await.expect("offers");
            let offers = event["offers"]["offers"].as_array();
            let mut offers = offers.into_iter().flatten();
            if let Some(offer) = offers.find(|offer| is_wanted(offer)) {
                return offer.clone();
            }
        }
    }

    /// Launches tasks on an offer.
    pub async fn launch(&self, offer: &Value, tasks: Vec<Value>) {
        self.launch_all(offer, tasks, None).await;
    }

    /// Launches tasks, and a group of an executor and its tasks.
    pub async fn launch_all(
        &self,
        offer: &Value,
        tasks: Vec<Value>,
        group: Option<(Value, Vec<Value>)>,
    ) {
        let placed = |tasks: Vec<Value>| -> Vec<Value> {
            let placed = tasks.into_iter().map(|mut task| {
                task["agent_id"] = offer["agent_id"].clone();
                task
            });
            placed.collect()
        };
        let tasks = placed(tasks);
        let launch = json!({"type": "LAUNCH", "launch": {"task_infos": tasks}});
        let group = group.map(|(executor, tasks)| {
            let tasks = json!({"tasks": placed(tasks)});
            json!({"type": "LAUNCH_GROUP",
                "launch_group": {"executor": executor, "task_group": tasks}})
        });
        let operations: Vec<_> = [launch].into_iter().chain(group).collect();
        let accept = json!({"offer_ids": [offer["id"]], "operations": operations});
        let said = self.say(&json!({"type": "ACCEPT", "accept": accept})).await;
        said.expect("it is taken");
    }

    /// The events up to the update that is wanted, which is the last of them. All updates are
    /// acknowledged; offers come when they come.
    pub async fn hear(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await.expect("an update");
            if event["type"] == "OFFERS" {
                continue;
            }
            let status = event["update"]["status"].clone();
            events.push(event);
            if status["uuid"].is_string() {
                let part = json!({"task_id": status["task_id"], "agent_id": status["agent_id"],
                    "uuid": status["uuid"]});
                let call = json!({"type": "ACKNOWLEDGE", "acknowledge": part});
                self.say(&call).await.expect("it is taken");
            }
            if is_wanted(&status) {
                return events;
            }
        }
    }

    /// Makes a call, and gives the events that follow: up to the answer to a question that only
    /// marks the end, or to the end of the stream.
    pub async fn call(&mut self, call: &Value) -> Outcome {
        if let Err(text) = self.say(call).await {
            return refused(&text, &self.place);
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
                events.push(plain(event, &self.place.id));
            }
        }
        Outcome::Done(Value::Array(events))
    }
}
