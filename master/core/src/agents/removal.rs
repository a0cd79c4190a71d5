//! Agents that are lost or removed, and what becomes of their tasks (Mesos: TSK-04).

use tepui_model::{AgentId, AgentKey, FrameworkKey, Reason, TaskId, TaskStatus};

use super::AgentStep;
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    frameworks::FrameworkState,
    notices::Notice,
    record::{Change, LostAgent, Record, RecordKind},
    tasks::{Verdict, from_master},
};

impl Master {
    /// An agent was silent for too long. It may come back with its tasks.
    pub(crate) fn lose_agent(&mut self, key: AgentKey, why: &str, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Ok(state) = agent.state.next(AgentStep::Lose) else {
            return;
        };
        agent.state = state;
        let message = format!("Agent {} is unreachable: {why}", agent.info.hostname);
        let id = self.take_out(key, Verdict::Unreachable, &message, effects);
        if let Some(id) = id {
            self.note_unreachable(id, effects);
        }
    }

    pub(super) fn note_unreachable(&mut self, id: AgentId, effects: &mut Effects) {
        let lost = LostAgent {
            id: id.clone(),
            since: self.now,
        };
        effects.persist(Change::Put(Record::Unreachable(lost)));
        self.agents.unreachable.insert(id.clone(), self.now);
        self.tell_failure(&id, effects);
    }

    /// An agent is removed for good, with its tasks.
    pub(crate) fn remove_agent(&mut self, key: AgentKey, why: &str, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Ok(state) = agent.state.next(AgentStep::Remove) else {
            return;
        };
        agent.state = state;
        let message = format!("Agent {} removed: {why}", agent.info.hostname);
        let Some(id) = self.take_out(key, Verdict::Gone, &message, effects) else {
            return;
        };
        self.note_gone(id, effects);
    }

    /// An operator gives an agent of the tables up (Mesos: GON-01).
    pub(crate) fn give_up_agent(&mut self, key: AgentKey, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Ok(state) = agent.state.next(AgentStep::Remove) else {
            return;
        };
        agent.state = state;
        let message = format!("Agent {} has been marked gone", agent.info.hostname);
        if let Some(connection) = agent.connection {
            let refused = AgentCommand::Refused {
                message: message.clone(),
                forget_identity: true,
            };
            effects.to_agent(connection, refused);
        }
        if let Some(id) = self.take_out(key, Verdict::GoneByOperator, &message, effects) {
            self.note_gone(id, effects);
        }
    }

    /// An operator gives up an agent that is not in the tables.
    pub(crate) fn give_up_absent_agent(&mut self, id: &AgentId, effects: &mut Effects) {
        if self.agents.recovered.remove(id).is_some() {
            effects.persist(Change::Delete(RecordKind::Agent, id.to_string()));
        }
        if self.agents.unreachable.remove(id).is_some() {
            effects.persist(Change::Delete(RecordKind::Unreachable, id.to_string()));
        }
        let keys: Vec<_> = self
            .frameworks
            .iter()
            .map(|framework| framework.key)
            .collect();
        for key in keys {
            self.give_up_unreachable_tasks(key, id, effects);
        }
        self.note_gone(id.clone(), effects);
    }

    fn note_gone(&mut self, id: AgentId, effects: &mut Effects) {
        let gone = LostAgent {
            id: id.clone(),
            since: self.now,
        };
        effects.persist(Change::Put(Record::Gone(gone)));
        self.agents.gone.insert(id.clone(), self.now);
        self.tell_failure(&id, effects);
    }

    fn give_up_unreachable_tasks(
        &mut self,
        key: FrameworkKey,
        agent: &AgentId,
        effects: &mut Effects,
    ) {
        let message = "Agent has been marked gone";
        let why = (
            Verdict::GoneByOperator,
            Reason::AgentRemovedByOperator,
            message,
        );
        self.conclude_unreachable(key, agent, why, effects);
    }

    /// Tasks out of reach that never come back.
    pub(super) fn conclude_unreachable(
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
            let Some(mut task) = framework.unreachable.remove(&id) else {
                continue;
            };
            let status = from_master(now, id, Some(agent.clone()), state, reason, message);
            task.state = state;
            task.keep(status.clone());
            self.complete_task(key, task);
            self.tell_and_publish(key, status, effects);
        }
    }

    /// Takes an agent out of the tables, with all that is on it.
    fn take_out(
        &mut self,
        key: AgentKey,
        verdict: Verdict,
        message: &str,
        effects: &mut Effects,
    ) -> Option<AgentId> {
        self.cut_off(key, effects);
        self.allocator.set_agent_active(key, false);
        self.rescind_offers_of_agent(key, effects);
        let agent = self.agents.get(key)?;
        let id = agent.id.clone();
        let tasks = agent.tasks.clone();
        effects.persist(Change::Delete(RecordKind::Agent, id.to_string()));
        for (framework, task) in &tasks {
            self.lose_task(*framework, task, verdict, message, effects);
        }
        self.allocator.remove_agent(key);
        self.agents.remove(key);
        effects.publish(Notice::AgentRemoved(id.clone()));
        Some(id)
    }

    /// A task whose agent is taken out of the tables.
    fn lose_task(
        &mut self,
        key: FrameworkKey,
        id: &TaskId,
        verdict: Verdict,
        message: &str,
        effects: &mut Effects,
    ) {
        let now = self.now;
        let limit = self.config.max_unreachable_tasks_per_framework;
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let (aware, state) = (framework.is_partition_aware(), framework.state);
        let Some(task) = framework.tasks.get(id) else {
            return;
        };
        if task.is_over() {
            // Its end was told, or will be by its agent.
            self.drop_task(key, id);
            return self.finish_removal(key);
        }
        let told = verdict.state(aware);
        let agent_id = Some(task.agent_id().clone());
        let reason = match verdict {
            Verdict::GoneByOperator => Reason::AgentRemovedByOperator,
            _ => Reason::AgentRemoved,
        };
        let mut status = from_master(now, id.clone(), agent_id, told, reason, message);
        status.unreachable_time = (verdict == Verdict::Unreachable).then_some(now);
        if verdict != Verdict::Unreachable || state == FrameworkState::Ending {
            self.conclude(key, status, effects);
            return self.finish_removal(key);
        }
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let Some(mut task) = framework.tasks.remove(id) else {
            return;
        };
        let agent = self.agents.by_id.get(task.agent_id()).copied();
        task.state = told;
        task.keep(status.clone());
        let (role, resources) = (task.role.clone(), task.info.resources.clone());
        framework.unreachable.insert(task, now, limit);
        if let Some(agent) = agent {
            self.allocator.recover(key, &role, agent, &resources, None);
        }
        self.tell_and_publish(key, status, effects);
    }

    /// A task has ended because the master says so: told, freed, and kept as history.
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
        let (role, resources) = (task.role.clone(), task.info.resources.clone());
        let agent = task.agent_id().clone();
        if let Some(agent) = self.agents.by_id.get(&agent).copied().filter(|_| !was_over) {
            self.allocator.recover(key, &role, agent, &resources, None);
        }
        self.drop_task(key, &id);
        self.tell_and_publish(key, status, effects);
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

    /// Every framework hears that an agent is lost, whether it has tasks there or not.
    fn tell_failure(&self, id: &AgentId, effects: &mut Effects) {
        for framework in self.frameworks.iter() {
            let failure = FrameworkEvent::Failure {
                agent_id: id.clone(),
                executor_id: None,
                status: None,
            };
            self.tell(framework.key, failure, effects);
        }
    }
}
