//! Agents that fall silent: pings, deadlines, and the registry's old entries (Mesos: TSK-03).

use tepui_model::{AgentId, AgentKey};

use super::{Address, AgentState, AgentStep};
use crate::{
    Master,
    effects::{AgentCommand, Effect, Effects},
    events::ConnectionId,
    master::Peer,
    record::{Change, RecordKind},
    timers::Timer,
};

impl Master {
    /// Whatever an agent says shows that it lives.
    pub(crate) fn heard_of_agent(&mut self, connection: ConnectionId) {
        let Some(Peer::Agent(key)) = self.connections.get(&connection) else {
            return;
        };
        if let Some(agent) = self.agents.get_mut(*key) {
            agent.unanswered_pings = 0;
        }
    }

    pub(crate) fn ping(&mut self, key: AgentKey, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Some(connection) = agent.connection else {
            return;
        };
        if agent.unanswered_pings >= self.config.max_agent_ping_timeouts {
            return self.lose_agent(key, "it does not answer pings", effects);
        }
        agent.unanswered_pings += 1;
        effects.tell_agent(connection, AgentCommand::Ping);
        self.timers
            .set(Timer::Ping(key), self.now + self.config.agent_ping_timeout);
    }

    /// The stream of an agent is over. Its tasks go on; it has as long to come back as a silent
    /// one has to answer.
    pub(crate) fn agent_disconnected(&mut self, connection: ConnectionId, effects: &mut Effects) {
        let Some(Peer::Agent(key)) = self.connections.get(&connection).copied() else {
            return;
        };
        self.connections.remove(&connection);
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Ok(state) = agent.state.next(AgentStep::Disconnect) else {
            return;
        };
        agent.state = state;
        agent.connection = None;
        self.timers.cancel(Timer::Ping(key));
        let deadline = self.now + self.config.agent_silence_limit();
        self.timers.set(Timer::AgentDeadline(key), deadline);
        self.allocator.set_agent_active(key, false);
        self.rescind_offers_of_agent(key, effects);
        self.forget_inverse_offers_of_agent(key, effects);
    }

    pub(crate) fn unregister_agent(&mut self, connection: ConnectionId, effects: &mut Effects) {
        if let Some(Peer::Agent(key)) = self.connections.get(&connection).copied() {
            self.remove_agent(key, "the agent unregistered", effects);
        }
    }

    /// Agents of the registry that did not come back after the master started.
    pub(crate) fn lose_recovered_agents(&mut self, effects: &mut Effects) {
        for (id, lost) in core::mem::take(&mut self.agents.recovered) {
            effects.persist(Change::Delete(RecordKind::Agent, id.to_string()));
            let address = Address::of(&lost.info);
            if self.agents.by_address.contains_key(&address) {
                // Another agent has registered there since: this one lost its id.
                self.note_gone(id, false, effects);
            } else {
                self.note_unreachable(id, effects);
            }
        }
    }

    /// Forgets agents that are lost for long, and the oldest beyond a number (Mesos: TSK-05).
    pub(crate) fn clear_registry(&mut self, effects: &mut Effects) {
        let limit = self.config.registry_max_agent_count;
        let horizon = self.now - self.config.registry_max_agent_age;
        while let Some(id) = self.agents.unreachable.pop_stale(horizon, limit) {
            effects.persist(Change::Delete(RecordKind::Unreachable, id.to_string()));
            self.forget_deactivation(&id, effects);
            self.forget_unreachable_tasks_on(&id);
        }
        while let Some(id) = self.agents.gone.pop_stale(horizon, limit) {
            effects.persist(Change::Delete(RecordKind::Gone, id.to_string()));
        }
        self.timers.set(
            Timer::RegistryGc,
            self.now + self.config.registry_gc_interval,
        );
    }

    /// The tasks of an agent that nobody waits for any more are unknown from now on, as they would
    /// be after a restart of the master.
    fn forget_unreachable_tasks_on(&mut self, agent: &AgentId) {
        for key in self.frameworks.keys() {
            let Some(framework) = self.frameworks.get_mut(key) else {
                continue;
            };
            for id in framework.unreachable.of_agent(agent) {
                framework.unreachable.remove(&id);
            }
        }
    }

    /// Ends the stream of an agent that is taken out of the tables.
    pub(super) fn cut_off(&mut self, key: AgentKey, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        if let Some(connection) = agent.connection.take() {
            self.connections.remove(&connection);
            effects.push(Effect::EndAgent { connection });
        }
        self.timers.cancel(Timer::Ping(key));
        self.timers.cancel(Timer::AgentDeadline(key));
    }

    /// Whether an agent is on its way to the tables, so that nothing can be said of its tasks.
    pub(crate) fn is_recovering(&self, agent: Option<&AgentId>) -> bool {
        match agent {
            Some(id) => self.agents.recovered.contains_key(id),
            None => !self.agents.recovered.is_empty(),
        }
    }

    /// Whether an agent is in the tables.
    pub(crate) fn is_registered(&self, id: &AgentId) -> bool {
        self.agents.find(id).is_some_and(|agent| {
            matches!(
                agent.state,
                AgentState::Connected | AgentState::Disconnected
            )
        })
    }
}

#[cfg(test)]
mod tests;
