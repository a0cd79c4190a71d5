//! What an agent says to its master.

use std::sync::Arc;

use tepui_model::{
    AgentCapabilities, AgentCapability, AgentInfo, ExecutorId, FrameworkId, FrameworkInfo,
    ImageNames, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::{services, v1};

use crate::OperationUuid;

/// What an agent says to its master.
#[derive(Clone, Debug)]
pub enum AgentReport {
    /// I am this agent, and these are my tasks.
    Register(Box<Registration>),
    /// I am here.
    Pong,
    /// A task has a new state.
    Update {
        /// The task's framework.
        framework_id: FrameworkId,
        /// The state, and the uuid to acknowledge it by.
        status: Box<TaskStatus>,
        /// The task's newest state, which may be ahead of `status`.
        latest: TaskState,
    },
    /// An operation has ended.
    OperationUpdate {
        /// Whose it was; an operator's if unset.
        framework_id: Option<FrameworkId>,
        /// The master's name for it.
        uuid: OperationUuid,
        /// How it ended, and the uuid to acknowledge that by, if it is to be acknowledged.
        status: Box<v1::OperationStatus>,
    },
    /// An executor has no container any more.
    ExecutorExited {
        /// Whose it was.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
        /// How its process ended, as wait(2) has it; none when there never was one.
        status: Option<i32>,
    },
    /// Words of an executor for its framework.
    ExecutorMessage {
        /// The framework.
        framework_id: FrameworkId,
        /// The executor.
        executor_id: ExecutorId,
        /// The words.
        data: Vec<u8>,
    },
    /// I have other images than before.
    Images(ImageNames),
    /// I leave for good.
    Unregister,
}

/// How an agent introduces itself, for the first time or again.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The agent, with its id if it has one.
    pub info: AgentInfo,
    /// The program's version.
    pub version: String,
    /// Every task that is not both ended and acknowledged.
    pub tasks: Vec<KnownTask>,
    /// The frameworks of those tasks.
    pub frameworks: Vec<FrameworkInfo>,
    /// Every operation of which the end is not acknowledged.
    pub operations: Vec<KnownOperation>,
    /// Every executor that has a container.
    pub executors: Vec<KnownExecutor>,
    /// The images that tasks need not wait for.
    pub images: ImageNames,
}

/// An executor that has a container.
#[derive(Clone, Debug)]
pub struct KnownExecutor {
    /// Its framework.
    pub framework_id: FrameworkId,
    /// What it is.
    pub info: Arc<v1::ExecutorInfo>,
}

/// An operation of which the end is not acknowledged.
#[derive(Clone, Debug)]
pub struct KnownOperation {
    /// Whose it is; an operator's if unset.
    pub framework_id: Option<FrameworkId>,
    /// The master's name for it.
    pub uuid: OperationUuid,
    /// What was asked for.
    pub operation: v1::offer::Operation,
    /// How it ended.
    pub latest: v1::OperationStatus,
}

/// A task that the agent knows.
#[derive(Clone, Debug)]
pub struct KnownTask {
    /// Its framework.
    pub framework_id: FrameworkId,
    /// The task.
    pub task: TaskInfo,
    /// Its newest state.
    pub latest: TaskStatus,
}

impl From<&AgentReport> for services::AgentMessage {
    fn from(report: &AgentReport) -> Self {
        use services::agent_message::Message;
        let message = match report {
            AgentReport::Register(registration) => Message::Register((&**registration).into()),
            AgentReport::Pong => Message::Pong(services::Pong {}),
            AgentReport::Update {
                framework_id,
                status,
                latest,
            } => Message::StatusUpdate(services::StatusUpdate {
                framework_id: Some(framework_id.into()),
                status: Some((&**status).into()),
                latest_state: v1::TaskState::from(*latest).into(),
            }),
            AgentReport::OperationUpdate {
                framework_id,
                uuid,
                status,
            } => Message::OperationUpdate(services::OperationUpdate {
                framework_id: framework_id.as_ref().map(Into::into),
                operation_uuid: uuid.0.to_vec(),
                status: Some((**status).clone()),
                latest: Some((**status).clone()),
            }),
            AgentReport::ExecutorExited {
                framework_id,
                executor_id,
                status,
            } => Message::ExecutorExited(services::ExecutorExited {
                framework_id: Some(framework_id.into()),
                executor_id: Some(executor_id.into()),
                status: *status,
            }),
            AgentReport::ExecutorMessage {
                framework_id,
                executor_id,
                data,
            } => Message::ExecutorMessage(services::ExecutorMessage {
                framework_id: Some(framework_id.into()),
                executor_id: Some(executor_id.into()),
                data: data.clone(),
            }),
            AgentReport::Images(images) => Message::Images(images_told(images)),
            AgentReport::Unregister => Message::Unregister(services::Unregister {}),
        };
        Self {
            message: Some(message),
        }
    }
}

/// What an agent can do: everything (Mesos: AGT-08).
#[must_use]
pub fn capabilities() -> AgentCapabilities {
    AgentCapability::ALL.into_iter().collect()
}

impl From<&Registration> for services::Register {
    fn from(registration: &Registration) -> Self {
        let known = |known: &KnownTask| services::KnownTask {
            framework_id: Some((&known.framework_id).into()),
            task: Some((*known.task.wire).clone()),
            latest: Some((&known.latest).into()),
        };
        let framework = |framework: &FrameworkInfo| (*framework.wire).clone();
        let executor = |known: &KnownExecutor| services::KnownExecutor {
            framework_id: Some((&known.framework_id).into()),
            executor: Some((*known.info).clone()),
        };
        Self {
            agent: Some((&registration.info).into()),
            version: registration.version.clone(),
            capabilities: capabilities().to_proto(),
            tasks: registration.tasks.iter().map(known).collect(),
            frameworks: registration.frameworks.iter().map(framework).collect(),
            operations: registration.operations.iter().map(Into::into).collect(),
            executors: registration.executors.iter().map(executor).collect(),
            images: Some(images_told(&registration.images)),
        }
    }
}

fn images_told(images: &ImageNames) -> services::Images {
    services::Images {
        names: images.to_proto(),
    }
}

impl From<&KnownOperation> for services::KnownOperation {
    fn from(known: &KnownOperation) -> Self {
        Self {
            framework_id: known.framework_id.as_ref().map(Into::into),
            info: Some(known.operation.clone()),
            operation_uuid: known.uuid.0.to_vec(),
            latest: Some(known.latest.clone()),
        }
    }
}
