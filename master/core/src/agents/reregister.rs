//! An agent registers under its id: master and agent agree again on its tasks.
//!
//! Agents own the truth about tasks. What the agent knows and the master does not is taken in; what
//! the master has and the agent does not know was never launched.

use std::{collections::BTreeMap, sync::Arc};

use tepui_model::{
    AgentId, AgentInfo, AgentKey, FrameworkId, FrameworkInfo, FrameworkKey, Reason, Role, TaskId,
};

use super::{Address, register::refuse};
use crate::{
    Master,
    effects::{AgentCommand, Effect, Effects, FrameworkEvent},
    events::{ConnectionId, KnownTask, Registration},
    frameworks::FrameworkState,
    notices::Notice,
    record::{Change, RecordKind},
    tasks::{Task, Verdict, from_master},
    timers::Timer,
};

/// Where an agent was before it came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// In the tables, connected or not.
    Present(AgentKey),
    /// In the registry, or nowhere: its tasks are learned from it.
    Recovered,
    /// Given up: its tasks were reported unreachable or lost (Mesos: TSK-04).
    Unreachable,
}

impl Master {
    pub(super) fn reregister_agent(
        &mut self,
        connection: ConnectionId,
        id: AgentId,
        mut registration: Registration,
        effects: &mut Effects,
    ) {
        if self.agents.gone.contains(&id) {
            let problem = format!("agent {id} has been removed; it must register anew");
            return refuse(connection, problem, true, effects);
        }
        let origin = self.origin(&id);
        if let Err(problem) = self.check_reregistration(origin, &id, &registration.info) {
            return refuse(connection, problem, false, effects);
        }
        let tasks = core::mem::take(&mut registration.tasks);
        let frameworks = core::mem::take(&mut registration.frameworks);
        let (key, is_news) = match origin {
            Origin::Present(key) => (key, self.meet_again(key, registration, effects)),
            _ => (self.bring_back(id, registration, effects), true),
        };
        self.admit(key, connection, is_news, effects);
        self.learn_frameworks(&tasks, frameworks, effects);
        self.agree_on_tasks(key, origin, tasks, effects);
    }

    fn origin(&self, id: &AgentId) -> Origin {
        if let Some(key) = self.agents.by_id.get(id) {
            Origin::Present(*key)
        } else if self.agents.unreachable.contains(id) {
            Origin::Unreachable
        } else {
            Origin::Recovered
        }
    }

    fn check_reregistration(
        &self,
        origin: Origin,
        id: &AgentId,
        info: &AgentInfo,
    ) -> Result<(), String> {
        let known = match origin {
            Origin::Present(key) => self.agents.get(key).map(|agent| &agent.info),
            _ => {
                self.has_room_for_agent()?;
                self.agents.recovered.get(id).map(|agent| &agent.info)
            }
        };
        match known {
            // Mesos: AGT-05.
            Some(known) if Address::of(known) != Address::of(info) => Err(format!(
                "agent {id} was at {}:{} and cannot come back at {}:{}",
                known.hostname, known.port, info.hostname, info.port,
            )),
            _ => Ok(()),
        }
    }

    /// An agent of the tables on a new stream. Whether it is different from before.
    fn meet_again(
        &mut self,
        key: AgentKey,
        registration: Registration,
        effects: &mut Effects,
    ) -> bool {
        if let Some(old) = self.agents.get(key).and_then(|agent| agent.connection) {
            effects.push(Effect::EndAgent { connection: old });
            self.agent_disconnected(old, effects);
        }
        let now = self.now;
        let Some(agent) = self.agents.get_mut(key) else {
            return false;
        };
        let info = registration.info.with_id(agent.id.clone());
        let is_news = agent.info.wire != info.wire || agent.version != registration.version;
        agent.info = info;
        agent.version = registration.version;
        agent.capabilities = registration.capabilities;
        agent.reregistered = Some(now);
        if is_news {
            let total = agent.info.resources.clone();
            self.allocator.update_agent_total(key, total);
        }
        is_news
    }

