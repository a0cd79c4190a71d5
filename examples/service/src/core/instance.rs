//! One instance of an app: a task and what is known of it.

use tepui_sdk::model::{AgentId, TaskId, Time};

use crate::{api, spec::AppName};

/// How far an instance has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Launched; nothing heard of it yet.
    Launching,
    Running,
    /// To be killed: more run than are wanted, or another version is wanted.
    Ending,
}

/// Whether an instance is well, as its agent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing was said yet.
    Unchecked,
    /// Its check passes.
    Healthy,
    /// It does not.
    Failing,
}

#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) version: u64,
    pub(crate) agent_id: AgentId,
    pub(crate) hostname: String,
    /// Name and number.
    pub(crate) ports: Vec<(String, u16)>,
    pub(crate) launched: Time,
    pub(crate) life: Life,
    /// Of a running instance of an app with a health check.
    pub(crate) health: Option<Health>,
    /// The last thing that was said of it.
    pub(crate) message: String,
}

impl Instance {
    /// Whether it counts as one of the replicas.
    pub(crate) fn is_alive(&self) -> bool {
        self.life != Life::Ending
    }

    /// Whether it does its work: it runs and, if it is checked, passes.
    pub(crate) fn is_ready(&self) -> bool {
        self.life == Life::Running && self.health.is_none_or(|health| health == Health::Healthy)
    }

    /// The order in which surplus instances end: failing before launching before ready.
    pub(crate) fn worth(&self) -> u8 {
        match self.health {
            Some(Health::Failing) => 0,
            _ if self.life == Life::Launching => 1,
            _ if !self.is_ready() => 2,
            _ => 3,
        }
    }

    /// As the API shows it and the store keeps it.
    pub(crate) fn to_wire(&self, id: &TaskId) -> api::Instance {
        let port = |(name, number): &(String, u16)| api::Port {
            name: name.clone(),
            number: u32::from(*number),
        };
        let state = match self.life {
            Life::Launching => api::instance::State::Launching,
            Life::Running => api::instance::State::Running,
            Life::Ending => api::instance::State::Ending,
        };
        let health = match self.health {
            None | Some(Health::Unchecked) => api::instance::Health::Unchecked,
            Some(Health::Healthy) => api::instance::Health::Healthy,
            Some(Health::Failing) => api::instance::Health::Unhealthy,
        };
        api::Instance {
            task_id: id.to_string(),
            agent_id: self.agent_id.to_string(),
            hostname: self.hostname.clone(),
            ports: self.ports.iter().map(port).collect(),
            version: self.version,
            state: state.into(),
            health: health.into(),
            launched_ms: self.launched.as_micros() / 1_000,
            message: self.message.clone(),
        }
    }

    /// Reads a stored instance. Whether it runs is asked of the master, not remembered; that it was
    /// to end is remembered.
    pub(crate) fn from_wire(wire: api::Instance) -> Option<Self> {
        let ending = wire.state() == api::instance::State::Ending;
        let port = |port: api::Port| Some((port.name, u16::try_from(port.number).ok()?));
        Some(Self {
            version: wire.version,
            agent_id: AgentId::new(&wire.agent_id).ok()?,
            hostname: wire.hostname,
            ports: wire.ports.into_iter().map(port).collect::<Option<_>>()?,
            launched: Time::from_micros(wire.launched_ms.saturating_mul(1_000)),
            life: if ending {
                Life::Ending
            } else {
                Life::Launching
            },
            health: None,
            message: wire.message,
        })
    }
}

/// The id of the instance's task: `web.17`.
pub(crate) fn task_id(app: &AppName, number: u64) -> Option<TaskId> {
    TaskId::new(format!("{app}.{number}")).ok()
}

/// The app and the number in a task id of this framework.
pub(crate) fn parse_task_id(id: &TaskId) -> Option<(&str, u64)> {
    let (app, number) = id.as_str().rsplit_once('.')?;
    Some((app, number.parse().ok()?))
}
