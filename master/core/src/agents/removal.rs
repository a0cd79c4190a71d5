//! Agents that are lost or removed, and what becomes of their tasks (Mesos: TSK-04).

use tepui_model::{AgentId, AgentKey, Reason};

use super::AgentStep;
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    notices::Notice,
    record::{Change, LostAgent, Record, RecordKind},
    tasks::Verdict,
};

/// Why an agent that registered anew is removed under its old id.
pub(super) const SUPERSEDED: &str = "a new agent registered at the same address";

impl Master {
    /// An agent was silent for too long. It may come back with its tasks, unless it lost its id:
    /// then another one is at its address.
    pub(crate) fn lose_agent(&mut self, key: AgentKey, why: &str, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        if agent.is_superseded {
            return self.remove_agent(key, SUPERSEDED, effects);
        }
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
            by_operator: false,
        };
        effects.persist(Change::Put(Record::Unreachable(lost.clone())));
        self.agents.unreachable.insert(lost);
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
        self.note_gone(id, false, effects);
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
                shut_down: true,
            };
            effects.tell_agent(connection, refused);
        }
        if let Some(id) = self.take_out(key, Verdict::GoneByOperator, &message, effects) {
            self.note_gone(id, true, effects);
        }
    }

    /// An operator gives up an agent that is not in the tables, for good or for the time that its
    /// machine is down.
    pub(crate) fn give_up_absent_agent(
        &mut self,
        id: &AgentId,
        verdict: Verdict,
        message: &str,
        effects: &mut Effects,
    ) {
        if self.agents.recovered.remove(id).is_some() {
            effects.persist(Change::Delete(RecordKind::Agent, id.to_string()));
        }
        if self.agents.unreachable.remove(id).is_some() {
            effects.persist(Change::Delete(RecordKind::Unreachable, id.to_string()));
        }
        let by_operator = verdict == Verdict::GoneByOperator;
        let reason = match by_operator {
            true => Reason::AgentRemovedByOperator,
            false => Reason::AgentRemoved,
        };
        let why = (verdict, reason, message);
        for key in self.frameworks.keys() {
            self.conclude_unreachable(key, id, why, effects);
        }
        self.note_gone(id.clone(), by_operator, effects);
    }

    pub(super) fn note_gone(&mut self, id: AgentId, by_operator: bool, effects: &mut Effects) {
        let gone = LostAgent {
            id: id.clone(),
            since: self.now,
            by_operator,
        };
        effects.persist(Change::Put(Record::Gone(gone.clone())));
        self.forget_deactivation(&id, effects);
        self.agents.gone.insert(gone);
        self.tell_failure(&id, effects);
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
        self.maintenance.agents.remove(&key);
        self.forget_inverse_offers_of_agent(key, effects);
        self.allocator.set_agent_active(key, false);
        self.rescind_offers_of_agent(key, effects);
        let agent = self.agents.get(key)?;
        let id = agent.id.clone();
        let tasks = agent.tasks.clone();
        effects.persist(Change::Delete(RecordKind::Agent, id.to_string()));
        for (framework, task) in &tasks {
            self.lose_task(*framework, task, (verdict, message), effects);
        }
        self.lose_executors(key);
        self.lose_operations(key, (verdict, message), effects);
        self.allocator.remove_agent(key);
        self.agents.remove(key);
        effects.publish(Notice::AgentRemoved(id.clone()));
        Some(id)
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

#[cfg(test)]
mod tests;
