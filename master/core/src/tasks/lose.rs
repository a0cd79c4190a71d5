//! Tasks that end, or go out of reach, because the master says so.

use tepui_model::{AgentId, FrameworkKey, Reason, TaskId, TaskStatus};

use super::{Verdict, from_master};
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    frameworks::FrameworkState,
    notices::Notice,
};

impl Master {
    /// A task whose agent is taken out of the tables.
    pub(crate) fn lose_task(
        &mut self,
        key: FrameworkKey,
        id: &TaskId,
        (verdict, message): (Verdict, &str),
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let Some(task) = framework.tasks.get(id) else {
            return;
        };
        let ending = framework.state == FrameworkState::Ending;
        let state = verdict.state(framework.is_partition_aware());
        let agent = Some(task.agent_id().clone());
        let reason = match verdict {
            Verdict::GoneByOperator => Reason::AgentRemovedByOperator,
            _ => Reason::AgentRemoved,
        };
        if task.is_over() {
            // Its end was told, or will be by its agent.
            self.drop_task(key, id);
        } else {
            let mut status = from_master(self.now, id.clone(), agent, state, reason, message);
            if verdict == Verdict::Unreachable && !ending {
                status.unreachable_time = Some(self.now);
                self.put_out_of_reach(key, status, effects);
            } else {
                self.conclude(key, status, effects);
            }
        }
        self.finish_removal(key);
    }

    /// A task that may come back with its agent.
    fn put_out_of_reach(&mut self, key: FrameworkKey, status: TaskStatus, effects: &mut Effects) {
        let limit = self.config.max_unreachable_tasks_per_framework;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let Some(mut shared) = framework.tasks.remove(&status.task_id) else {
            return;
        };
        let task = super::Task::change(&mut shared);
        task.state = status.state;
        task.keep(status.clone());
        let (role, resources) = (task.role.clone(), task.resources.clone());
        let agent = task.agent_id().clone();
        framework.unreachable.insert(shared, self.now, limit);
        if let Some(agent) = self.agents.by_id.get(&agent).copied() {
            self.allocator.recover(key, &role, agent, &resources, None);
        }
        self.tell_and_publish(key, status, effects);
    }

    /// A task has ended: told, freed, and kept as history.
    pub(crate) fn conclude(
        &mut self,
        key: FrameworkKey,
        status: TaskStatus,
        effects: &mut Effects,
    ) {
        let id = status.task_id.clone();
        let Some(task) = self.task_mut(key, &id) else {
            return;
        };
        let was_over = task.is_over();
        task.state = status.state;
        task.keep(status.clone());
        let (role, resources) = (task.role.clone(), task.resources.clone());
        let agent = task.agent_id().clone();
        if let Some(agent) = self.agents.by_id.get(&agent).copied().filter(|_| !was_over) {
            self.allocator.recover(key, &role, agent, &resources, None);
        }
        self.drop_task(key, &id);
        self.tell_and_publish(key, status, effects);
    }

    /// The tasks of an agent that were out of reach never come back.
    pub(crate) fn conclude_unreachable(
        &mut self,
        key: FrameworkKey,
        agent: &AgentId,
        (verdict, reason, message): (Verdict, Reason, &str),
        effects: &mut Effects,
    ) {
        let now = self.now;
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let state = verdict.state(framework.is_partition_aware());
        for id in framework.unreachable.of_agent(agent) {
            let Some(framework) = self.frameworks.get_mut(key) else {
                return;
            };
            let Some(mut shared) = framework.unreachable.remove(&id) else {
                continue;
            };
            let task = super::Task::change(&mut shared);
            let status = from_master(now, id, Some(agent.clone()), state, reason, message);
            task.state = state;
            task.keep(status.clone());
            self.complete_task(key, shared);
            self.tell_and_publish(key, status, effects);
        }
    }

    fn tell_and_publish(&self, key: FrameworkKey, status: TaskStatus, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        effects.publish(Notice::TaskUpdated {
            framework_id: framework.id.clone(),
            state: status.state,
            status: Box::new(status.clone()),
        });
        self.tell(key, FrameworkEvent::Update(Box::new(status)), effects);
    }
}
