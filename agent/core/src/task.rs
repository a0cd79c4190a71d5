//! One task on this agent: its phase, its kill order, its updates.

use core::time::Duration;
use std::fmt;

use tepui_model::{
    ContainerId, ExecutorId, FrameworkId, TaskId, TaskInfo, TaskState, TaskStatus, Time,
};
use tepui_proto::v1;

use crate::{
    ContainerEvent, JoinedNetwork,
    checks::{Check, Memory},
    updates::Updates,
};

/// Names a task: frameworks choose task ids without knowing of each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The framework.
    pub framework: FrameworkId,
    /// The task.
    pub task: TaskId,
}

impl TaskKey {
    /// The key of a framework's task.
    #[must_use]
    pub fn new(framework: &FrameworkId, task: &TaskId) -> Self {
        Self {
            framework: framework.clone(),
            task: task.clone(),
        }
    }
}

impl fmt::Display for TaskKey {
    /// Unambiguous, because ids have no slash.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.framework, self.task)
    }
}

/// Where a task is in its life on this agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// On disk; its container was asked for, or its executor has not been given it.
    Launching,
    /// Its container runs, or its executor has it.
    Running,
    /// Its container is gone, or never was; its updates may still wait for acknowledgements.
    Ended,
}

impl Phase {
    /// The phase after something became of the container; none when that cannot be.
    ///
    /// | | Started | LaunchFailed | Exited |
    /// |---|---|---|---|
    /// | Launching | Running | Ended | Ended |
    /// | Running | - | - | Ended |
    /// | Ended | - | - | - |
    #[must_use]
    pub const fn next(self, event: &ContainerEvent) -> Option<Self> {
        match (self, event) {
            (Self::Launching, ContainerEvent::Started { .. }) => Some(Self::Running),
            (Self::Launching, ContainerEvent::LaunchFailed { .. } | ContainerEvent::Exited(_))
            | (Self::Running, ContainerEvent::Exited(_)) => Some(Self::Ended),
            _ => None,
        }
    }
}

/// Why a task is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillCause {
    /// The framework or an operator asked for it.
    Asked,
    /// The task took longer than its `max_completion_time`.
    CompletionTime,
    /// Its framework is gone, or the agent leaves the cluster.
    Shutdown,
    /// An operator drains the agent.
    Drain,
    /// An operator drains the agent, which will not come back.
    LastDrain,
    /// It gives way to a task of a higher priority.
    Preempted,
    /// Its health check failed too often.
    Unhealthy,
    /// Another task of its group ended otherwise than well, or is to end.
    Group,
}

impl KillCause {
    /// The cause that counts when a task that is being killed is to be killed again.
    pub(crate) const fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::Asked | Self::Drain, Self::Drain | Self::LastDrain) => later,
            _ => self,
        }
    }

    pub(crate) const fn is_drain(self) -> bool {
        matches!(self, Self::Drain | Self::LastDrain)
    }

    /// Whether the framework is told that the task is being killed.
    pub(crate) const fn is_told(self) -> bool {
        matches!(
            self,
            Self::Asked | Self::Drain | Self::LastDrain | Self::Preempted | Self::Unhealthy
        )
    }
}

/// The order to end a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KillOrder {
    pub(crate) cause: KillCause,
    /// When it was first given.
    pub(crate) since: Time,
    /// The time between SIGTERM and SIGKILL, as last asked for.
    pub(crate) grace: Duration,
}

impl KillOrder {
    /// When SIGKILL is due.
    pub(crate) fn deadline(&self) -> Time {
        self.since + self.grace
    }
}

/// Whether an executor is of the kind that task groups have: not a program, but what their
/// containers share.
pub(crate) fn is_pod(executor: Option<&v1::ExecutorInfo>) -> bool {
    executor.is_some_and(|info| info.r#type() == v1::executor_info::Type::Default)
}

/// One task on this agent.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) info: TaskInfo,
    /// Names the group that it was launched with, if it was.
    pub(crate) group: Option<Box<str>>,
    /// The executor that it runs in, if it is not its own.
    pub(crate) executor: Option<ExecutorId>,
    /// Its own container: none when it runs in an executor, or was refused.
    pub(crate) container: Option<ContainerId>,
    pub(crate) phase: Phase,
    /// The container's init, while the shell that started it lives.
    pub(crate) pid: Option<u32>,
    /// The networks that its container is attached to, once it runs.
    pub(crate) networks: Vec<JoinedNetwork>,
    /// The handle on its packets, if it has one.
    pub(crate) net_class: Option<u32>,
    /// Its checks, once it runs.
    pub(crate) checks: Vec<Check>,
    /// What an earlier agent knew of them, until they begin.
    pub(crate) memories: Vec<Memory>,
    /// When its container was first seen running.
    pub(crate) started: Option<Time>,
    pub(crate) kill: Option<KillOrder>,
    /// By whom and for what it is preempted, if it is.
    pub(crate) preempted: Option<Box<str>>,
    /// The newest state.
    pub(crate) latest: TaskStatus,
    pub(crate) updates: Updates,
    /// Its updates concern nobody: the framework is gone, or the agent lost its id.
    pub(crate) silent: bool,
    /// The machine was restarted while it was live.
    pub(crate) rebooted: bool,
}

impl Task {
    pub(crate) fn new(info: TaskInfo, container: Option<ContainerId>) -> Self {
        let executor = info.wire.executor.as_ref();
        Self {
            latest: TaskStatus::new(info.id.clone(), TaskState::Staging),
            group: None,
            executor: executor.and_then(|it| ExecutorId::try_from(&it.executor_id).ok()),
            info,
            container,
            phase: Phase::Launching,
            pid: None,
            networks: Vec::new(),
            net_class: None,
            checks: Vec::new(),
            memories: Vec::new(),
            started: None,
            kill: None,
            preempted: None,
            updates: Updates::default(),
            silent: false,
            rebooted: false,
        }
    }

    /// Whether it has a container inside of its executor's (Mesos: EXE-03). If it has an executor
    /// and this is false, the executor runs it.
    pub(crate) fn is_in_pod(&self) -> bool {
        is_pod(self.info.wire.executor.as_ref())
    }

    /// Whether a program of the framework's runs it.
    pub(crate) fn is_run_by_executor(&self) -> bool {
        self.executor.is_some() && !self.is_in_pod()
    }

    /// Whether it may hold resources.
    pub(crate) fn is_live(&self) -> bool {
        self.phase != Phase::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    #[test]
    fn the_phases_follow_the_table_in_the_docs() {
        let started = ContainerEvent::Started {
            pid: 1,
            networks: Vec::new(),
            net_class: None,
        };
        let failed = ContainerEvent::LaunchFailed {
            message: String::new(),
        };
        let exited = ContainerEvent::Exited(Exit::code(0));
        let row = |phase: Phase| [&started, &failed, &exited].map(|event| phase.next(event));
        use Phase::{Ended, Launching, Running};
        assert_eq!(row(Launching), [Some(Running), Some(Ended), Some(Ended)]);
        assert_eq!(row(Running), [None, None, Some(Ended)]);
        assert_eq!(row(Ended), [None, None, None]);
    }
}
