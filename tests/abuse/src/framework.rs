//! A framework over HTTP, as little of it as a test needs.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::{Value, json};

use crate::{
    Role, Victim,
    http1::{self, Answer, JSON},
};

const PATH: &str = "/api/v1/scheduler";

/// A framework that is subscribed.
#[derive(Debug)]
pub struct Framework {
    pub id: Value,
    pub stream_id: String,
    address: SocketAddr,
    events: BufReader<TcpStream>,
}

impl Framework {
    /// Subscribes with these roles.
    pub fn subscribe(victim: &Victim, name: &str, roles: &[&str]) -> Self {
        let kinds = ["MULTI_ROLE", "RESERVATION_REFINEMENT"];
        let capabilities: Vec<_> = kinds.iter().map(|kind| json!({"type": kind})).collect();
        let info = json!({"user": "root", "name": name, "roles": roles,
            "capabilities": capabilities});
        let call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}});
        let body = call.to_string();
        let address = victim.address(Role::Master);
        let mut events = BufReader::new(http1::connect(address));
        let head = http1::head("POST", PATH, &[("Content-Type", JSON)], body.len());
        let request = [&head, body.as_bytes()].concat();
        events.get_mut().write_all(&request).unwrap();
        let answer = http1::answer(&mut events).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let stream_id = answer.header("mesos-stream-id").unwrap().to_owned();
        let mut framework = Self {
            id: Value::Null,
            stream_id,
            address,
            events,
        };
        framework.id = framework.hear("SUBSCRIBED")["framework_id"].clone();
        framework
    }

    /// The next event of a kind: its part of that name.
    pub fn hear(&mut self, kind: &str) -> Value {
        loop {
            let chunk = http1::chunk(&mut self.events).expect("the stream ended");
            let line = chunk.iter().position(|byte| *byte == b'\n').unwrap();
            let mut event: Value = serde_json::from_slice(&chunk[line + 1..]).unwrap();
            if event["type"] == kind {
                return event[kind.to_lowercase()].take();
            }
        }
    }

    /// Makes a call in the name of `id` on the stream `stream_id`.
    pub fn call_as(&self, id: &Value, stream_id: &str, mut call: Value) -> Answer {
        call["framework_id"] = id.clone();
        let headers = [("Content-Type", JSON), ("Mesos-Stream-Id", stream_id)];
        http1::post(self.address, PATH, &headers, call.to_string().as_bytes())
    }

    /// Makes a call in its own name.
    pub fn call(&self, call: Value) -> Answer {
        self.call_as(&self.id, &self.stream_id, call)
    }

    /// Launches a task on the first offer, and waits until it runs.
    pub fn launch(&mut self, task: &str, command: &str) {
        let offers = self.hear("OFFERS");
        let offer = &offers["offers"][0];
        let scalar = |name: &str, value: f64| {
            json!({"name": name, "type": "SCALAR", "scalar": {"value": value},
                "allocation_info": offer["allocation_info"]})
        };
        let task = json!({"name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"],
            "command": {"value": command}, "resources": [scalar("cpus", 0.1), scalar("mem", 32.0)]});
        let accept = json!({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task]}}]}});
        assert_eq!(self.call(accept).status, 202);
        loop {
            let status = self.hear("UPDATE")["status"].clone();
            match status["state"].as_str().unwrap() {
                "TASK_RUNNING" => return,
                "TASK_STARTING" => {
                    let acknowledge = json!({"agent_id": status["agent_id"],
                        "task_id": status["task_id"], "uuid": status["uuid"]});
                    self.call(json!({"type": "ACKNOWLEDGE", "acknowledge": acknowledge}));
                }
                state => panic!("{state}: {status}"),
            }
        }
    }
}
