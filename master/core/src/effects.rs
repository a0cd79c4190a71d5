//! What the core wants done, in order.

use core::time::Duration;
use std::{sync::Arc, vec};

use tepui_model::{
    AgentId, ExecutorId, FrameworkId, Offer, OfferId, ReservationForm, StatusUuid, TaskId,
    TaskStatus,
};
use tepui_proto::v1;

use crate::{
    events::{ConnectionId, RequestId},
    maintenance::InverseOffer,
    notices::Notice,
    operations::{OperationStatus, OperationUuid},
    operator::{OperatorError, OperatorReply},
    record::Change,
};

/// One deed for the shell.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Keep this. It must be durable before any later effect leaves.
    Persist(Change),
    /// Tell a framework.
    ToFramework {
        /// On this stream.
        connection: ConnectionId,
        /// This.
        event: FrameworkEvent,
    },
    /// End a framework's stream after what was sent on it.
    EndFramework {
        /// This one.
        connection: ConnectionId,
        /// With this.
        ending: Ending,
    },
    /// Tell an agent.
    ToAgent {
        /// On this stream.
        connection: ConnectionId,
        /// This.
        command: AgentCommand,
    },
    /// End an agent's stream after what was sent on it.
    EndAgent {
        /// This one.
        connection: ConnectionId,
    },
    /// Answer an operator.
    Reply {
        /// Whom.
        request: RequestId,
        /// With what.
        result: Result<OperatorReply, OperatorError>,
    },
    /// Tell those who watch.
    Publish(Notice),
    /// Write to the log: a peer did what does no harm but should not be.
    Warn(String),
}

/// Why a framework's stream ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is said: an ERROR event went before, or the framework is removed.
    Done,
    /// The call cannot be understood.
    InvalidCall(String),
    /// The call cannot be taken on this stream, or not now.
    NotNow(String),
}

/// What a framework hears.
#[derive(Clone, Debug)]
pub enum FrameworkEvent {
    /// The framework is subscribed.
    Subscribed {
        /// Under this id.
        framework_id: FrameworkId,
        /// How often it will hear a heartbeat.
        heartbeat_interval: Duration,
        /// By this master.
        master: Arc<v1::MasterInfo>,
    },
    /// New offers.
    Offers {
        /// These.
        offers: Vec<Arc<Offer>>,
        /// With reservations as the framework understands them.
        form: ReservationForm,
    },
    /// An offer that stands no longer.
    Rescind(OfferId),
    /// Agents will be away: the framework may leave them in time (Mesos: OFF-13).
    InverseOffers(Vec<InverseOffer>),
    /// An inverse offer that stands no longer.
    RescindInverseOffer(OfferId),
    /// The state of a task. To be acknowledged when it has a uuid.
    Update(Box<TaskStatus>),
    /// A task whose very id is invalid: told as an UPDATE to TASK_ERROR.
    InvalidTask {
        /// The id as it came.
        task_id: String,
        /// The agent as it came.
        agent_id: String,
        /// What is wrong with it.
        message: String,
    },
    /// The state of an operation.
    OperationUpdate(Box<OperationStatus>),
    /// An agent is lost, or an executor ended.
    Failure {
        /// Which agent.
        agent_id: AgentId,
        /// Which executor; the whole agent when unset.
        executor_id: Option<ExecutorId>,
        /// The executor's exit status.
        status: Option<i32>,
    },
    /// Words of one of its executors.
    Message {
        /// On which agent.
        agent_id: AgentId,
        /// Which executor.
        executor_id: ExecutorId,
        /// What it says.
        data: Vec<u8>,
    },
    /// The framework cannot go on with this stream.
    Error(String),
}

