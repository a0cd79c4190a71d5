//! Status updates that the master itself makes. They have no uuid: nobody acknowledges them
//! (Mesos: TSK-09).

use tepui_model::{AgentId, Reason, Source, TaskId, TaskState, TaskStatus, Time};

/// What the master has to say of a task that has ended or is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was never launched.
    Dropped,
    /// It ended, nobody knows how.
    Gone,
    /// Its agent is unreachable.
    Unreachable,
    /// Its agent was given up by an operator.
    GoneByOperator,
    /// Nobody knows it.
    Unknown,
}

impl Verdict {
    /// The state to tell; a framework that is not PARTITION_AWARE knows TASK_LOST only
    /// (Mesos: TSK-11).
    pub(crate) const fn state(self, partition_aware: bool) -> TaskState {
        if !partition_aware {
            return TaskState::Lost;
        }
        match self {
            Self::Dropped => TaskState::Dropped,
            Self::Gone => TaskState::Gone,
            Self::Unreachable => TaskState::Unreachable,
            Self::GoneByOperator => TaskState::GoneByOperator,
            Self::Unknown => TaskState::Unknown,
        }
    }
}

/// A status update of the master's own.
pub(crate) fn from_master(
    now: Time,
    task_id: TaskId,
    agent_id: Option<AgentId>,
    state: TaskState,
    reason: Reason,
    message: impl Into<String>,
) -> TaskStatus {
    TaskStatus {
        source: Some(Source::Master),
        reason: Some(reason),
        message: Some(message.into()),
        agent_id,
        timestamp: Some(now),
        ..TaskStatus::new(task_id, state)
    }
}
