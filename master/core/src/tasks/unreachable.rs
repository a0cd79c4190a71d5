//! The tasks of one framework whose agents are unreachable, a bounded number of them.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentId, TaskId, Time};

use super::Task;

/// A task out of reach.
#[derive(Debug)]
pub(crate) struct UnreachableTask {
    pub(crate) task: Task,
    pub(crate) since: Time,
    order: u64,
}

/// Tasks out of reach, by id. Beyond a bound the one that was lost first is forgotten; its agent
/// brings it back all the same.
#[derive(Debug, Default)]
pub(crate) struct UnreachableTasks {
    tasks: BTreeMap<TaskId, UnreachableTask>,
    oldest: BTreeSet<(u64, TaskId)>,
    count: u64,
}

impl UnreachableTasks {
    pub(crate) fn insert(&mut self, task: Task, since: Time, limit: usize) {
        self.remove(task.id());
        let order = self.count;
        self.count += 1;
        self.oldest.insert((order, task.id().clone()));
        self.tasks
            .insert(task.id().clone(), UnreachableTask { task, since, order });
        while self.tasks.len() > limit {
            let Some((_, id)) = self.oldest.pop_first() else {
                break;
            };
            self.tasks.remove(&id);
        }
    }

    pub(crate) fn remove(&mut self, id: &TaskId) -> Option<Task> {
        let lost = self.tasks.remove(id)?;
        self.oldest.remove(&(lost.order, id.clone()));
        Some(lost.task)
    }

    pub(crate) fn get(&self, id: &TaskId) -> Option<&UnreachableTask> {
        self.tasks.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(id).map(|lost| &mut lost.task)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &UnreachableTask> {
        self.tasks.values()
    }

    /// The tasks that were on that agent.
    pub(crate) fn of_agent(&self, agent: &AgentId) -> Vec<TaskId> {
        let there = self.iter().filter(|lost| lost.task.agent_id() == agent);
        there.map(|lost| lost.task.id().clone()).collect()
    }

    /// Takes all of them, in the order of their ids.
    pub(crate) fn take(&mut self) -> Vec<Task> {
        self.oldest.clear();
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
            lost.insert(testing::task(name), Time::ZERO, 2);
        }
        let left: Vec<_> = lost.iter().map(|lost| lost.task.id().as_str()).collect();
        assert_eq!(left, ["a", "b"]);
    }

    #[test]
    fn a_task_that_came_back_is_out_of_reach_no_more() {
        let mut lost = UnreachableTasks::default();
        lost.insert(testing::task("a"), Time::ZERO, 9);
        let id = TaskId::new("a").unwrap();
        assert!(lost.remove(&id).is_some());
        assert!(lost.remove(&id).is_none());
        assert_eq!(lost.iter().count(), 0);
        assert!(lost.oldest.is_empty());
    }
}
