//! An agent registers for the first time (Mesos: AGT-01).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{AgentId, AgentInfo, AgentKey, ImageNames};

use super::{Address, Agent, AgentState, removal::SUPERSEDED};
use crate::{
    Master,
    effects::{AgentCommand, Effect, Effects},
    events::{ConnectionId, Registration},
    master::Peer,
    notices::Notice,
    operations::Ledger,
    timers::Timer,
};

impl Master {
    pub(crate) fn register_agent(
        &mut self,
        connection: ConnectionId,
        registration: Registration,
        effects: &mut Effects,
    ) {
        if self.connections.contains_key(&connection) {
            effects.warn("ending a stream on which an agent registered twice");
            self.agent_disconnected(connection, effects);
            return effects.push(Effect::EndAgent { connection });
        }
        let down = self.down_machine(&registration.info, registration.ip.as_deref());
        if let Some(problem) = down {
            return dismiss(connection, problem, effects);
        }
        if let Err(problem) = self.check_domain(&registration.info) {
            return refuse(connection, problem, false, effects);
        }
        match registration.info.id.clone() {
            Some(id) => self.reregister_agent(connection, id, registration, effects),
            None => self.register_new_agent(connection, registration, effects),
        }
    }

    fn register_new_agent(
        &mut self,
        connection: ConnectionId,
        registration: Registration,
        effects: &mut Effects,
    ) {
        if !registration.tasks.is_empty() || !registration.operations.is_empty() {
            let problem = "an agent without an id cannot have tasks or operations";
            return refuse(connection, problem.to_owned(), false, effects);
        }
        self.replace_agent_at(&Address::of(&registration.info), effects);
        if let Err(problem) = self.has_room_for_agent() {
            return refuse(connection, problem, false, effects);
        }
        let id = self.ids.next_agent();
        let key = self.add_agent(id, registration);
        self.admit(key, connection, true, effects);
    }

    /// Without a domain of its own the master cannot tell which agents are remote (Mesos: DOM-01).
    fn check_domain(&self, info: &AgentInfo) -> Result<(), String> {
        match (&info.domain, self.domain()) {
            (Some(domain), None) => Err(format!(
                "the agent is in domain {domain} and the master in none; set --domain of the master"
            )),
            (None, _) if self.config.require_agent_domain => Err(
                "the agent is in no domain, and the master requires one; set --domain of the agent"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// An agent without an id where another one was: the old one's work dir is gone, and so are
    /// its tasks. While the old one is connected, both are there, whatever they call themselves.
    fn replace_agent_at(&mut self, address: &Address, effects: &mut Effects) {
        let Some(key) = self.agents.by_address.get(address).copied() else {
            return;
        };
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        agent.is_superseded = true;
        if agent.state == AgentState::Disconnected {
            self.remove_agent(key, SUPERSEDED, effects);
        }
    }

    pub(super) fn has_room_for_agent(&self) -> Result<(), String> {
        let limit = self.config.limits.agents;
        if self.agents.slab.len() >= limit {
            return Err(format!("there are {limit} agents already"));
        }
        Ok(())
    }

    /// A new agent in the tables, not yet connected and without tasks.
    pub(super) fn add_agent(&mut self, id: AgentId, registration: Registration) -> AgentKey {
        let now = self.now;
        let info = registration.info.with_id(id.clone());
        let total = info.resources.clone();
        let key = self.agents.insert_with(|key| Agent {
            key,
            id,
            info,
            version: registration.version,
            capabilities: registration.capabilities,
            state: AgentState::Connected,
            connection: None,
            registered: now,
            reregistered: None,
            unanswered_pings: 0,
            is_superseded: false,
            ip: registration.ip,
            unavailability: None,
            offers: BTreeSet::new(),
            tasks: BTreeSet::new(),
            executors: BTreeMap::new(),
            operations: BTreeMap::new(),
            ledger: Ledger::new(total.clone()),
            images: ImageNames::default(),
            portrait: Arc::default(),
        });
        self.agents.set_images(key, &registration.images);
        if let Some(agent) = self.agents.get(key) {
            self.allocator
                .add_agent(key, agent.profile(total), Vec::new());
        }
        key
    }

    /// Tells an agent that it is registered, and begins to ping it.
    pub(super) fn admit(
        &mut self,
        key: AgentKey,
        connection: ConnectionId,
        is_news: bool,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        agent.state = AgentState::Connected;
        agent.connection = Some(connection);
        agent.unanswered_pings = 0;
        agent.is_superseded = false;
        if is_news {
            effects.persist(agent.record());
        }
        let agent_id = agent.id.clone();
        let registered = AgentCommand::Registered {
            agent_id: agent_id.clone(),
            master: Arc::clone(&self.info),
            silence_limit: self.config.agent_silence_limit(),
        };
        effects.tell_agent(connection, registered);
        self.connections.insert(connection, Peer::Agent(key));
        self.timers.cancel(Timer::AgentDeadline(key));
        self.timers
            .set(Timer::Ping(key), self.now + self.config.agent_ping_timeout);
        let is_offered = !self.agents.deactivated.contains_key(&agent_id);
        self.allocator.set_agent_active(key, is_offered);
        self.review_maintenance(key, effects);
        self.tell_drain(key, effects);
        if let Some(agent) = self.agents.get(key).filter(|_| is_news) {
            effects.publish(Notice::AgentAdded(Box::new(self.agent_view(agent))));
        }
    }

    /// Tells an agent, if it is connected.
    pub(crate) fn command(&self, id: &AgentId, command: AgentCommand, effects: &mut Effects) {
        if let Some(connection) = self.agents.find(id).and_then(|agent| agent.connection) {
            effects.tell_agent(connection, command);
        }
    }
}

/// Tells an agent that it is not wanted any more, and ends its stream. Its program ends.
pub(super) fn dismiss(connection: ConnectionId, message: String, effects: &mut Effects) {
    let refused = AgentCommand::Refused {
        message,
        forget_identity: true,
        shut_down: true,
    };
    effects.tell_agent(connection, refused);
    effects.push(Effect::EndAgent { connection });
}

/// Tells an agent why it is not registered, and ends its stream.
pub(super) fn refuse(
    connection: ConnectionId,
    message: String,
    forget_identity: bool,
    effects: &mut Effects,
) {
    let refused = AgentCommand::Refused {
        message,
        forget_identity,
        shut_down: false,
    };
    effects.tell_agent(connection, refused);
    effects.push(Effect::EndAgent { connection });
}

#[cfg(test)]
mod tests;
