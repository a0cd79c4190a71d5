//! One executor on this agent: a program of a framework's own that runs its tasks (Mesos: EXE-04).

use core::time::Duration;
use std::{fmt, sync::Arc};

use tepui_model::{ContainerId, ExecutorId, FrameworkId, Resources, Time};
use tepui_proto::v1;

use crate::{JoinedNetwork, Phase, TaskKey};

/// Names an executor: frameworks choose executor ids without knowing of each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutorKey {
    /// The framework.
    pub framework: FrameworkId,
    /// The executor.
    pub executor: ExecutorId,
}

impl ExecutorKey {
    /// The key of a framework's executor.
    #[must_use]
    pub fn new(framework: &FrameworkId, executor: &ExecutorId) -> Self {
        Self {
            framework: framework.clone(),
            executor: executor.clone(),
        }
    }

    /// The key of the executor that a task runs in.
    pub(crate) fn of(task: &TaskKey, executor: &ExecutorId) -> Self {
        Self::new(&task.framework, executor)
    }
}

impl fmt::Display for ExecutorKey {
    /// Unambiguous, because ids have no slash.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.framework, self.executor)
    }
}

/// A stream of events to an executor. Numbered by the shell, which never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What an executor says.
#[derive(Clone, Debug)]
pub enum ExecutorCall {
    /// It is there, for the first time or again.
    Subscribe {
        /// Where it wants to hear its events.
        stream: StreamId,
        /// The tasks that it was given, of which no update has been acknowledged.
        tasks: Vec<tepui_model::TaskId>,
        /// The updates that have not been acknowledged, each with a uuid.
        updates: Vec<tepui_model::TaskStatus>,
    },
    /// A task has a new state; the status has a uuid.
    Update(Box<tepui_model::TaskStatus>),
    /// Words for its framework.
    Message(Vec<u8>),
}

/// Why an executor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// Its framework asked for it.
    Asked,
    /// Its framework is gone, or the agent ends every task.
    Shutdown,
    /// All tasks that it was started for were killed before it was there.
    Idle,
    /// It did not subscribe in time.
    NoRegistration,
    /// It did not subscribe again in time.
    NoReregistration,
}

/// The order to end an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) cause: EndCause,
    /// When SIGKILL is due.
    pub(crate) deadline: Time,
}

/// One executor on this agent.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) info: Arc<v1::ExecutorInfo>,
    /// What it takes besides its tasks.
    pub(crate) resources: Resources,
    pub(crate) container: ContainerId,
    pub(crate) phase: Phase,
    /// The container's init, while the shell that started it lives.
    pub(crate) pid: Option<u32>,
    /// The networks that its container is attached to, once it runs.
    pub(crate) networks: Vec<JoinedNetwork>,
    /// The handle on its packets, if it has one.
    pub(crate) net_class: Option<u32>,
    /// Where it hears its events, while it is subscribed.
    pub(crate) stream: Option<StreamId>,
    /// Whether it has ever been.
    pub(crate) subscribed: bool,
    /// Whether it was ever given a task.
    pub(crate) employed: bool,
    pub(crate) ending: Option<Ending>,
    /// The machine was restarted while it had a container.
    pub(crate) rebooted: bool,
}

impl Executor {
    pub(crate) fn new(
        info: Arc<v1::ExecutorInfo>,
        resources: Resources,
        container: ContainerId,
    ) -> Self {
        Self {
            info,
            resources,
            container,
            phase: Phase::Launching,
            pid: None,
            networks: Vec::new(),
            net_class: None,
            stream: None,
            subscribed: false,
            employed: false,
            ending: None,
            rebooted: false,
        }
    }

    /// Whether it is no program, but what the containers of task groups share (Mesos: EXE-03).
    pub(crate) fn is_pod(&self) -> bool {
        crate::task::is_pod(Some(&self.info))
    }

    /// What it gets between SHUTDOWN and SIGKILL, if it says.
    pub(crate) fn grace(&self) -> Option<Duration> {
        let grace = self.info.shutdown_grace_period.as_ref()?;
        u64::try_from(grace.nanoseconds)
            .ok()
            .map(Duration::from_nanos)
    }
}
