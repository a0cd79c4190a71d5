//! The tasks of one framework whose agents are unreachable, a bounded number of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{AgentId, TaskId, Time};

use super::Task;

/// A task out of reach.
#[derive(Clone, Debug)]
pub(crate) struct UnreachableTask {
    pub(crate) task: Arc<Task>,
    pub(crate) since: Time,
    order: u64,
}

/// Tasks out of reach, by id. Beyond a bound the one that was lost first is forgotten; its agent
/// brings it back all the same.
#[derive(Debug, Default)]
pub(crate) struct UnreachableTasks {
    tasks: BTreeMap<TaskId, UnreachableTask>,
    oldest: BTreeSet<(u64, TaskId)>,
    by_agent: BTreeMap<AgentId, BTreeSet<TaskId>>,
    count: u64,
}

impl UnreachableTasks {
    pub(crate) fn insert(&mut self, task: Arc<Task>, since: Time, limit: usize) {
        self.remove(task.id());
        let (id, agent, order) = (task.id().clone(), task.agent_id().clone(), self.count);
        self.count += 1;
        self.oldest.insert((order, id.clone()));
        self.by_agent.entry(agent).or_default().insert(id.clone());
        self.tasks
            .insert(id, UnreachableTask { task, since, order });
        while self.tasks.len() > limit {
            let Some((_, id)) = self.oldest.first().cloned() else {
                break;
            };
            self.remove(&id);
        }
    }

    pub(crate) fn remove(&mut self, id: &TaskId) -> Option<Arc<Task>> {
        let lost = self.tasks.remove(id)?;
        self.oldest.remove(&(lost.order, id.clone()));
        let agent = lost.task.agent_id();
        if let Some(there) = self.by_agent.get_mut(agent) {
            there.remove(id);
            if there.is_empty() {
                self.by_agent.remove(agent);
            }
        }
        Some(lost.task)
    }

    pub(crate) fn get(&self, id: &TaskId) -> Option<&UnreachableTask> {
        self.tasks.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        let lost = self.tasks.get_mut(id)?;
        Some(Task::change(&mut lost.task))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &UnreachableTask> {
        self.tasks.values()
    }

    /// The tasks that were on that agent.
    pub(crate) fn of_agent(&self, agent: &AgentId) -> Vec<TaskId> {
        let there = self.by_agent.get(agent).into_iter().flatten();
        there.cloned().collect()
    }

    /// Takes all of them, in the order of their ids.
    pub(crate) fn take(&mut self) -> Vec<Arc<Task>> {
        self.oldest.clear();
        self.by_agent.clear();
        core::mem::take(&mut self.tasks)
            .into_values()
            .map(|lost| lost.task)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn beyond_the_bound_the_task_lost_first_is_forgotten() {
        let mut lost = UnreachableTasks::default();
        for name in ["c", "a", "b"] {
            lost.insert(Arc::new(testing::task(name)), Time::ZERO, 2);
        }
        let left: Vec<_> = lost.iter().map(|lost| lost.task.id().as_str()).collect();
        assert_eq!(left, ["a", "b"]);
    }

    #[test]
    fn a_task_that_came_back_is_out_of_reach_no_more() {
        let mut lost = UnreachableTasks::default();
        lost.insert(Arc::new(testing::task("a")), Time::ZERO, 9);
        let id = TaskId::new("a").unwrap();
        let agent = testing::task("a").agent_id().clone();
        assert_eq!(lost.of_agent(&agent), std::slice::from_ref(&id));
        assert!(lost.remove(&id).is_some());
        assert!(lost.remove(&id).is_none());
        assert_eq!(lost.iter().count(), 0);
        assert!(lost.oldest.is_empty() && lost.by_agent.is_empty());
    }
}
