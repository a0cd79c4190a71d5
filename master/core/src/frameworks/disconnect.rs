//! A framework's stream ends; the framework may come back (Mesos: FWK-03).

use tepui_model::FrameworkKey;

use super::FrameworkStep;
use crate::{
    Master,
    effects::{Effect, Effects, Ending, FrameworkEvent},
    events::ConnectionId,
    master::Peer,
    notices::Notice,
    timers::Timer,
};

impl Master {
    pub(crate) fn framework_disconnected(
        &mut self,
        connection: ConnectionId,
        effects: &mut Effects,
    ) {
        if let Some(Peer::Framework(key)) = self.connections.get(&connection) {
            self.disconnect_framework(*key, effects);
        }
    }

    /// Ends the stream of a framework that did what cannot be taken.
    pub(crate) fn break_off(&mut self, key: FrameworkKey, ending: Ending, effects: &mut Effects) {
        let framework = self.frameworks.get(key);
        if let Some(connection) = framework.and_then(|framework| framework.connection) {
            effects.push(Effect::EndFramework { connection, ending });
        }
        self.disconnect_framework(key, effects);
    }

    fn disconnect_framework(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let now = self.now;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let Ok(state) = framework.state.next(FrameworkStep::Disconnect) else {
            return;
        };
        framework.state = state;
        if let Some(connection) = framework.connection.take() {
            self.connections.remove(&connection);
        }
        self.allocator.set_framework_active(key, false);
        let timeout = framework.info.failover_timeout;
        if timeout.is_zero() {
            return self.remove_framework(key, effects);
        }
        framework.deadline = Some(now + timeout);
        effects.persist(framework.record());
        self.timers
            .set(Timer::FrameworkDeadline(key), now + timeout);
        self.forget_offers(key, effects);
        if let Some(framework) = self.frameworks.get(key) {
            effects.publish(Notice::FrameworkUpdated(Box::new(
                self.framework_view(framework),
            )));
        }
    }

    /// Tells a framework, if it is connected. What it misses is told again: updates by their
    /// agents, offers anew.
    pub(crate) fn tell(&self, key: FrameworkKey, event: FrameworkEvent, effects: &mut Effects) {
        let framework = self.frameworks.get(key);
        if let Some(connection) = framework.and_then(|framework| framework.connection) {
            effects.tell_framework(connection, event);
        }
    }
}

#[cfg(test)]
mod tests;
