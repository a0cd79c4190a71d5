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

use prost::Message;
use tepui_model::{
    AgentId, FrameworkId, Resources, Role, StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::v1;

pub(crate) use self::{
    status::{Verdict, from_master},
    unreachable::UnreachableTasks,
};
use crate::{limits::MAX_STATUSES_PER_TASK, views::Written};

/// One task. Of its description only what decides something is kept apart; a whole one takes
/// kilobytes, and there may be a million.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    id: TaskId,
    agent_id: AgentId,
    pub(crate) resources: Resources,
    /// The role that its resources are allocated to.
    pub(crate) role: Role,
    /// Among the tasks of its role, the lower is preempted first.
    pub(crate) priority: i32,
    /// What operators see of it, packed.
    picture: Box<[u8]>,
    /// The newest state, which may be ahead of what the framework has been told.
    pub(crate) state: TaskState,
    /// What the framework has been told last.
    pub(crate) told: Option<Told>,
    /// One per state, newest last.
    pub(crate) statuses: Vec<TaskStatus>,
    /// The framework wants its end; said again whenever its agent comes back (Mesos: KIL-03).
    pub(crate) kill: Option<KillWish>,
    /// What was shown of it. Whoever changes it goes through [`Self::change`].
    pub(crate) written: Written,
}

/// A status update that went to the framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) state: TaskState,
    pub(crate) uuid: Option<StatusUuid>,
}

/// How a task is to be ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KillWish {
    pub(crate) grace: Option<Duration>,
    /// By whom and for what it is preempted, if it is.
    pub(crate) preempted: Option<Arc<str>>,
}

impl Task {
    /// A task that is about to be sent to its agent.
    pub(crate) fn staging(framework: &FrameworkId, agent: &AgentId, info: &TaskInfo) -> Self {
        let mut picture = info.to_task(framework, TaskState::Staging);
        picture.resources.clear();
        Self {
            id: info.id.clone(),
            agent_id: agent.clone(),
            resources: info.resources.clone(),
            role: info.allocation_role.clone().unwrap_or_default(),
            priority: info.priority,
            picture: picture.encode_to_vec().into_boxed_slice(),
            state: TaskState::Staging,
            told: None,
            statuses: Vec::new(),
            kill: None,
            written: Written::default(),
        }
    }

    /// To change one that others may look at: they keep what it was.
    pub(crate) fn change(shared: &mut Arc<Self>) -> &mut Self {
        let task = Arc::make_mut(shared);
        task.written = Written::default();
        task
    }

    pub(crate) const fn id(&self) -> &TaskId {
        &self.id
    }

    pub(crate) const fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// The task as the API shows it.
    pub(crate) fn to_wire(&self) -> v1::Task {
        // The bytes are our own, and what they were made of had been decoded.
        let picture = v1::Task::decode(&*self.picture).unwrap_or_default();
        let uuid = self.told.and_then(|told| told.uuid);
        v1::Task {
            state: v1::TaskState::from(self.state).into(),
            resources: self.resources.to_proto(Some(&self.role)),
            statuses: self.statuses.iter().map(v1::TaskStatus::from).collect(),
            status_update_state: self.told.map(|told| v1::TaskState::from(told.state).into()),
            status_update_uuid: uuid.map(StatusUuid::to_vec),
            ..picture
        }
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
        // The same ids as the task's, once in memory.
        status.task_id.clone_from(&self.id);
        if status.agent_id.as_ref() == Some(&self.agent_id) {
            status.agent_id = Some(self.agent_id.clone());
        }
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
        self.statuses.reserve_exact(1);
        self.statuses.push(status);
    }
}

/// Keeps an ended task, and forgets the oldest beyond the limit.
pub(crate) fn keep_bounded(history: &mut VecDeque<Arc<Task>>, task: Arc<Task>, limit: usize) {
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
    fn a_task_is_shown_as_it_was_described_in_little_memory() {
        let task = testing::task("t");
        let wire = task.to_wire();
        assert_eq!(
            (wire.name.as_str(), wire.task_id.value.as_str()),
            ("t", "t")
        );
        assert_eq!(
            wire.resources,
            testing::resources("cpus:1").to_proto(Some(&task.role))
        );
        let bytes = size_of::<Task>() + task.picture.len();
        assert!(bytes < 500, "{bytes} bytes");
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
