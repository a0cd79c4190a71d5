//! SUBSCRIBE: a framework is there, or there again (Mesos: FWK-01, FWK-02).

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{FrameworkId, FrameworkKey};

use super::{Framework, FrameworkState, FrameworkStep, Subscriber, Terms};
use crate::{
    Master,
    calls::Subscribe,
    effects::{Effect, Effects, Ending, FrameworkEvent},
    events::ConnectionId,
    limits::MAX_FAILOVER_TIMEOUT,
    master::Peer,
    notices::{Notice, OfferEnd},
    record::FrameworkRecord,
    tasks::UnreachableTasks,
    timers::Timer,
};

impl Master {
    pub(super) fn subscribe(
        &mut self,
        connection: ConnectionId,
        subscribe: Subscribe,
        effects: &mut Effects,
    ) {
        let subscriber = match self.checked(subscribe) {
            Ok(subscriber) => subscriber,
            Err(problem) => return refuse(connection, problem, effects),
        };
        let Some(id) = subscriber.info.id.clone() else {
            let id = self.ids.next_framework();
            return self.subscribe_new(connection, id, subscriber, effects);
        };
        if self.frameworks.is_removed(&id) {
            return refuse(connection, "Framework has been removed".to_owned(), effects);
        }
        match self.frameworks.by_id.get(&id) {
            Some(key) => self.subscribe_again(connection, *key, subscriber, effects),
            None => self.subscribe_new(connection, id, subscriber, effects),
        }
    }

    fn subscribe_new(
        &mut self,
        connection: ConnectionId,
        id: FrameworkId,
        subscriber: Subscriber,
        effects: &mut Effects,
    ) {
        let limit = self.config.limits.frameworks;
        if self.frameworks.slab.len() >= limit {
            let problem = format!("There are {limit} frameworks already");
            return refuse(connection, problem, effects);
        }
        let key = self.add_framework(id, subscriber, FrameworkState::Connected);
        self.claim_operations(key);
        self.welcome(key, connection, effects);
        if let Some(framework) = self.frameworks.get(key) {
            effects.publish(Notice::FrameworkAdded(Box::new(
                self.framework_view(framework),
            )));
        }
    }

    fn subscribe_again(
        &mut self,
        connection: ConnectionId,
        key: FrameworkKey,
        subscriber: Subscriber,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        if framework.info.principal != subscriber.info.principal {
            let problem = "Changing framework's principal is not allowed";
            return refuse(connection, problem.to_owned(), effects);
        }
        if let Some(old) = framework.connection {
            let problem = "Framework failed over".to_owned();
            effects.tell_framework(old, FrameworkEvent::Error(problem));
            effects.push(Effect::EndFramework {
                connection: old,
                ending: Ending::Done,
            });
            self.connections.remove(&old);
        }
        self.forget_offers(key, effects);
        // A new scheduler knows nothing of what the old one refused.
        self.allocator.set_framework_active(key, false);
        self.take_over(key, subscriber);
        self.welcome(key, connection, effects);
        if let Some(framework) = self.frameworks.get(key) {
            effects.publish(Notice::FrameworkUpdated(Box::new(
                self.framework_view(framework),
            )));
        }
    }

    /// Ends the offers of a framework that will hear of others.
    pub(super) fn forget_offers(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        for number in framework.offers.clone() {
            self.release_offer(number, OfferEnd::Rescinded, None, effects);
        }
        self.forget_inverse_offers_of_framework(key);
    }

    /// Tells a framework that it is subscribed, and keeps that it is.
    fn welcome(&mut self, key: FrameworkKey, connection: ConnectionId, effects: &mut Effects) {
        let now = self.now;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        if let Ok(state) = framework.state.next(FrameworkStep::Subscribe) {
            framework.state = state;
        }
        framework.connection = Some(connection);
        framework.reregistered = now;
        framework.deadline = None;
        effects.persist(framework.record());
        let subscribed = FrameworkEvent::Subscribed {
            framework_id: framework.id.clone(),
            heartbeat_interval: self.config.heartbeat_interval,
            master: Arc::clone(&self.info),
        };
        effects.tell_framework(connection, subscribed);
        self.connections.insert(connection, Peer::Framework(key));
        self.timers.cancel(Timer::FrameworkDeadline(key));
        self.allocator.set_framework_active(key, true);
    }

    /// A framework from the registry, which may come back until its deadline.
    pub(crate) fn recover_framework(&mut self, record: FrameworkRecord) {
        let Some(id) = record.info.id.clone() else {
            return;
        };
        let known = Subscriber {
            terms: Terms::recovered(&record.info, record.constraints, &self.config.regex),
            ..Subscriber::new(record.info)
        };
        let key = self.add_framework(id, known, FrameworkState::Recovered);
        if let Some(framework) = self.frameworks.get_mut(key) {
            framework.registered = record.registered;
            framework.reregistered = record.registered;
            framework.deadline = record.deadline;
        }
    }

    pub(crate) fn add_framework(
        &mut self,
        id: FrameworkId,
        subscriber: Subscriber,
        state: FrameworkState,
    ) -> FrameworkKey {
        let now = self.now;
        let Subscriber {
            info,
            suppressed,
            terms,
        } = subscriber;
        let mut info = info.with_id(id.clone());
        info.failover_timeout = info.failover_timeout.min(MAX_FAILOVER_TIMEOUT);
        let key = self.frameworks.slab.insert_with(|key| Framework {
            key,
            id: id.clone(),
            info,
            state,
            connection: None,
            suppressed,
            terms,
            registered: now,
            reregistered: now,
            deadline: None,
            offers: BTreeSet::new(),
            tasks: Default::default(),
            executors: 0,
            operations: Default::default(),
            unreachable: UnreachableTasks::default(),
            completed: Default::default(),
        });
        self.frameworks.by_id.insert(id, key);
        if let Some(framework) = self.frameworks.get(key) {
            self.allocator.add_framework(key, framework.profile());
        }
        key
    }
}

/// Tells a framework why it is not subscribed, and ends its stream.
pub(super) fn refuse(connection: ConnectionId, problem: String, effects: &mut Effects) {
    effects.tell_framework(connection, FrameworkEvent::Error(problem));
    effects.push(Effect::EndFramework {
        connection,
        ending: Ending::Done,
    });
}

#[cfg(test)]
mod tests;
