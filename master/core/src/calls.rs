//! What a framework asks for: the scheduler API, typed.

use core::time::Duration;
use std::sync::Arc;

use tepui_model::{
    AgentId, ExecutorId, Filters, FrameworkId, FrameworkInfo, OfferId, OfferOperation, OperationId,
    Resources, Role, StatusUuid, TaskId,
};

use tepui_proto::v1::scheduler::OfferConstraints;

use crate::maintenance::Answer;

/// One call of a framework.
#[derive(Clone, Debug)]
pub struct SchedulerCall {
    /// The caller as it names itself; may be left out once subscribed.
    pub framework_id: Option<FrameworkId>,
    /// What it asks for.
    pub action: Action,
}

impl From<Action> for SchedulerCall {
    fn from(action: Action) -> Self {
        Self {
            framework_id: None,
            action,
        }
    }
}

/// What a framework can ask for.
#[derive(Clone, Debug)]
pub enum Action {
    /// The first call of a connection (Mesos: FWK-01, FWK-02).
    Subscribe(Box<Subscribe>),
    /// A subscription that cannot be taken: answered by an ERROR event of this text.
    InvalidSubscription(String),
    /// End the framework and all its tasks (Mesos: FWK-05).
    Teardown,
    /// Use offers (Mesos: OFF-03).
    Accept(Accept),
    /// Refuse offers (Mesos: OFF-08).
    Decline(Decline),
    /// Answer inverse offers (Mesos: OFF-13).
    AnswerInverseOffers(InverseAnswer),
    /// State what is waited for, in all roles; no ask means whatever there is (Mesos: OFF-18).
    Request(Vec<Ask>),
    /// Want offers again; no role means all (Mesos: OFF-09).
    Revive(Vec<Role>),
    /// Want no offers; no role means all (Mesos: OFF-10).
    Suppress(Vec<Role>),
    /// End a task.
    Kill(Kill),
    /// A status update has been dealt with (Mesos: TSK-09).
    Acknowledge(Acknowledge),
    /// Ask for the state of these tasks; none means all (Mesos: REC-01, REC-02).
    Reconcile(Vec<TaskQuery>),
    /// News of an operation have been dealt with (Mesos: OPF-01).
    AcknowledgeOperation(AcknowledgeOperation),
    /// Ask for the state of these operations; none means all (Mesos: REC-04).
    ReconcileOperations(Vec<OperationQuery>),
    /// Something for one of its executors.
    CallExecutor(ExecutorCall),
    /// Change what the framework said of itself (Mesos: FWK-07).
    UpdateFramework(Box<Subscribe>),
    /// A call that is taken and has no effect; the text says which and why.
    Ignored(String),
}

/// What a framework says of itself.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// The framework; with an id it subscribes again.
    pub info: FrameworkInfo,
    /// Roles for which it wants no offers yet (Mesos: OFF-11).
    pub suppressed_roles: Vec<Role>,
    /// Which agents it can use in its roles, if not all (Mesos: OFF-14). They are checked against
    /// the master's limits when they are taken.
    pub constraints: Option<Arc<OfferConstraints>>,
}

impl Subscribe {
    /// A subscription that wants offers for all its roles.
    #[must_use]
    pub fn new(info: FrameworkInfo) -> Self {
        Self {
            info,
            suppressed_roles: Vec::new(),
            constraints: None,
        }
    }
}

/// Offers and what to do with them.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The offers, of one agent and one role; of several agents if it is all or nothing.
    pub offers: Vec<OfferId>,
    /// Applied one after the other.
    pub operations: Vec<Operation>,
    /// How long what is left shall not be offered again.
    pub filters: Filters,
    /// Every task is launched, each on the agent that it names, or none is.
    pub all_or_nothing: bool,
}

/// One operation of an ACCEPT.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The framework's name for it, when it wants to hear of its end.
    pub id: Option<OperationId>,
    /// What to do.
    pub kind: OfferOperation,
}

/// Offers that are not wanted.
#[derive(Clone, Debug)]
pub struct Decline {
    /// The offers.
    pub offers: Vec<OfferId>,
    /// How long their resources shall not be offered again.
    pub filters: Filters,
}

/// Inverse offers and what the framework means to do about them.
#[derive(Clone, Debug)]
pub struct InverseAnswer {
    /// The inverse offers.
    pub offers: Vec<OfferId>,
    /// Whether it leaves in time.
    pub answer: Answer,
    /// How long it shall not be asked again.
    pub filters: Filters,
}

/// One thing that a framework waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// In which role; the framework's only one, if unset.
    pub role: Option<Role>,
    /// The one agent that will do; any, if unset.
    pub agent_id: Option<AgentId>,
    /// What one task needs.
    pub resources: Resources,
    /// How many times, each on one agent; never zero.
    pub count: u32,
    /// Asks of one name are offered all together or not at all.
    pub gang: Option<Arc<str>>,
    /// The higher comes first among what the same role asks for.
    pub priority: i32,
}

/// A task to end.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The task.
    pub task_id: TaskId,
    /// Where the framework believes it to be.
    pub agent_id: Option<AgentId>,
    /// How long it may take between TERM and KILL; its own policy when unset (Mesos: KIL-01).
    pub grace: Option<Duration>,
}

/// Something that a framework wants of one of its executors.
#[derive(Clone, Debug)]
pub struct ExecutorCall {
    /// Where the executor is.
    pub agent_id: AgentId,
    /// The executor.
    pub executor_id: ExecutorId,
    /// What it wants.
    pub wish: ExecutorWish,
}

/// What a framework wants of an executor.
#[derive(Clone, Debug)]
pub enum ExecutorWish {
    /// Its end, with all its tasks (Mesos: EXE-09).
    ShutDown,
    /// That it hears these bytes (Mesos: EXE-08).
    Hear(Vec<u8>),
}

/// A status update that has been dealt with.
#[derive(Clone, Debug)]
pub struct Acknowledge {
    /// Whose update it was.
    pub agent_id: AgentId,
    /// Of which task.
    pub task_id: TaskId,
    /// Which one.
    pub uuid: StatusUuid,
}

/// News of an operation that have been dealt with.
#[derive(Clone, Debug)]
pub struct AcknowledgeOperation {
    /// Where the framework believes it to be.
    pub agent_id: Option<AgentId>,
    /// Of which operation.
    pub operation_id: OperationId,
    /// Which news.
    pub uuid: StatusUuid,
}

/// A task whose state is asked for.
#[derive(Clone, Debug)]
pub struct TaskQuery {
    /// The task.
    pub task_id: TaskId,
    /// Where the framework believes it to be.
    pub agent_id: Option<AgentId>,
}

/// An operation whose state is asked for.
#[derive(Clone, Debug)]
pub struct OperationQuery {
    /// The operation.
    pub operation_id: OperationId,
    /// Where the framework believes it to be.
    pub agent_id: Option<AgentId>,
}
