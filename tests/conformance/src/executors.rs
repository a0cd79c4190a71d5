//! An executor over every road.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use prost::Message;
use serde_json::{Value, json, to_value};
use tepui_proto::{
    decode,
    services::executor_client::ExecutorClient,
    v1::executor::{Call, Event},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{
    http::{self, Answer},
    outcome::{Outcome, plain},
    roads::{Framework, Road, user},
    stage::AgentStage,
};

const PATH: &str = "/api/v1/executor";

/// The task whose updates only mark how far things are.
const MARK: &str = "mark";

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The executor, on its stream.
    Executor,
    /// Its framework; and the executor hears of it.
    Framework,
    /// The executor, on a stream of its own: what is refused ends a stream over gRPC.
    Apart,
}

/// What is done, in an order in which it makes sense. The executor has subscribed before.
pub fn cases() -> Vec<(Who, Value)> {
    let executor = json!({"executor_id": {"value": "e"}, "agent_id": {"value": "@master-S1"}});
    let mut message = executor.clone();
    message["data"] = json!("aGk=");
    let mut nameless = update("t", "TASK_RUNNING", 1);
    nameless["update"]["status"]
        .as_object_mut()
        .unwrap()
        .remove("uuid");
    vec![
        (Who::Executor, json!({"type": "HEARTBEAT"})),
        (Who::Executor, update("t", "TASK_RUNNING", 1)),
        (
            Who::Executor,
            json!({"type": "MESSAGE", "message": {"data": "aGk="}}),
        ),
        (
            Who::Framework,
            json!({"type": "MESSAGE", "message": message}),
        ),
        (
            Who::Framework,
            json!({"type": "KILL", "kill": {"task_id": {"value": "t"}}}),
        ),
        (Who::Executor, update("t", "TASK_KILLED", 2)),
        (Who::Apart, nameless),
        (
            Who::Framework,
            json!({"type": "SHUTDOWN", "shutdown": executor}),
        ),
    ]
}

/// A call that gives a task of the executor a new state; `number` names it.
pub fn update(task: &str, state: &str, number: u8) -> Value {
    let status = json!({"task_id": {"value": task}, "state": state, "source": "SOURCE_EXECUTOR",
        "uuid": uuid(number)});
    json!({"type": "UPDATE", "update": {"status": status}})
}

/// Sixteen bytes of that number, as JSON has bytes.
fn uuid(number: u8) -> Value {
    let bytes = json!({"acknowledged": {"task_id": {"value": ""}, "uuid": ""}, "type":
        "ACKNOWLEDGED"});
    let mut event: Event = decode::json(bytes.to_string().as_bytes()).unwrap();
    event.acknowledged.as_mut().unwrap().uuid = vec![number; 16];
    to_value(event).unwrap()["acknowledged"]["uuid"].clone()
}

/// The executor `e`, whose program does nothing: the test is the executor.
fn executor() -> Value {
    json!({"type": "CUSTOM", "executor_id": {"value": "e"},
        "command": {"value": "exec sleep 1000"}, "resources": [scalar("cpus", 0.1),
        scalar("mem", 32.0)]})
}

/// A task of that executor.
pub fn task(name: &str) -> Value {
    let mut task = member(name);
    task["executor"] = executor();
    task
}

/// A task that is launched in a group.
fn member(name: &str) -> Value {
    json!({"name": name, "task_id": {"value": name},
        "resources": [scalar("cpus", 0.1), scalar("mem", 8.0)]})
}

pub fn scalar(name: &str, value: f64) -> Value {
    json!({"name": name, "type": "SCALAR", "scalar": {"value": value}})
}

/// An executor on one of the roads.
pub struct Executor {
    address: SocketAddr,
    road: Road,
    framework: String,
    line: Line,
    heard: VecDeque<Value>,
}

enum Line {
    Grpc(mpsc::Sender<Call>, Box<Streaming<Event>>),
    Http(Box<Answer>),
}

