//! What a master says to an agent, checked where it enters.

use core::time::Duration;

use tepui_model::{
    AgentId, ExecutorId, FrameworkId, FrameworkInfo, InvalidId, StatusUuid, TaskId, TaskInfo,
};
use tepui_proto::{services, v1};

use crate::{ExecutorKey, OperationUuid};

/// What a master says to an agent.
#[derive(Clone, Debug)]
pub enum MasterCommand {
    /// The agent belongs to the cluster, under this id.
    Registered {
        /// The agent's id, new or as it was.
        agent_id: AgentId,
        /// The agent takes the link for dead after this long without a message.
        silence_limit: Duration,
    },
    /// The master will not have this agent.
    Refused {
        /// Why, for the operator.
        message: String,
        /// Whether the agent must end its tasks and register anew, without its id.
        forget_identity: bool,
        /// Whether the program must end instead of registering anew.
        shut_down: bool,
    },
    /// Are you there?
    Ping,
    /// Start a task.
    RunTask {
        /// Its framework, with an id.
        framework: Box<FrameworkInfo>,
        /// The task.
        task: Box<TaskInfo>,
        /// Whether its executor, if it has one, is to be started for it.
        launch_executor: bool,
    },
    /// Start tasks together or not at all.
    RunGroup {
        /// Their framework, with an id.
        framework: Box<FrameworkInfo>,
        /// The tasks, each with the same executor.
        tasks: Vec<TaskInfo>,
        /// Whether the executor is to be started for them.
        launch_executor: bool,
    },
    /// End an executor, with all its tasks.
    ShutdownExecutor {
        /// The executor.
        executor: ExecutorKey,
    },
    /// Pass words of its framework to an executor.
    ExecutorMessage {
        /// The executor.
        executor: ExecutorKey,
        /// The words.
        data: Vec<u8>,
    },
    /// End a task.
    KillTask {
        /// Its framework.
        framework_id: FrameworkId,
        /// The task.
        task_id: TaskId,
        /// How long it has between SIGTERM and SIGKILL; the task's own policy when unset.
        grace: Option<Duration>,
        /// By whom and for what it is preempted, if it is.
        preempted: Option<String>,
    },
    /// The framework has acted on an update.
    Acknowledge {
        /// The framework.
        framework_id: FrameworkId,
        /// The task.
        task_id: TaskId,
        /// The update.
        uuid: StatusUuid,
    },
    /// Change the nature of resources.
    ApplyOperation {
        /// Whose wish it is; an operator's if unset.
        framework_id: Option<FrameworkId>,
        /// The master's name for it.
        uuid: OperationUuid,
        /// What to do.
        operation: Box<v1::offer::Operation>,
    },
    /// Somebody has acted on the end of an operation.
    AcknowledgeOperation {
        /// The operation.
        uuid: OperationUuid,
        /// The status that told its end.
        status_uuid: StatusUuid,
    },
    /// The framework is gone: end its tasks, and tell nobody.
    ShutdownFramework {
        /// The framework.
        framework_id: FrameworkId,
    },
    /// End every task, and start none until the last is forgotten.
    Drain {
        /// The longest that a task gets between SIGTERM and SIGKILL.
        max_grace_period: Option<Duration>,
        /// Whether the agent will not come back.
        mark_gone: bool,
    },
}

