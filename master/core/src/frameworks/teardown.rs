//! A framework is removed: its tasks are ended, and what they take is freed as they end.

use std::collections::BTreeSet;

use tepui_model::{AgentId, FrameworkKey, TaskId};

use super::{CompletedFramework, FrameworkState, FrameworkStep};
use crate::{
    Master,
    agents::Agent,
    effects::{AgentCommand, Effect, Effects, Ending, FrameworkEvent},
    notices::Notice,
    record::{Change, Record, RecordKind},
    tasks::KillWish,
    timers::Timer,
};

impl Master {
    /// Removes a framework at its own wish or, with a text for it to hear, at an operator's
    /// (Mesos: FWK-05).
    pub(crate) fn teardown(
        &mut self,
        key: FrameworkKey,
        told: Option<&str>,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        if let Some(connection) = framework.connection.take() {
            self.connections.remove(&connection);
            if let Some(text) = told {
                effects.tell_framework(connection, FrameworkEvent::Error(text.to_owned()));
            }
            effects.push(Effect::EndFramework {
                connection,
                ending: Ending::Done,
            });
        }
        self.remove_framework(key, effects);
    }

    pub(crate) fn framework_timed_out(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let connected = |state| state == FrameworkState::Connected;
        if self
            .frameworks
            .get(key)
            .is_some_and(|framework| !connected(framework.state))
        {
            self.remove_framework(key, effects);
        }
    }

    /// From here on the framework is history, but for its tasks that have not ended yet.
    pub(super) fn remove_framework(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let now = self.now;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let Ok(state) = framework.state.next(FrameworkStep::Remove) else {
            return;
        };
        framework.state = state;
        let id = framework.id.clone();
        let completed = CompletedFramework {
            id: id.clone(),
            info: framework.info.wire.clone(),
            constraints: framework.terms.stated.clone(),
            registered: framework.registered,
            reregistered: framework.reregistered,
            unregistered: now,
            tasks: core::mem::take(&mut framework.completed),
        };
        effects.persist(Change::Delete(RecordKind::Framework, id.to_string()));
        effects.persist(Change::Put(Record::RemovedFramework {
            id: id.clone(),
            since: now,
        }));
        effects.publish(Notice::FrameworkRemoved(completed.info.clone()));
        if let Some(oldest) =
            self.frameworks
                .remember_removed(id, now, self.config.limits.removed_frameworks)
        {
            let kind = RecordKind::RemovedFramework;
            effects.persist(Change::Delete(kind, oldest.to_string()));
        }
        self.keep_completed(completed);
        self.timers.cancel(Timer::FrameworkDeadline(key));
        self.allocator.set_framework_active(key, false);
        self.forget_offers(key, effects);
        self.forget_unreachable_tasks(key);
        self.hear_out_operations(key, effects);
        self.end_tasks(key, effects);
    }

    fn keep_completed(&mut self, completed: CompletedFramework) {
        let limit = self.config.max_completed_frameworks;
        self.frameworks.completed.push_back(completed);
        while self.frameworks.completed.len() > limit {
            self.frameworks.completed.pop_front();
        }
    }

    fn forget_unreachable_tasks(&mut self, key: FrameworkKey) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        for task in framework.unreachable.take() {
            self.complete_task(key, task);
        }
    }

    /// Asks the agents for the end of every task. Nobody will acknowledge their updates but the
    /// master.
    fn end_tasks(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let ids: Vec<TaskId> = framework.tasks.keys().cloned().collect();
        let agents: BTreeSet<AgentId> = framework
            .tasks
            .values()
            .map(|task| task.agent_id().clone())
            .chain(self.agents_with_executors(key))
            .collect();
        for id in ids {
            self.end_task(key, &id, effects);
        }
        for agent in agents {
            self.forget_framework_on(key, &agent, effects);
        }
        self.finish_removal(key);
    }

    /// Moves a task of a removed framework one step nearer to its end.
    pub(crate) fn end_task(&mut self, key: FrameworkKey, id: &TaskId, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let framework_id = framework.id.clone();
        let Some(task) = framework.task_mut(id) else {
            return;
        };
        let agent_id = task.agent_id().clone();
        let told = task.told;
        if let Some(uuid) = told.and_then(|told| told.uuid) {
            let (framework_id, task_id) = (framework_id.clone(), id.clone());
            let command = AgentCommand::Acknowledge {
                framework_id,
                task_id,
                uuid,
            };
            self.command(&agent_id, command, effects);
        }
        if told.is_some_and(|told| told.state.is_terminal()) {
            return self.drop_task(key, id);
        }
        let Some(task) = self.task_mut(key, id) else {
            return;
        };
        if !task.is_over() && task.kill.is_none() {
            task.kill = Some(KillWish::default());
            let command = AgentCommand::KillTask {
                framework_id,
                task_id: id.clone(),
                grace: None,
                preempted: None,
            };
            self.command(&agent_id, command, effects);
        }
    }

    /// Tells an agent to forget a removed framework once nothing of it is left there. Executors are
    /// ended with their tasks at once, for those may not listen.
    pub(crate) fn forget_framework_on(
        &self,
        key: FrameworkKey,
        agent: &AgentId,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let left = |agent: &Agent| {
            let executes = agent.executors.keys().any(|(owner, _)| *owner == key);
            !executes && agent.tasks.iter().any(|(owner, _)| *owner == key)
        };
        if self.agents.find(agent).is_none_or(left) {
            return;
        }
        let framework_id = framework.id.clone();
        self.command(
            agent,
            AgentCommand::ShutdownFramework { framework_id },
            effects,
        );
    }

    /// Forgets a removed framework when its last task and its last executor have ended.
    pub(crate) fn finish_removal(&mut self, key: FrameworkKey) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        if framework.state != FrameworkState::Ending || self.is_still_ending(key) {
            return;
        }
        let id = framework.id.clone();
        self.allocator.remove_framework(key);
        self.forget_wastes_of(key);
        self.frameworks.slab.remove(key);
        self.frameworks.by_id.remove(&id);
    }
}

#[cfg(test)]
mod tests;
