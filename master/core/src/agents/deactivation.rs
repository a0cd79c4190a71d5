//! Agents that operators took out of the offers, with their tasks or without (Mesos: DRN-01 to
//! DRN-03).

use core::time::Duration;

use tepui_model::{AgentId, AgentKey, Time};

use super::AgentState;
use crate::{
    Master,
    effects::{AgentCommand, Effects},
    record::{Change, Record, RecordKind},
};

/// Why an agent is not offered though it may be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deactivation {
    /// Its tasks are ended too.
    pub drain: Option<Drain>,
}

impl Deactivation {
    pub(crate) fn is_draining(&self) -> bool {
        self.drain
            .is_some_and(|drain| drain.state == DrainState::Draining)
    }
}

/// The end of all tasks of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How far it has come.
    pub state: DrainState,
    /// The longest that a task gets between TERM and KILL; its own policy when unset.
    pub max_grace_period: Option<Duration>,
    /// Whether the agent is given up when its last task has ended.
    pub mark_gone: bool,
    /// When it was asked for.
    pub since: Time,
}

/// How far a drain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainState {
    /// Tasks are left, or an end that was not acknowledged.
    Draining,
    /// Nothing is left.
    Drained,
}

impl Master {
    /// Takes an agent out of the offers, wherever it is, or changes why it is.
    pub(crate) fn deactivate(
        &mut self,
        id: &AgentId,
        deactivation: Deactivation,
        effects: &mut Effects,
    ) {
        self.agents.deactivated.insert(id.clone(), deactivation);
        effects.persist(Change::Put(Record::Deactivated {
            id: id.clone(),
            deactivation,
        }));
        if let Some(key) = self.agents.by_id.get(id).copied() {
            self.allocator.set_agent_active(key, false);
            self.rescind_offers_of_agent(key, effects);
            self.tell_drain(key, effects);
        }
    }

    /// Offers an agent again.
    pub(crate) fn reactivate(&mut self, id: &AgentId, effects: &mut Effects) {
        self.forget_deactivation(id, effects);
        if let Some(agent) = self.agents.find(id)
            && agent.state == AgentState::Connected
        {
            self.allocator.set_agent_active(agent.key, true);
        }
    }

    /// The agent is gone, and with it what was to become of it.
    pub(super) fn forget_deactivation(&mut self, id: &AgentId, effects: &mut Effects) {
        if self.agents.deactivated.remove(id).is_some() {
            let kind = RecordKind::Deactivated;
            effects.persist(Change::Delete(kind, id.to_string()));
        }
    }

    /// Tells a connected agent to drain, if it is to. One that returns is told again.
    pub(super) fn tell_drain(&mut self, key: AgentKey, effects: &mut Effects) {
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let deactivation = self.agents.deactivated.get(&agent.id).copied();
        let Some(drain) = deactivation.and_then(|deactivation| deactivation.drain) else {
            return;
        };
        if let Some(connection) = agent.connection {
            let command = AgentCommand::Drain {
                max_grace_period: drain.max_grace_period,
                mark_gone: drain.mark_gone,
            };
            effects.tell_agent(connection, command);
        }
        self.agents.emptied.insert(key);
    }

    /// Drains end with the last task, when its end was acknowledged.
    pub(crate) fn settle_drains(&mut self, effects: &mut Effects) {
        while let Some(key) = self.agents.emptied.pop_first() {
            let Some(agent) = self.agents.get(key).filter(|agent| agent.is_idle()) else {
                continue;
            };
            let id = agent.id.clone();
            let deactivation = self.agents.deactivated.get(&id).copied();
            let Some(drain) = deactivation.and_then(|deactivation| deactivation.drain) else {
                continue;
            };
            if drain.mark_gone {
                self.give_up_agent(key, effects);
            } else if drain.state == DrainState::Draining {
                let state = DrainState::Drained;
                let drain = Some(Drain { state, ..drain });
                let deactivation = Deactivation { drain };
                self.agents.deactivated.insert(id.clone(), deactivation);
                effects.persist(Change::Put(Record::Deactivated { id, deactivation }));
            }
        }
    }
}