/// Why a message is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// It says nothing this program knows.
    #[error("the master sent a message of a kind that this agent does not know")]
    Unknown,
    /// A required field is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A field holds no id.
    #[error("{field}: {source}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: InvalidId,
    },
    /// A field is wrong in another way.
    #[error("{field}: {message}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl TryFrom<services::MasterMessage> for MasterCommand {
    type Error = InvalidCommand;

    fn try_from(wire: services::MasterMessage) -> Result<Self, InvalidCommand> {
        use services::master_message::Message;
        match wire.message.ok_or(InvalidCommand::Unknown)? {
            Message::Registered(registered) => Ok(Self::Registered {
                agent_id: agent_id(registered.agent_id.as_ref())?,
                silence_limit: span("silence_limit", registered.silence_limit.as_ref())?
                    .ok_or(InvalidCommand::Missing("silence_limit"))?,
            }),
            Message::Refused(refused) => Ok(Self::Refused {
                message: refused.message,
                forget_identity: refused.forget_identity,
                shut_down: refused.shut_down,
            }),
            Message::Ping(_) => Ok(Self::Ping),
            Message::RunTask(run) => run_task(run),
            Message::RunGroup(run) => run_group(run),
            Message::KillTask(kill) => Ok(Self::KillTask {
                framework_id: framework_id(kill.framework_id.as_ref())?,
                task_id: task_id(kill.task_id.as_ref())?,
                grace: span(
                    "kill_policy.grace_period",
                    kill.kill_policy
                        .and_then(|policy| policy.grace_period)
                        .as_ref(),
                )?,
                preempted: kill.preempted,
            }),
            Message::Acknowledge(acknowledge) => Ok(Self::Acknowledge {
                framework_id: framework_id(acknowledge.framework_id.as_ref())?,
                task_id: task_id(acknowledge.task_id.as_ref())?,
                uuid: StatusUuid::try_from(acknowledge.uuid.as_slice())
                    .map_err(|error| field("uuid", error))?,
            }),
            Message::ShutdownFramework(shutdown) => Ok(Self::ShutdownFramework {
                framework_id: framework_id(shutdown.framework_id.as_ref())?,
            }),
            Message::ShutdownExecutor(shutdown) => Ok(Self::ShutdownExecutor {
                executor: executor_key(
                    shutdown.framework_id.as_ref(),
                    shutdown.executor_id.as_ref(),
                )?,
            }),
            Message::ExecutorMessage(message) => Ok(Self::ExecutorMessage {
                executor: executor_key(
                    message.framework_id.as_ref(),
                    message.executor_id.as_ref(),
                )?,
                data: message.data,
            }),
            Message::ApplyOperation(apply) => apply_operation(apply),
            Message::AcknowledgeOperation(acknowledge) => Ok(Self::AcknowledgeOperation {
                uuid: operation_uuid(&acknowledge.operation_uuid)?,
                status_uuid: StatusUuid::try_from(acknowledge.status_uuid.as_slice())
                    .map_err(|error| field("status_uuid", error))?,
            }),
            Message::Drain(drain) => Ok(Self::Drain {
                max_grace_period: span("max_grace_period", drain.max_grace_period.as_ref())?,
                mark_gone: drain.mark_gone,
            }),
        }
    }
}

fn apply_operation(wire: services::ApplyOperation) -> Result<MasterCommand, InvalidCommand> {
    let named = wire.framework_id.as_ref();
    let framework_id = named.map(|id| framework_id(Some(id))).transpose()?;
    // What it asks for is checked where it is done, so that its end can be told.
    let operation = wire.info.ok_or(InvalidCommand::Missing("info"))?;
    Ok(MasterCommand::ApplyOperation {
        framework_id,
        uuid: operation_uuid(&wire.operation_uuid)?,
        operation: Box::new(operation),
    })
}

fn operation_uuid(bytes: &[u8]) -> Result<OperationUuid, InvalidCommand> {
    OperationUuid::try_from(bytes).map_err(|error| field("operation_uuid", error))
}

fn run_task(wire: services::RunTask) -> Result<MasterCommand, InvalidCommand> {
    let framework = named_framework(wire.framework)?;
    let task = wire.task.ok_or(InvalidCommand::Missing("task"))?;
    let task = TaskInfo::try_from(task).map_err(|error| field("task", error))?;
    Ok(MasterCommand::RunTask {
        framework: Box::new(framework),
        task: Box::new(task),
        launch_executor: wire.launch_executor,
    })
}

fn run_group(wire: services::RunGroup) -> Result<MasterCommand, InvalidCommand> {
    let framework = named_framework(wire.framework)?;
    if wire.tasks.is_empty() {
        return Err(InvalidCommand::Missing("tasks"));
    }
    let tasks = wire.tasks.into_iter().map(TaskInfo::try_from);
    let tasks: Result<Vec<TaskInfo>, _> = tasks.collect();
    Ok(MasterCommand::RunGroup {
        framework: Box::new(framework),
        tasks: tasks.map_err(|error| field("tasks", error))?,
        launch_executor: wire.launch_executor,
    })
}

