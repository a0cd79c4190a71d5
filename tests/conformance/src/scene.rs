//! A cluster of the real binary in which there is one of everything that is shown of clusters: a
//! command that runs and one that has ended, a custom executor, frameworks that are there and gone.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tepui_cluster_tests::Cluster;

use crate::{
    executors::{self, Executor, scalar},
    http,
    roads::{Framework, Road, user},
    stage::Place,
};

/// Such a cluster.
pub struct Scene {
    master: Place,
    pub agent: SocketAddr,
    /// The framework that is there.
    pub framework: String,
    /// The container of its command, `long`.
    pub container: String,
    // They end before the cluster does.
    _framework: Framework,
    _executor: Executor,
    _cluster: Cluster,
}

/// As frameworks describe themselves that have one role.
fn old_info() -> Value {
    json!({"user": user(), "name": "example", "failover_timeout": 100.0, "checkpoint": false,
        "hostname": "localhost", "webui_url": "http://localhost:1/",
        "capabilities": [{"type": "GPU_RESOURCES"}]})
}

/// And those that may have many.
fn new_info() -> Value {
    json!({"user": user(), "name": "example", "roles": ["*"], "capabilities": [
        {"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}, {"type": "REGION_AWARE"}]})
}

/// A task that ends at once.
fn short() -> Value {
    json!({"name": "short", "task_id": {"value": "short"}, "command": {"value": "true"},
        "container": {"type": "MESOS"}, "labels": {},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32.0)]})
}

/// A task that goes on, and says where it is to be found.
fn long(port: &Value) -> Value {
    let ports = json!({"name": "ports", "type": "RANGES",
        "ranges": {"range": [{"begin": port, "end": port}]}});
    json!({"name": "long", "task_id": {"value": "long"}, "command": {"value": "sleep 1000"},
        "labels": {"labels": [{"key": "a", "value": "b"}]},
        "discovery": {"visibility": "CLUSTER", "name": "example", "ports": {"ports":
            [{"number": port, "name": "http", "protocol": "tcp"}]}},
        "resources": [scalar("cpus", 0.1), scalar("mem", 64.0), ports]})
}

fn first_port(offer: &Value) -> &Value {
    let resources = offer["resources"].as_array().unwrap();
    let ports = resources.iter().find(|it| it["name"] == "ports").unwrap();
    &ports["ranges"]["range"][0]["begin"]
}

impl Scene {
    pub async fn set() -> Self {
        let cluster = Cluster::start(1);
        let address = cluster.master.address().parse().unwrap();
        let agent = cluster.agents[0].address().parse().unwrap();
        let master = Place {
            address,
            id: String::new(),
        };
        for info in [new_info(), old_info()] {
            come_and_go(&master, &info).await;
        }
        let mut framework = Framework::subscribe_as(&master, Road::Json, &old_info()).await;
        let offer = framework.offer(|_| true).await;
        let tasks = vec![long(first_port(&offer)), executors::task("t")];
        framework.launch(&offer, tasks).await;
        let executor = Executor::subscribe(agent, Road::Json, &framework.id).await;
        let update = executors::update("t", "TASK_RUNNING", 1);
        executor.say(&update).await.unwrap();
        let mut container = String::new();
        let mut waiting = vec!["long", "t"];
        while !waiting.is_empty() {
            let runs = |status: &Value| status["state"] == "TASK_RUNNING";
            let events = framework.hear(runs).await;
            let last = &events.last().unwrap()["update"]["status"];
            waiting.retain(|task| last["task_id"]["value"] != *task);
            if last["task_id"]["value"] == "long" {
                let id = &last["container_status"]["container_id"]["value"];
                container = id.as_str().unwrap().to_owned();
            }
        }
        Self {
            master,
            agent,
            framework: framework.id.clone(),
            container,
            _framework: framework,
            _executor: executor,
            _cluster: cluster,
        }
    }

    /// What a real Mesos answered under that name, asked of this cluster. `None` if the answer is
    /// no JSON.
    pub async fn answer(&self, name: &str) -> Option<Value> {
        let (of, what) = name.split_once('-').unwrap();
        let path = format!("/{what}");
        let answer = match of {
            "op" => {
                let headers = [("Content-Type", "application/json")];
                let call = json!({"type": what}).to_string();
                http::post(self.master.address, "/api/v1", &headers, call.as_bytes()).await
            }
            "master" => http::get(self.master.address, &path).await,
            _ => http::get(self.agent, &path).await,
        };
        serde_json::from_slice(&answer.body().await).ok()
    }
}

/// A framework that runs one task and is removed.
async fn come_and_go(master: &Place, info: &Value) {
    let mut framework = Framework::subscribe_as(master, Road::Json, info).await;
    let offer = framework.offer(|_| true).await;
    framework.launch(&offer, vec![short()]).await;
    let ended = |status: &Value| status["state"] == "TASK_FINISHED";
    framework.hear(ended).await;
    framework.say(&json!({"type": "TEARDOWN"})).await.unwrap();
    while framework.event().await.is_some() {}
}
