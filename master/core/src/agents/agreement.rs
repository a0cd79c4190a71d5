//! Master and agent agree again on the agent's tasks.
//!
//! Agents own the truth about tasks. What the agent knows and the master does not is taken in; what
//! the master has and the agent does not know was never launched.

use std::collections::BTreeMap;

use tepui_model::{AgentId, AgentKey, FrameworkId, FrameworkKey, Reason, TaskId, TaskState};

use super::reregister::Origin;
use crate::{
    Master,
    effects::{AgentCommand, Effects},
    events::KnownTask,
    frameworks::{Framework, FrameworkState},
    tasks::{Verdict, from_master},
};

impl Master {
    pub(super) fn agree_on_tasks(
        &mut self,
        key: AgentKey,
        origin: Origin,
        tasks: Vec<KnownTask>,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let id = agent.id.clone();
        let name = |task: &KnownTask| (task.framework_id.clone(), task.task.id.clone());
        let known: BTreeMap<(FrameworkId, TaskId), KnownTask> =
            tasks.into_iter().map(|task| (name(&task), task)).collect();
        for (framework, task) in agent.tasks.clone() {
            let owner = self
                .frameworks
                .get(framework)
                .map(|framework| framework.id.clone());
            if !owner.is_some_and(|owner| known.contains_key(&(owner, task.clone()))) {
                self.give_up_task(framework, &task, effects);
            }
        }
        let frameworks = self.frameworks.keys();
        for task in known.into_values() {
            self.take_in(key, origin, task, effects);
        }
        for framework in frameworks {
            let why = (
                Verdict::Gone,
                Reason::Reconciliation,
                "Reconciliation: task unknown to the agent",
            );
            self.conclude_unreachable(framework, &id, why, effects);
            self.settle_removed(framework, key, effects);
        }
    }

    /// A task that the master sent and its agent does not know: it never arrived, or it ended and
    /// the framework may not have heard so.
    fn give_up_task(&mut self, key: FrameworkKey, id: &TaskId, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let Some(task) = framework.tasks.get(id) else {
            return;
        };
        let (state, message) = if task.is_over() {
            (
                task.state,
                "Reconciliation: task ended, and its agent has forgotten it",
            )
        } else {
            let dropped = Verdict::Dropped.state(framework.is_partition_aware());
            (dropped, "Reconciliation: task unknown to the agent")
        };
        let agent = Some(task.agent_id().clone());
        let reason = Reason::Reconciliation;
        let status = from_master(self.now, id.clone(), agent, state, reason, message);
        self.conclude(key, status, effects);
    }

    /// A task that its agent knows.
    fn take_in(
        &mut self,
        agent_key: AgentKey,
        origin: Origin,
        known: KnownTask,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get(agent_key).map(|agent| agent.id.clone()) else {
            return;
        };
        let Some(key) = self.frameworks.by_id.get(&known.framework_id).copied() else {
            let framework_id = known.framework_id;
            let command = AgentCommand::ShutdownFramework { framework_id };
            return self.command(&agent, command, effects);
        };
        let id = known.task.id.clone();
        let place = self
            .task_mut(key, &id)
            .map(|task| *task.agent_id() == agent);
        match place {
            Some(true) => self.catch_up(key, agent_key, &id, known.latest.state),
            Some(false) => return self.end_namesake(&agent, known, effects),
            None => self.adopt(
                key,
                agent_key,
                origin == Origin::Unreachable,
                known,
                effects,
            ),
        }
        self.remind_of_kill(key, &id, effects);
    }

    /// A task that went on while its agent was away. The agent tells its updates itself.
    fn catch_up(&mut self, key: FrameworkKey, agent: AgentKey, id: &TaskId, state: TaskState) {
        let Some(task) = self.task_mut(key, id) else {
            return;
        };
        let was_over = task.is_over();
        task.advance(state);
        if task.is_over() && !was_over {
            let (role, resources) = (task.role.clone(), task.resources.clone());
            self.allocator.recover(key, &role, agent, &resources, None);
        }
    }

    /// Its id was used again meanwhile, on another agent; there can be only one.
    fn end_namesake(&self, agent: &AgentId, known: KnownTask, effects: &mut Effects) {
        if !known.latest.state.is_terminal() {
            let (framework_id, task_id) = (known.framework_id, known.task.id);
            let command = AgentCommand::KillTask {
                framework_id,
                task_id,
                grace: None,
                preempted: None,
            };
            self.command(agent, command, effects);
        }
    }

    /// The tasks of removed frameworks are ended.
    fn settle_removed(&mut self, key: FrameworkKey, agent: AgentKey, effects: &mut Effects) {
        let is_removed = |framework: &Framework| framework.state == FrameworkState::Ending;
        if !self.frameworks.get(key).is_some_and(is_removed) {
            return;
        }
        let Some(here) = self.agents.get(agent) else {
            return;
        };
        let agent = here.id.clone();
        let own = here.tasks.iter().filter(|(owner, _)| *owner == key);
        let ids: Vec<TaskId> = own.map(|(_, id)| id.clone()).collect();
        for id in &ids {
            self.end_task(key, id, effects);
        }
        self.forget_framework_on(key, &agent, effects);
        self.finish_removal(key);
    }
}