fn named_framework(wire: Option<v1::FrameworkInfo>) -> Result<FrameworkInfo, InvalidCommand> {
    let framework = wire.ok_or(InvalidCommand::Missing("framework"))?;
    let framework =
        FrameworkInfo::try_from(framework).map_err(|error| field("framework", error))?;
    match framework.id {
        Some(_) => Ok(framework),
        None => Err(InvalidCommand::Missing("framework.id")),
    }
}

fn executor_key(
    framework: Option<&v1::FrameworkId>,
    executor: Option<&v1::ExecutorId>,
) -> Result<ExecutorKey, InvalidCommand> {
    let executor = executor.ok_or(InvalidCommand::Missing("executor_id"))?;
    let executor = ExecutorId::try_from(executor).map_err(|source| InvalidCommand::Id {
        field: "executor_id",
        source,
    })?;
    Ok(ExecutorKey::new(&framework_id(framework)?, &executor))
}

fn field(field: &'static str, error: impl ToString) -> InvalidCommand {
    InvalidCommand::Field {
        field,
        message: error.to_string(),
    }
}

fn agent_id(wire: Option<&v1::AgentId>) -> Result<AgentId, InvalidCommand> {
    let wire = wire.ok_or(InvalidCommand::Missing("agent_id"))?;
    AgentId::try_from(wire).map_err(|source| InvalidCommand::Id {
        field: "agent_id",
        source,
    })
}

fn framework_id(wire: Option<&v1::FrameworkId>) -> Result<FrameworkId, InvalidCommand> {
    let wire = wire.ok_or(InvalidCommand::Missing("framework_id"))?;
    FrameworkId::try_from(wire).map_err(|source| InvalidCommand::Id {
        field: "framework_id",
        source,
    })
}

fn task_id(wire: Option<&v1::TaskId>) -> Result<TaskId, InvalidCommand> {
    let wire = wire.ok_or(InvalidCommand::Missing("task_id"))?;
    TaskId::try_from(wire).map_err(|source| InvalidCommand::Id {
        field: "task_id",
        source,
    })
}

/// A span of time from nanoseconds; one below zero is refused (Mesos: SPC-06).
pub(crate) fn span(
    name: &'static str,
    wire: Option<&v1::DurationInfo>,
) -> Result<Option<Duration>, InvalidCommand> {
    wire.map(|wire| {
        u64::try_from(wire.nanoseconds)
            .map(Duration::from_nanos)
            .map_err(|_| field(name, "a span of time must not be negative"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use services::{MasterMessage, master_message::Message};

    use super::*;

    fn refusal(message: Message) -> String {
        let wire = MasterMessage {
            message: Some(message),
        };
        MasterCommand::try_from(wire).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_names_the_field() {
        assert!(MasterCommand::try_from(MasterMessage { message: None }).is_err());
        let registered = services::Registered::default();
        assert_eq!(
            refusal(Message::Registered(registered)),
            "agent_id is not set"
        );
        let run = services::RunTask::default();
        assert_eq!(refusal(Message::RunTask(run)), "framework is not set");
        let kill = services::KillTask {
            framework_id: Some(v1::FrameworkId {
                value: "f".to_owned(),
            }),
            task_id: Some(v1::TaskId {
                value: "a/b".to_owned(),
            }),
            ..services::KillTask::default()
        };
        assert!(refusal(Message::KillTask(kill)).starts_with("task_id: "));
    }

    #[test]
    fn a_negative_grace_period_is_refused() {
        let grace_period = Some(v1::DurationInfo { nanoseconds: -1 });
        let kill = services::KillTask {
            framework_id: Some(v1::FrameworkId {
                value: "f".to_owned(),
            }),
            task_id: Some(v1::TaskId {
                value: "t".to_owned(),
            }),
            kill_policy: Some(v1::KillPolicy { grace_period }),
            preempted: None,
        };
        let text = refusal(Message::KillTask(kill));
        assert_eq!(
            text,
            "kill_policy.grace_period: a span of time must not be negative"
        );
    }

    #[test]
    fn an_acknowledgement_needs_a_whole_uuid() {
        let acknowledge = services::Acknowledge {
            framework_id: Some(v1::FrameworkId {
                value: "f".to_owned(),
            }),
            task_id: Some(v1::TaskId {
                value: "t".to_owned(),
            }),
            uuid: vec![1; 15],
        };
        assert!(refusal(Message::Acknowledge(acknowledge)).starts_with("uuid: "));
    }
}