    /// An agent that is not in the tables.
    fn bring_back(
        &mut self,
        id: AgentId,
        registration: Registration,
        effects: &mut Effects,
    ) -> AgentKey {
        let recovered = self.agents.recovered.remove(&id);
        if self.agents.recovered.is_empty() {
            self.timers.cancel(Timer::RecoveredAgents);
        }
        if self.agents.unreachable.remove(&id).is_some() {
            let kind = RecordKind::Unreachable;
            effects.persist(Change::Delete(kind, id.to_string()));
        }
        let now = self.now;
        let key = self.add_agent(id, registration);
        if let Some(agent) = self.agents.get_mut(key) {
            agent.reregistered = Some(now);
            agent.registered = recovered.map_or(now, |record| record.registered);
        }
        key
    }

    /// Frameworks that only the agents know: they subscribed, and the registry that said so is
    /// lost. They may come back as those that the master remembers.
    fn learn_frameworks(
        &mut self,
        tasks: &[KnownTask],
        frameworks: Vec<FrameworkInfo>,
        effects: &mut Effects,
    ) {
        for info in frameworks {
            let Some(id) = info.id.clone() else { continue };
            let is_used = tasks.iter().any(|task| task.framework_id == id);
            if !is_used || self.frameworks.by_id.contains_key(&id) {
                continue;
            }
            if self.frameworks.is_removed(&id) {
                self.add_framework(id, info, FrameworkState::Ending, Default::default());
                continue;
            }
            let state = FrameworkState::Recovered;
            let key = self.add_framework(id, info, state, Default::default());
            self.set_recovered_deadline(key, effects);
            if let Some(framework) = self.frameworks.get(key) {
                let view = Box::new(self.framework_view(framework));
                effects.publish(Notice::FrameworkAdded(view));
            }
        }
    }

    fn agree_on_tasks(
        &mut self,
        key: AgentKey,
        origin: Origin,
        tasks: Vec<KnownTask>,
        effects: &mut Effects,
    ) {
        let mut known: BTreeMap<(FrameworkId, TaskId), KnownTask> = BTreeMap::new();
        for task in tasks {
            known.insert((task.framework_id.clone(), task.task.id.clone()), task);
        }
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let id = agent.id.clone();
        for (framework, task) in agent.tasks.clone() {
            let framework_id = self
                .frameworks
                .get(framework)
                .map(|framework| framework.id.clone());
            let is_known = framework_id.is_some_and(|id| known.contains_key(&(id, task.clone())));
            if !is_known {
                self.give_up_task(framework, &task, effects);
            }
        }
        let keys: Vec<_> = self
            .frameworks
            .iter()
            .map(|framework| framework.key)
            .collect();
        for task in known.into_values() {
            self.take_in(key, origin, task, effects);
        }
        for framework in keys {
            self.give_up_unreachable(framework, &id, effects);
            self.settle_removed(framework, &id, effects);
        }
    }

    /// A task that the master sent and its agent does not know.
    fn give_up_task(&mut self, key: FrameworkKey, id: &TaskId, effects: &mut Effects) {
        let now = self.now;
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let aware = framework.is_partition_aware();
        let Some(task) = framework.tasks.get(id) else {
            return;
        };
        let agent_id = task.agent_id().clone();
        let status = if task.is_over() {
            // It ended, and its agent has forgotten it; the framework may not have heard.
            let message = "Task ended and is unknown to its agent";
            let reason = Reason::Reconciliation;
            from_master(now, id.clone(), Some(agent_id), task.state, reason, message)
        } else {
            let state = Verdict::Dropped.state(aware);
            let message = "Reconciliation: task unknown to the agent";
            let reason = Reason::Reconciliation;
            from_master(now, id.clone(), Some(agent_id), state, reason, message)
        };
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
        let Some(key) = self.frameworks.by_id.get(&known.framework_id).copied() else {
            let framework_id = known.framework_id;
            let Some(agent) = self.agents.get(agent_key).map(|agent| agent.id.clone()) else {
                return;
            };
            return self.command(
                &agent,
                AgentCommand::ShutdownFramework { framework_id },
                effects,
            );
        };
        let (Some(framework), Some(agent)) =
            (self.frameworks.get_mut(key), self.agents.get_mut(agent_key))
        else {
            return;
        };
        let id = known.task.id.clone();
        let there = agent.id.clone();
        match framework.tasks.get_mut(&id) {
            Some(task) if *task.agent_id() == there => {
                let was_over = task.is_over();
                task.advance(known.latest.state);
                if task.is_over() && !was_over {
                    let (role, resources) = (task.role.clone(), task.info.resources.clone());
                    self.allocator
                        .recover(key, &role, agent_key, &resources, None);
                }
            }
            Some(_) if known.latest.state.is_terminal() => return,
            Some(_) => {
                // Its id was used again meanwhile; see `Master::end_stranger`.
                let framework_id = known.framework_id;
                let command = AgentCommand::KillTask {
                    framework_id,
                    task_id: id,
                    grace: None,
                };
                return self.command(&there, command, effects);
            }
            None => self.adopt(agent_key, key, origin, known, effects),
        }
        self.remind_of_kill(key, &id, effects);
    }

