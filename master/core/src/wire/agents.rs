//! The link of an agent: its messages from the wire, and the master's to it.

use tepui_model::{AgentInfo, FrameworkId, FrameworkInfo, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{
    services::{self, AgentMessage, MasterMessage, agent_message, master_message},
    v1,
};

use super::{In, InvalidMessage, duration_info};
use crate::{
    effects::AgentCommand,
    events::{ConnectionId, Event, KnownTask, Registration},
    limits,
};

/// What an agent says.
#[derive(Clone, Debug)]
pub enum AgentReport {
    /// It registers.
    Register(Box<Registration>),
    /// It answers a ping.
    Pong,
    /// The state of a task changed.
    Update {
        /// Whose task it is.
        framework_id: FrameworkId,
        /// The update.
        status: Box<TaskStatus>,
        /// The newest state.
        latest_state: TaskState,
    },
    /// It stops for good.
    Unregister,
}

impl AgentReport {
    /// The event that it is on this stream.
    #[must_use]
    pub fn into_event(self, connection: ConnectionId) -> Event {
        match self {
            Self::Register(registration) => Event::RegisterAgent {
                connection,
                registration,
            },
            Self::Pong => Event::AgentPong { connection },
            Self::Update {
                framework_id,
                status,
                latest_state,
            } => Event::AgentUpdate {
                connection,
                framework_id,
                status,
                latest_state,
            },
            Self::Unregister => Event::AgentUnregister { connection },
        }
    }
}

impl TryFrom<AgentMessage> for AgentReport {
    type Error = InvalidMessage;

    fn try_from(wire: AgentMessage) -> Result<Self, InvalidMessage> {
        use agent_message::Message;
        match wire.message {
            None => Err(InvalidMessage::missing("message")),
            Some(Message::Register(register)) => {
                Registration::try_from(register).map(|register| Self::Register(Box::new(register)))
            }
            Some(Message::Pong(_)) => Ok(Self::Pong),
            Some(Message::StatusUpdate(update)) => status_update(update),
            // This master sends no operations.
            Some(Message::OperationUpdate(_)) => Err(InvalidMessage::missing("message")),
            Some(Message::Unregister(_)) => Ok(Self::Unregister),
        }
    }
}

fn status_update(wire: services::StatusUpdate) -> Result<AgentReport, InvalidMessage> {
    const STATUS: &str = "status_update.status";
    let status = wire.status.ok_or_else(|| InvalidMessage::missing(STATUS))?;
    let status = TaskStatus::try_from(status).in_field(STATUS)?;
    let latest = v1::TaskState::try_from(wire.latest_state);
    Ok(AgentReport::Update {
        framework_id: framework_id(wire.framework_id.as_ref(), "status_update.framework_id")?,
        status: Box::new(status),
        latest_state: TaskState::from(latest.in_field("status_update.latest_state")?),
    })
}

fn framework_id(
    wire: Option<&v1::FrameworkId>,
    field: &str,
) -> Result<FrameworkId, InvalidMessage> {
    let id = wire.ok_or_else(|| InvalidMessage::missing(field))?;
    FrameworkId::try_from(id).in_field(field)
}

impl TryFrom<services::Register> for Registration {
    type Error = InvalidMessage;

    fn try_from(wire: services::Register) -> Result<Self, InvalidMessage> {
        let count = wire.tasks.len();
        if count > limits::MAX_TASKS_PER_REGISTRATION {
            let problem = format!(
                "has {count} items, {} are allowed",
                limits::MAX_TASKS_PER_REGISTRATION
            );
            return Err(InvalidMessage::new("register.tasks", problem));
        }
        let info = wire
            .agent
            .ok_or_else(|| InvalidMessage::missing("register.agent"))?;
        let frameworks = wire.frameworks.into_iter().map(FrameworkInfo::try_from);
        let capabilities = wire
            .capabilities
            .iter()
            .map(v1::agent_info::Capability::r#type);
        Ok(Self {
            info: AgentInfo::try_from(info).in_field("register.agent")?,
            version: wire.version,
            capabilities: capabilities.collect(),
            tasks: wire
                .tasks
                .into_iter()
                .map(known_task)
                .collect::<Result<_, _>>()?,
            frameworks: frameworks
                .collect::<Result<_, _>>()
                .in_field("register.frameworks")?,
            // Only the shell knows where the stream comes from.
            ip: None,
        })
    }
}

fn known_task(wire: services::KnownTask) -> Result<KnownTask, InvalidMessage> {
    const TASK: &str = "register.tasks.task";
    const LATEST: &str = "register.tasks.latest";
    let task = wire.task.ok_or_else(|| InvalidMessage::missing(TASK))?;
    let latest = wire.latest.ok_or_else(|| InvalidMessage::missing(LATEST))?;
    Ok(KnownTask {
        framework_id: framework_id(wire.framework_id.as_ref(), "register.tasks.framework_id")?,
        task: TaskInfo::try_from(task).in_field(TASK)?,
        latest: TaskStatus::try_from(latest).in_field(LATEST)?,
    })
}

impl From<AgentCommand> for MasterMessage {
    fn from(command: AgentCommand) -> Self {
        Self {
            message: Some(message(command)),
        }
    }
}

fn message(command: AgentCommand) -> master_message::Message {
    use master_message::Message;
    match command {
        AgentCommand::Registered {
            agent_id,
            master,
            silence_limit,
        } => Message::Registered(services::Registered {
            agent_id: Some(agent_id.into()),
            master: Some(v1::MasterInfo::clone(&master)),
            silence_limit: Some(duration_info(silence_limit)),
        }),
        AgentCommand::Refused {
            message,
            forget_identity,
            shut_down,
        } => Message::Refused(services::Refused {
            message,
            forget_identity,
            shut_down,
        }),
        AgentCommand::Ping => Message::Ping(services::Ping {}),
        AgentCommand::RunTask { framework, task } => Message::RunTask(services::RunTask {
            framework: Some(v1::FrameworkInfo::clone(&framework)),
            task: Some(v1::TaskInfo::clone(&task)),
        }),
        AgentCommand::KillTask {
            framework_id,
            task_id,
            grace,
        } => {
            let grace_period = grace.map(duration_info);
            Message::KillTask(services::KillTask {
                framework_id: Some(framework_id.into()),
                task_id: Some(task_id.into()),
                kill_policy: grace_period.map(|grace| v1::KillPolicy {
                    grace_period: Some(grace),
                }),
            })
        }
        AgentCommand::Acknowledge {
            framework_id,
            task_id,
            uuid,
        } => Message::Acknowledge(services::Acknowledge {
            framework_id: Some(framework_id.into()),
            task_id: Some(task_id.into()),
            uuid: uuid.to_vec(),
        }),
        AgentCommand::ShutdownFramework { framework_id } => {
            Message::ShutdownFramework(services::ShutdownFramework {
                framework_id: Some(framework_id.into()),
            })
        }
        AgentCommand::Drain {
            max_grace_period,
            mark_gone,
        } => Message::Drain(services::Drain {
            max_grace_period: max_grace_period.map(duration_info),
            mark_gone,
        }),
    }
}

#[cfg(test)]
mod tests;