impl Executor {
    /// Subscribes as soon as its agent knows it.
    pub async fn subscribe(address: SocketAddr, road: Road, framework: &str) -> Self {
        let call = json!({"type": "SUBSCRIBE", "subscribe": {}});
        loop {
            let line = open(address, road, &named(&call, framework)).await;
            let mut executor = Self {
                address,
                road,
                framework: framework.to_owned(),
                line,
                heard: VecDeque::new(),
            };
            match executor.event().await {
                Ok(first) => {
                    executor.heard.push_back(first);
                    return executor;
                }
                Err(text) => assert!(text.ends_with("cannot be found"), "{text}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The next event that is no heartbeat; why there is none.
    pub async fn event(&mut self) -> Result<Value, String> {
        if let Some(event) = self.heard.pop_front() {
            return Ok(event);
        }
        loop {
            let event = match &mut self.line {
                Line::Grpc(_, events) => match events.message().await {
                    Ok(event) => to_value(event.ok_or("it is over")?).unwrap(),
                    Err(status) => return Err(status.message().to_owned()),
                },
                Line::Http(answer) if answer.status != 200 => {
                    let text = answer.text().await;
                    return Err(text);
                }
                Line::Http(answer) => {
                    let record = answer.record().await.ok_or("it is over")?;
                    match self.road {
                        Road::Json => serde_json::from_slice(&record).unwrap(),
                        _ => to_value(Event::decode(&*record).unwrap()).unwrap(),
                    }
                }
            };
            if event["type"] != "HEARTBEAT" {
                return Ok(event);
            }
        }
    }

    /// Makes a call that has no answer.
    pub async fn say(&self, call: &Value) -> Result<(), String> {
        let json = named(call, &self.framework);
        match &self.line {
            Line::Grpc(calls, _) => {
                let sent = calls.send(wire(&json)).await;
                sent.map_err(|error| error.to_string())
            }
            Line::Http(_) => {
                let mut answer = post(self.address, self.road, &json).await;
                match answer.status {
                    202 => Ok(()),
                    _ => Err(answer.text().await),
                }
            }
        }
    }

    /// Makes a call on a line of its own; why it is refused, if it is.
    async fn say_apart(&self, call: &Value) -> Result<(), String> {
        let line = open(self.address, self.road, &named(call, &self.framework)).await;
        match line {
            Line::Http(mut answer) if answer.status != 202 => Err(answer.text().await),
            Line::Http(_) => Ok(()),
            Line::Grpc(_, mut events) => {
                let end = events.message().await.map(drop);
                end.map_err(|status| status.message().to_owned())
            }
        }
    }
}

/// Makes the first call.
async fn open(address: SocketAddr, road: Road, call: &Value) -> Line {
    if road != Road::Grpc {
        return Line::Http(Box::new(post(address, road, call).await));
    }
    let client = ExecutorClient::connect(format!("http://{address}"));
    let mut client = client.await.unwrap();
    let (calls, outgoing) = mpsc::channel(16);
    let events = client.open(ReceiverStream::new(outgoing));
    let events = events.await.unwrap().into_inner();
    calls.send(wire(call)).await.unwrap();
    Line::Grpc(calls, Box::new(events))
}

async fn post(address: SocketAddr, road: Road, call: &Value) -> Answer {
    let media = road.media();
    let headers = [("Content-Type", media), ("Accept", media)];
    let body = match road {
        Road::Json => call.to_string().into_bytes(),
        _ => wire(call).encode_to_vec(),
    };
    http::post(address, PATH, &headers, &body).await
}

fn wire(call: &Value) -> Call {
    decode::json(call.to_string().as_bytes()).unwrap()
}

fn named(call: &Value, framework: &str) -> Value {
    let mut call = call.clone();
    call["executor_id"] = json!({"value": "e"});
    call["framework_id"] = json!({"value": framework});
    call
}

/// Waits until the executor's container runs: its process is told of from then on.
async fn await_container(agent: SocketAddr) {
    loop {
        let body = http::get(agent, "/containers").await.body().await;
        let shown: Vec<Value> = serde_json::from_slice(&body).unwrap();
        if shown.iter().any(|it| it["executor_id"] == "e") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An executor with its framework, on a real agent.
pub struct Pair {
    framework: Framework,
    executor: Executor,
    /// The executor's container, which is another each time.
    container: String,
    master: String,
    marks: u8,
}

impl Pair {
    /// Launches the executor; gives what it hears when it subscribes.
    pub async fn launch(stage: &AgentStage, road: Road) -> (Self, Outcome) {
        let info = json!({"user": user(), "name": "n", "roles": ["r"], "failover_timeout": 100.0,
             "capabilities": [{"type": "MULTI_ROLE"}]});
        let mut framework = Framework::subscribe_as(stage.master(), road, &info).await;
        let real = format!("{}-S1", stage.id());
        let offer = framework.offer(|offer| offer["agent_id"]["value"] == real);
        let offer = offer.await;
        let tasks = vec![task("t"), task(MARK)];
        let group = (executor(), vec![member("one"), member("other")]);
        framework.launch_all(&offer, tasks, Some(group)).await;
        await_container(stage.address).await;
        let executor = Executor::subscribe(stage.address, road, &framework.id).await;
        let mut pair = Self {
            framework,
            executor,
            container: String::new(),
            master: stage.id().to_owned(),
            marks: 100,
        };
        let mut heard = Vec::new();
        // SUBSCRIBED, two tasks and a group.
        for _ in 0..4 {
            heard.push(pair.executor.event().await.unwrap());
        }
        let container = &heard[0]["subscribed"]["container_id"]["value"];
        pair.container = container.as_str().unwrap().to_owned();
        let outcome = pair.done(json!({"executor": heard}));
        (pair, outcome)
    }

    /// Does something, and gives what both hear of it.
    pub async fn act(&mut self, who: Who, call: &Value) -> Outcome {
        match who {
            Who::Apart => match self.executor.say_apart(call).await {
                Ok(()) => self.done(json!({})),
                Err(text) => self.refused(&text),
            },
            Who::Framework => {
                self.framework.say(call).await.unwrap();
                let event = self.executor.event().await.unwrap();
                self.done(json!({"executor": [event]}))
            }
            Who::Executor => match self.call(call).await {
                Ok(heard) => self.done(heard),
                Err(text) => self.refused(&text),
            },
        }
    }

    /// A call of the executor, and what both hear until a mark that comes after it.
    async fn call(&mut self, call: &Value) -> Result<Value, String> {
        self.executor.say(call).await?;
        self.marks += 1;
        let mark = uuid(self.marks);
        let marking = update(MARK, "TASK_RUNNING", self.marks);
        self.executor.say(&marking).await?;
        let mut executor = Vec::new();
        loop {
            let event = self.executor.event().await?;
            if event["acknowledged"]["uuid"] == mark {
                break;
            }
            executor.push(event);
        }
        let mut framework = self.framework.hear(|status| status["uuid"] == mark).await;
        framework.pop();
        Ok(json!({"executor": executor, "framework": framework}))
    }

    fn done(&self, heard: Value) -> Outcome {
        let text = heard.to_string().replace(&self.container, "@container");
        let heard = serde_json::from_str(&text).unwrap();
        Outcome::Done(plain(heard, &self.master))
    }

    fn refused(&self, text: &str) -> Outcome {
        Outcome::Refused(text.replace(&self.master, "@master"))
    }
}