    fn adopt(
        &mut self,
        agent_key: AgentKey,
        key: FrameworkKey,
        origin: Origin,
        known: KnownTask,
        effects: &mut Effects,
    ) {
        let (Some(framework), Some(agent)) =
            (self.frameworks.get_mut(key), self.agents.get_mut(agent_key))
        else {
            return;
        };
        let id = known.task.id.clone();
        let first_role = framework.info.roles.first().cloned().unwrap_or_default();
        let role: Role = known.task.allocation_role.clone().unwrap_or(first_role);
        let mut info = known.task;
        info.allocation_role = Some(role.clone());
        info.agent_id = agent.id.clone();
        let info = Arc::new(info);
        let mut task = Task::known(Arc::clone(&info), role.clone(), known.latest);
        let lost = framework.unreachable.remove(&id);
        if let Some(lost) = lost {
            task.kill = lost.kill;
        }
        if !task.is_over() {
            self.allocator
                .charge(key, &role, agent_key, &info.resources);
        }
        let state = task.state;
        let returned = (origin == Origin::Unreachable).then(|| {
            let reason = Reason::AgentReregistered;
            let message = "Unreachable agent re-registered";
            let agent_id = Some(agent.id.clone());
            let mut status = from_master(self.now, id.clone(), agent_id, state, reason, message);
            if let Some(latest) = task.statuses.last() {
                status.healthy = latest.healthy;
                status.passengers = latest.passengers.clone();
            }
            status
        });
        agent.tasks.insert((key, id.clone()));
        framework.tasks.insert(id, task);
        let framework_id = framework.id.clone();
        effects.publish(Notice::TaskAdded {
            framework_id,
            task: info,
            state,
        });
        // The end of a task is told by its agent, which wants to hear that it was heard.
        if let Some(status) = returned.filter(|status| !status.state.is_terminal()) {
            self.tell(key, FrameworkEvent::Update(Box::new(status)), effects);
        }
    }

    /// A kill that the agent may not have heard of (Mesos: KIL-03).
    fn remind_of_kill(&self, key: FrameworkKey, id: &TaskId, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let Some(task) = framework.tasks.get(id) else {
            return;
        };
        if let Some(wish) = task.kill
            && !task.is_over()
        {
            let (framework_id, task_id) = (framework.id.clone(), id.clone());
            let command = AgentCommand::KillTask {
                framework_id,
                task_id,
                grace: wish.grace,
            };
            self.command(task.agent_id(), command, effects);
        }
    }

    /// Tasks that were unreachable and that their agent has forgotten.
    fn give_up_unreachable(&mut self, key: FrameworkKey, agent: &AgentId, effects: &mut Effects) {
        let message = "Reconciliation: task unknown to the agent";
        let why = (Verdict::Gone, Reason::Reconciliation, message);
        self.conclude_unreachable(key, agent, why, effects);
    }

    /// The tasks of removed frameworks are ended.
    fn settle_removed(&mut self, key: FrameworkKey, agent: &AgentId, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        if framework.state != FrameworkState::Ending {
            return;
        }
        let here = framework
            .tasks
            .values()
            .filter(|task| task.agent_id() == agent);
        let ids: Vec<TaskId> = here.map(|task| task.id().clone()).collect();
        for id in &ids {
            self.end_task(key, id, effects);
        }
        self.forget_framework_on(key, agent, effects);
        self.finish_removal(key);
    }
}
