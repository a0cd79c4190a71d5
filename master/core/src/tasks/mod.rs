//! Tasks as the master knows them: what they are, where, and how far.

mod acknowledge;
mod adopt;
mod kill;
mod lose;
mod status;
mod unreachable;
mod update;

use core::time::Duration;
use std::{collections::VecDeque, sync::Arc};

use tepui_model::{AgentId, Role, StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus};

pub(crate) use self::{
    status::{Verdict, from_master},
    unreachable::UnreachableTasks,
};
use crate::limits::MAX_STATUSES_PER_TASK;

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) info: Arc<TaskInfo>,
    /// The role that its resources are allocated to.
    pub(crate) role: Role,
    /// The newest state, which may be ahead of what the framework has been told.
    pub(crate) state: TaskState,
    /// What the framework has been told last.
    pub(crate) told: Option<Told>,
    /// One per state, newest last.
    pub(crate) statuses: Vec<TaskStatus>,
    /// The framework wants its end; said again whenever its agent comes back (Mesos: KIL-03).
    pub(crate) kill: Option<KillWish>,
}

/// A status update that went to the framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) state: TaskState,
    pub(crate) uuid: Option<StatusUuid>,
}

/// How a task is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KillWish {
    pub(crate) grace: Option<Duration>,
}

impl Task {
    /// A task that is about to be sent to its agent.
    pub(crate) fn staging(info: Arc<TaskInfo>, role: Role) -> Self {
        let state = TaskState::Staging;
        Self {
            info,
            role,
            state,
            told: None,
            statuses: Vec::new(),
            kill: None,
        }
    }

    /// A task that an agent brings.
    pub(crate) fn known(info: Arc<TaskInfo>, role: Role, latest: TaskStatus) -> Self {
        let mut task = Self {
            state: latest.state,
            ..Self::staging(info, role)
        };
        task.keep(latest);
        task
    }

    pub(crate) fn id(&self) -> &TaskId {
        &self.info.id
    }

    pub(crate) fn agent_id(&self) -> &AgentId {
        &self.info.agent_id
    }

    /// Whether it has ended, so that it takes no resources. What is LOST may come back, but as a
    /// task that its agent brings (Mesos: TSK-01).
    pub(crate) const fn is_over(&self) -> bool {
        self.state.is_terminal()
    }

    /// Whether that update told its end. After a restart of the master the agent's newest status
    /// says so, though this master has not told it.
    pub(crate) fn ended_with(&self, uuid: StatusUuid) -> bool {
        let last = self.statuses.last();
        last.is_some_and(|last| last.state.is_terminal() && last.uuid == Some(uuid))
    }

    /// Whether its agent is about to tell its end.
    pub(crate) const fn is_about_to_end(&self) -> bool {
        self.is_over() && self.told.is_none()
    }

    /// The state that reconciliation tells: never ahead of the updates that are on their way.
    pub(crate) fn told_state(&self) -> TaskState {
        self.told.map_or(self.state, |told| told.state)
    }

    /// Remembers a status, without the framework's own bytes. The newest of a state replaces the
    /// one before.
    pub(crate) fn keep(&mut self, mut status: TaskStatus) {
        status.data = None;
        if self
            .statuses
            .last()
            .is_some_and(|last| last.state == status.state)
        {
            self.statuses.pop();
        }
        if self.statuses.len() >= MAX_STATUSES_PER_TASK {
            self.statuses.remove(0);
        }
        self.statuses.push(status);
    }
}

/// Keeps an ended task, and forgets the oldest beyond the limit.
pub(crate) fn keep_bounded(history: &mut VecDeque<Task>, task: Task, limit: usize) {
    history.push_back(task);
    while history.len() > limit {
        history.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn statuses_of_a_task_are_bounded_and_the_newest_of_a_state_replaces_the_last() {
        let mut task = testing::task("t");
        let id = task.id().clone();
        for _ in 0..3 {
            task.keep(TaskStatus::new(id.clone(), TaskState::Running));
        }
        assert_eq!(task.statuses.len(), 1);
        for _ in 0..MAX_STATUSES_PER_TASK {
            task.keep(TaskStatus::new(id.clone(), TaskState::Starting));
            task.keep(TaskStatus::new(id.clone(), TaskState::Running));
        }
        assert_eq!(task.statuses.len(), MAX_STATUSES_PER_TASK);
    }

    #[test]
    fn the_frameworks_bytes_are_not_kept() {
        let mut task = testing::task("t");
        let mut status = TaskStatus::new(task.id().clone(), TaskState::Running);
        status.data = Some(vec![0; 1000]);
        task.keep(status);
        assert_eq!(task.statuses[0].data, None);
    }
}