/// What an agent is told.
#[derive(Clone, Debug)]
pub enum AgentCommand {
    /// The registration is taken.
    Registered {
        /// Under this id.
        agent_id: AgentId,
        /// By this master.
        master: Arc<v1::MasterInfo>,
        /// The agent takes the link for dead after this long without a message.
        silence_limit: Duration,
    },
    /// The registration is not taken.
    Refused {
        /// Why.
        message: String,
        /// The agent must end all its tasks and register anew, without its id.
        forget_identity: bool,
        /// The agent's program must end instead of registering anew.
        shut_down: bool,
    },
    /// Answer, please.
    Ping,
    /// Run a task.
    RunTask {
        /// Of this framework.
        framework: Arc<v1::FrameworkInfo>,
        /// This one; its resources name the role that they are allocated to.
        task: Arc<v1::TaskInfo>,
        /// Start its executor for it, which nobody was charged for before.
        launch_executor: bool,
    },
    /// Run tasks together or not at all.
    RunGroup {
        /// Of this framework.
        framework: Arc<v1::FrameworkInfo>,
        /// These, each with the same executor.
        tasks: Vec<Arc<v1::TaskInfo>>,
        /// Start their executor for them, which nobody was charged for before.
        launch_executor: bool,
    },
    /// End an executor.
    ShutdownExecutor {
        /// Of this framework.
        framework_id: FrameworkId,
        /// This one.
        executor_id: ExecutorId,
    },
    /// Pass words on to an executor.
    ExecutorMessage {
        /// Of this framework.
        framework_id: FrameworkId,
        /// This one.
        executor_id: ExecutorId,
        /// These.
        data: Vec<u8>,
    },
    /// End a task.
    KillTask {
        /// Of this framework.
        framework_id: FrameworkId,
        /// This one.
        task_id: TaskId,
        /// How long it may take between TERM and KILL; its own policy when unset.
        grace: Option<Duration>,
        /// By whom and for what it is preempted, if it is.
        preempted: Option<Arc<str>>,
    },
    /// A status update has been dealt with.
    Acknowledge {
        /// By this framework.
        framework_id: FrameworkId,
        /// Of this task.
        task_id: TaskId,
        /// This one.
        uuid: StatusUuid,
    },
    /// Change the nature of resources.
    ApplyOperation {
        /// For this framework; for an operator when unset.
        framework_id: Option<FrameworkId>,
        /// Under this name.
        uuid: OperationUuid,
        /// In this way; with the framework's name for it, if it gave one.
        operation: Box<v1::offer::Operation>,
    },
    /// News of an operation have been dealt with.
    AcknowledgeOperation {
        /// This one.
        uuid: OperationUuid,
        /// These news.
        status_uuid: StatusUuid,
    },
    /// End every task of a framework and forget it.
    ShutdownFramework {
        /// This one.
        framework_id: FrameworkId,
    },
    /// End every task (Mesos: DRN-01).
    Drain {
        /// The longest that a task gets between TERM and KILL; its own policy when unset.
        max_grace_period: Option<Duration>,
        /// The agent will not come back (Mesos: DRN-02).
        mark_gone: bool,
    },
}

/// Effects in the order they are to be done.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Takes all of them out and keeps the memory for the next.
    pub fn drain(&mut self) -> vec::Drain<'_, Effect> {
        self.0.drain(..)
    }

    /// Takes all of them out.
    #[must_use]
    pub fn take(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.0)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Effect> {
        self.0.iter()
    }

    pub(crate) fn persist(&mut self, change: Change) {
        self.push(Effect::Persist(change));
    }

    pub(crate) fn tell_framework(&mut self, connection: ConnectionId, event: FrameworkEvent) {
        self.push(Effect::ToFramework { connection, event });
    }

    pub(crate) fn tell_agent(&mut self, connection: ConnectionId, command: AgentCommand) {
        self.push(Effect::ToAgent {
            connection,
            command,
        });
    }

    pub(crate) fn publish(&mut self, notice: Notice) {
        self.push(Effect::Publish(notice));
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.push(Effect::Warn(text.into()));
    }
}

impl<'a> IntoIterator for &'a Effects {
    type Item = &'a Effect;
    type IntoIter = core::slice::Iter<'a, Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
