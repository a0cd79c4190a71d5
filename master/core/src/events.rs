//! What can happen to the cluster.

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{
    AgentCapabilities, AgentCapability, AgentInfo, ExecutorId, FrameworkId, FrameworkInfo,
    ImageNames, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::v1;

use crate::{
    calls::SchedulerCall,
    operations::{OperationStatus, OperationUuid},
    operator::OperatorCall,
};

/// A stream of a framework or of an agent. The shell numbers them all from one row and never uses
/// a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A call of an operator that waits for its [`crate::Effect::Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One thing that happened. Events of connections that are over, or not yet begun by SUBSCRIBE or
/// a registration, change nothing.
#[derive(Clone, Debug)]
pub enum Event {
    /// A framework called.
    Call {
        /// On this stream.
        connection: ConnectionId,
        /// For this.
        call: SchedulerCall,
    },
    /// A framework's stream is over.
    FrameworkDisconnected {
        /// This one.
        connection: ConnectionId,
    },
    /// An agent registers, or registers again when its id is set.
    RegisterAgent {
        /// On this stream.
        connection: ConnectionId,
        /// With this.
        registration: Box<Registration>,
    },
    /// An agent answers a ping.
    AgentPong {
        /// On this stream.
        connection: ConnectionId,
    },
    /// An agent has other images than before.
    AgentImages {
        /// On this stream.
        connection: ConnectionId,
        /// These.
        images: ImageNames,
    },
    /// The state of a task changed, or is told again because nobody acknowledged it.
    AgentUpdate {
        /// On this stream.
        connection: ConnectionId,
        /// Whose task it is.
        framework_id: FrameworkId,
        /// The update, with the uuid to acknowledge.
        status: Box<TaskStatus>,
        /// The newest state, which is ahead of `status` while updates wait in line.
        latest_state: TaskState,
    },
    /// What became of an operation, for the first time or again because nobody acknowledged it.
    AgentOperation {
        /// On this stream.
        connection: ConnectionId,
        /// Which.
        uuid: OperationUuid,
        /// The news, with the uuid to acknowledge if the agent wants that.
        status: Box<OperationStatus>,
    },
    /// An executor takes nothing any more.
    ExecutorExited {
        /// On this stream.
        connection: ConnectionId,
        /// Whose it was.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
        /// How its process ended, as wait(2) has it; none when there never was one.
        status: Option<i32>,
    },
    /// Words of an executor for its framework.
    ExecutorMessage {
        /// On this stream.
        connection: ConnectionId,
        /// For whom.
        framework_id: FrameworkId,
        /// By whom.
        executor_id: ExecutorId,
        /// What it says.
        data: Vec<u8>,
    },
    /// An agent stops for good and takes its tasks with it.
    AgentUnregister {
        /// On this stream.
        connection: ConnectionId,
    },
    /// An agent's stream is over.
    AgentDisconnected {
        /// This one.
        connection: ConnectionId,
    },
    /// Only agents on these hosts are offered from now on; all, if unset (Mesos: OFF-20).
    Whitelist {
        /// The hosts.
        hosts: Option<BTreeSet<Arc<str>>>,
    },
    /// An operator calls.
    Operator {
        /// Whom to answer.
        request: RequestId,
        /// What about.
        call: OperatorCall,
    },
    /// Nothing but the passing of time. To be given at [`crate::Master::next_wake`] at the latest.
    Wake,
}

/// What an agent says of itself when it registers.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The agent; with an id it registers again. Its resources are what it has after all the
    /// operations that it has done.
    pub info: AgentInfo,
    /// The version of its program.
    pub version: String,
    /// What it can do.
    pub capabilities: AgentCapabilities,
    /// Every task it knows and whose terminal update is not yet acknowledged.
    pub tasks: Vec<KnownTask>,
    /// The frameworks of those tasks, each with its id.
    pub frameworks: Vec<FrameworkInfo>,
    /// The address that the agent's stream comes from; machines under maintenance may be named by
    /// it.
    pub ip: Option<String>,
    /// Every operation that it is at, or whose end is not yet acknowledged.
    pub operations: Vec<KnownOperation>,
    /// Every executor that has a container.
    pub executors: Vec<KnownExecutor>,
    /// Images that it has.
    pub images: ImageNames,
}

impl Registration {
    /// The registration of an agent without tasks that can do what every agent can.
    #[must_use]
    pub fn new(info: AgentInfo) -> Self {
        Self {
            info,
            version: String::new(),
            capabilities: AgentCapabilities::NONE
                .with(AgentCapability::MultiRole)
                .with(AgentCapability::HierarchicalRole)
                .with(AgentCapability::ReservationRefinement),
            tasks: Vec::new(),
            frameworks: Vec::new(),
            ip: None,
            operations: Vec::new(),
            executors: Vec::new(),
            images: ImageNames::default(),
        }
    }
}

/// An executor as its agent knows it.
#[derive(Clone, Debug)]
pub struct KnownExecutor {
    /// Whose it is.
    pub framework_id: FrameworkId,
    /// Which.
    pub executor_id: ExecutorId,
    /// What it is.
    pub info: Arc<v1::ExecutorInfo>,
}

/// A task as its agent knows it.
#[derive(Clone, Debug)]
pub struct KnownTask {
    /// Whose it is.
    pub framework_id: FrameworkId,
    /// What it is.
    pub task: TaskInfo,
    /// Its newest state.
    pub latest: TaskStatus,
}

/// An operation as its agent knows it.
#[derive(Clone, Debug)]
pub struct KnownOperation {
    /// Whose it is; an operator's when unset.
    pub framework_id: Option<FrameworkId>,
    /// Which.
    pub uuid: OperationUuid,
    /// What it is.
    pub operation: Box<v1::offer::Operation>,
    /// The newest news of it.
    pub latest: OperationStatus,
}
