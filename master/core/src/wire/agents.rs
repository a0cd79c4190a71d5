//! The link of an agent: its messages from the wire, and the master's to it.

use core::time::Duration;
use std::sync::Arc;

use tepui_model::{
    AgentCapabilities, AgentInfo, ExecutorId, FrameworkId, FrameworkInfo, ImageNames, Kind,
    Quantity, Resources, StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::{
    services::{self, AgentMessage, MasterMessage, agent_message, master_message},
    v1,
};

use super::{In, InvalidMessage, at_most, duration_info};
use crate::{
    effects::AgentCommand,
    events::{ConnectionId, Event, KnownExecutor, KnownOperation, KnownTask, Registration},
    limits,
    operations::{OperationStatus, OperationUuid},
};

/// What an agent says.
#[derive(Clone, Debug)]
pub enum AgentReport {
    /// It registers.
    Register(Box<Registration>),
    /// It answers a ping.
    Pong,
    /// It has other images than before.
    Images(ImageNames),
    /// The state of a task changed.
    Update {
        /// Whose task it is.
        framework_id: FrameworkId,
        /// The update.
        status: Box<TaskStatus>,
        /// The newest state.
        latest_state: TaskState,
    },
    /// What became of an operation.
    Operation {
        /// Which.
        uuid: OperationUuid,
        /// The news.
        status: Box<OperationStatus>,
    },
    /// An executor takes nothing any more.
    ExecutorExited {
        /// Whose it was.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
        /// How its process ended, as wait(2) has it; none when there never was one.
        status: Option<i32>,
    },
    /// Words of an executor.
    ExecutorMessage {
        /// For its framework.
        framework_id: FrameworkId,
        /// By whom.
        executor_id: ExecutorId,
        /// What it says.
        data: Vec<u8>,
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
            Self::Images(images) => Event::AgentImages { connection, images },
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
            Self::Operation { uuid, status } => Event::AgentOperation {
                connection,
                uuid,
                status,
            },
            Self::ExecutorExited {
                framework_id,
                executor_id,
                status,
            } => Event::ExecutorExited {
                connection,
                framework_id,
                executor_id,
                status,
            },
            Self::ExecutorMessage {
                framework_id,
                executor_id,
                data,
            } => Event::ExecutorMessage {
                connection,
                framework_id,
                executor_id,
                data,
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
            Some(Message::Images(images)) => Ok(Self::Images(ImageNames::new(images.names))),
            Some(Message::StatusUpdate(update)) => status_update(update),
            Some(Message::OperationUpdate(update)) => operation_update(&update),
            Some(Message::ExecutorExited(exited)) => Ok(Self::ExecutorExited {
                framework_id: framework_id(exited.framework_id.as_ref(), "framework_id")?,
                executor_id: executor_id(exited.executor_id.as_ref(), "executor_id")?,
                status: exited.status,
            }),
            Some(Message::ExecutorMessage(message)) => Ok(Self::ExecutorMessage {
                framework_id: framework_id(message.framework_id.as_ref(), "framework_id")?,
                executor_id: executor_id(message.executor_id.as_ref(), "executor_id")?,
                data: message.data,
            }),
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

fn operation_update(wire: &services::OperationUpdate) -> Result<AgentReport, InvalidMessage> {
    const STATUS: &str = "operation_update.status";
    let status = wire.status.as_ref();
    let status = status.ok_or_else(|| InvalidMessage::missing(STATUS))?;
    let uuid = OperationUuid::try_from(wire.operation_uuid.as_slice());
    Ok(AgentReport::Operation {
        uuid: uuid.in_field("operation_update.operation_uuid")?,
        status: Box::new(OperationStatus::try_from(status).in_field(STATUS)?),
    })
}

fn framework_id(
    wire: Option<&v1::FrameworkId>,
    field: &str,
) -> Result<FrameworkId, InvalidMessage> {
    let id = wire.ok_or_else(|| InvalidMessage::missing(field))?;
    FrameworkId::try_from(id).in_field(field)
}

fn executor_id(wire: Option<&v1::ExecutorId>, field: &str) -> Result<ExecutorId, InvalidMessage> {
    let id = wire.ok_or_else(|| InvalidMessage::missing(field))?;
    ExecutorId::try_from(id).in_field(field)
}

impl TryFrom<services::Register> for Registration {
    type Error = InvalidMessage;

    fn try_from(wire: services::Register) -> Result<Self, InvalidMessage> {
        let (tasks, operations) = (wire.tasks.len(), wire.operations.len());
        at_most(tasks, limits::MAX_TASKS_PER_REGISTRATION, "register.tasks")?;
        at_most(
            operations,
            limits::MAX_OPERATIONS_PER_REGISTRATION,
            "register.operations",
        )?;
        at_most(
            wire.executors.len(),
            limits::MAX_EXECUTORS_PER_REGISTRATION,
            "register.executors",
        )?;
        let info = wire
            .agent
            .ok_or_else(|| InvalidMessage::missing("register.agent"))?;
        let info = AgentInfo::try_from(info).in_field("register.agent")?;
        check_size(&info.resources).in_field("register.agent.resources")?;
        let frameworks = wire.frameworks.into_iter().map(FrameworkInfo::try_from);
        Ok(Self {
            info,
            version: wire.version,
            capabilities: AgentCapabilities::from(wire.capabilities.as_slice()),
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
            operations: wire
                .operations
                .into_iter()
                .map(known_operation)
                .collect::<Result<_, _>>()?,
            executors: wire
                .executors
                .into_iter()
                .map(known_executor)
                .collect::<Result<_, _>>()?,
            images: ImageNames::new(wire.images.unwrap_or_default().names),
        })
    }
}

/// An agent that claims more than any machine has would take every fair share out of proportion.
fn check_size(resources: &Resources) -> Result<(), String> {
    let most = [
        (Kind::Cpus, limits::MAX_AGENT_CPUS),
        (Kind::Gpus, limits::MAX_AGENT_GPUS),
        (Kind::Memory, limits::MAX_AGENT_MEMORY_MEGABYTES),
    ];
    for (kind, most) in most {
        let claimed = resources.scalar(&kind);
        if claimed > Quantity::from_units(most) {
            return Err(format!(
                "{kind}:{claimed} is more than one machine can have, which is {most}"
            ));
        }
    }
    Ok(())
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

fn known_executor(wire: services::KnownExecutor) -> Result<KnownExecutor, InvalidMessage> {
    const EXECUTOR: &str = "register.executors.executor";
    const FRAMEWORK: &str = "register.executors.framework_id";
    let info = wire.executor;
    let info = info.ok_or_else(|| InvalidMessage::missing(EXECUTOR))?;
    Ok(KnownExecutor {
        framework_id: framework_id(wire.framework_id.as_ref(), FRAMEWORK)?,
        executor_id: executor_id(Some(&info.executor_id), EXECUTOR)?,
        info: Arc::new(info),
    })
}

fn known_operation(wire: services::KnownOperation) -> Result<KnownOperation, InvalidMessage> {
    const INFO: &str = "register.operations.info";
    const LATEST: &str = "register.operations.latest";
    let info = wire.info.ok_or_else(|| InvalidMessage::missing(INFO))?;
    let latest = wire.latest.ok_or_else(|| InvalidMessage::missing(LATEST))?;
    let owner = wire.framework_id.as_ref().map(FrameworkId::try_from);
    let uuid = OperationUuid::try_from(wire.operation_uuid.as_slice());
    Ok(KnownOperation {
        framework_id: owner
            .transpose()
            .in_field("register.operations.framework_id")?,
        uuid: uuid.in_field("register.operations.operation_uuid")?,
        operation: Box::new(info),
        latest: OperationStatus::try_from(&latest).in_field(LATEST)?,
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
        AgentCommand::RunTask {
            framework,
            task,
            launch_executor,
        } => run_task(&framework, &task, launch_executor),
        AgentCommand::RunGroup {
            framework,
            tasks,
            launch_executor,
        } => run_group(&framework, &tasks, launch_executor),
        AgentCommand::KillTask {
            framework_id,
            task_id,
            grace,
            preempted,
        } => Message::KillTask(kill_task(framework_id, task_id, grace, preempted)),
        AgentCommand::Acknowledge {
            framework_id,
            task_id,
            uuid,
        } => acknowledge(framework_id, task_id, uuid),
        AgentCommand::ApplyOperation {
            framework_id,
            uuid,
            operation,
        } => apply_operation(framework_id, uuid, *operation),
        AgentCommand::AcknowledgeOperation { uuid, status_uuid } => {
            acknowledge_operation(uuid, status_uuid)
        }
        AgentCommand::Drain {
            max_grace_period,
            mark_gone,
        } => Message::Drain(services::Drain {
            max_grace_period: max_grace_period.map(duration_info),
            mark_gone,
        }),
        AgentCommand::ShutdownFramework { framework_id } => shutdown_framework(framework_id),
        AgentCommand::ShutdownExecutor {
            framework_id,
            executor_id,
        } => shutdown_executor(framework_id, executor_id),
        AgentCommand::ExecutorMessage {
            framework_id,
            executor_id,
            data,
        } => executor_message(framework_id, executor_id, data),
    }
}

fn shutdown_framework(framework_id: FrameworkId) -> master_message::Message {
    master_message::Message::ShutdownFramework(services::ShutdownFramework {
        framework_id: Some(framework_id.into()),
    })
}

fn shutdown_executor(
    framework_id: FrameworkId,
    executor_id: ExecutorId,
) -> master_message::Message {
    master_message::Message::ShutdownExecutor(services::ShutdownExecutor {
        framework_id: Some(framework_id.into()),
        executor_id: Some(executor_id.into()),
    })
}

fn executor_message(
    framework_id: FrameworkId,
    executor_id: ExecutorId,
    data: Vec<u8>,
) -> master_message::Message {
    master_message::Message::ExecutorMessage(services::ExecutorMessage {
        framework_id: Some(framework_id.into()),
        executor_id: Some(executor_id.into()),
        data,
    })
}

fn acknowledge(
    framework_id: FrameworkId,
    task_id: TaskId,
    uuid: StatusUuid,
) -> master_message::Message {
    master_message::Message::Acknowledge(services::Acknowledge {
        framework_id: Some(framework_id.into()),
        task_id: Some(task_id.into()),
        uuid: uuid.to_vec(),
    })
}

fn run_group(
    framework: &v1::FrameworkInfo,
    tasks: &[Arc<v1::TaskInfo>],
    launch_executor: bool,
) -> master_message::Message {
    master_message::Message::RunGroup(services::RunGroup {
        framework: Some(framework.clone()),
        tasks: tasks.iter().map(|task| v1::TaskInfo::clone(task)).collect(),
        launch_executor,
    })
}

fn run_task(
    framework: &v1::FrameworkInfo,
    task: &v1::TaskInfo,
    launch_executor: bool,
) -> master_message::Message {
    master_message::Message::RunTask(services::RunTask {
        framework: Some(framework.clone()),
        task: Some(task.clone()),
        launch_executor,
    })
}

fn kill_task(
    framework_id: FrameworkId,
    task_id: TaskId,
    grace: Option<Duration>,
    preempted: Option<Arc<str>>,
) -> services::KillTask {
    services::KillTask {
        framework_id: Some(framework_id.into()),
        task_id: Some(task_id.into()),
        kill_policy: grace.map(kill_policy),
        preempted: preempted.as_deref().map(str::to_owned),
    }
}

fn kill_policy(grace: Duration) -> v1::KillPolicy {
    v1::KillPolicy {
        grace_period: Some(duration_info(grace)),
    }
}

fn apply_operation(
    framework_id: Option<FrameworkId>,
    uuid: OperationUuid,
    operation: v1::offer::Operation,
) -> master_message::Message {
    master_message::Message::ApplyOperation(services::ApplyOperation {
        framework_id: framework_id.map(Into::into),
        info: Some(operation),
        operation_uuid: uuid.to_vec(),
    })
}

fn acknowledge_operation(uuid: OperationUuid, status_uuid: StatusUuid) -> master_message::Message {
    master_message::Message::AcknowledgeOperation(services::AcknowledgeOperation {
        operation_uuid: uuid.to_vec(),
        status_uuid: status_uuid.to_vec(),
    })
}

#[cfg(test)]
mod tests;
