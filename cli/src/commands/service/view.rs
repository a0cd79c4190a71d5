//! Apps as they are shown: the same for tables and for JSON.

use serde::Serialize;
use tepui_service::api::{self, instance};

/// An app and how it fares.
#[derive(Debug, Serialize)]
pub(super) struct App {
    name: String,
    version: u64,
    wanted: u32,
    running: u32,
    ready: u32,
    up_to_date: u32,
    waiting: String,
    pub(super) instances: Vec<Instance>,
}

/// One instance of an app.
#[derive(Debug, Serialize)]
pub(super) struct Instance {
    task_id: String,
    agent_id: String,
    hostname: String,
    ports: Vec<Port>,
    version: u64,
    state: &'static str,
    health: &'static str,
    launched_ms: u64,
    message: String,
}

#[derive(Debug, Serialize)]
struct Port {
    name: String,
    number: u32,
}

impl From<api::AppStatus> for App {
    fn from(status: api::AppStatus) -> Self {
        let wanted = status.app.unwrap_or_default();
        Self {
            name: wanted.name,
            version: status.version,
            wanted: wanted.replicas,
            running: status.running,
            ready: status.ready,
            up_to_date: status.up_to_date,
            waiting: status.waiting,
            instances: status.instances.into_iter().map(Instance::from).collect(),
        }
    }
}

impl App {
    /// Whether as many instances of the newest version are ready as are wanted.
    pub(super) fn is_ready(&self) -> bool {
        self.up_to_date >= self.wanted
    }

    /// How it fares, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let Self {
            name,
            version,
            wanted,
            running,
            ready,
            waiting,
            ..
        } = self;
        let counts =
            format!("{name} (version {version}): {ready} of {wanted} ready, {running} running");
        if waiting.is_empty() {
            counts
        } else {
            format!("{counts}; waiting: {waiting}")
        }
    }

    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.wanted.to_string(),
            self.running.to_string(),
            self.ready.to_string(),
            self.version.to_string(),
            self.waiting.clone(),
        ]
    }
}

impl From<api::Instance> for Instance {
    fn from(it: api::Instance) -> Self {
        let state = match it.state() {
            instance::State::Launching => "launching",
            instance::State::Running => "running",
            instance::State::Ending => "ending",
        };
        let health = match it.health() {
            instance::Health::Unchecked => "unchecked",
            instance::Health::Healthy => "healthy",
            instance::Health::Unhealthy => "unhealthy",
        };
        let port = |port: api::Port| Port {
            name: port.name,
            number: port.number,
        };
        Self {
            task_id: it.task_id,
            agent_id: it.agent_id,
            hostname: it.hostname,
            ports: it.ports.into_iter().map(port).collect(),
            version: it.version,
            state,
            health,
            launched_ms: it.launched_ms,
            message: it.message,
        }
    }
}

impl Instance {
    pub(super) fn row(&self) -> Vec<String> {
        let address = |port: &Port| format!("{}={}:{}", port.name, self.hostname, port.number);
        let addresses = match self.ports.as_slice() {
            [] => self.hostname.clone(),
            ports => ports.iter().map(address).collect::<Vec<_>>().join(" "),
        };
        vec![
            self.task_id.clone(),
            self.state.to_owned(),
            self.health.to_owned(),
            addresses,
            self.agent_id.clone(),
            self.message.clone(),
        ]
    }
}
