//! SUBSCRIBE and UPDATE_FRAMEWORK: who a framework is (Mesos: FWK-01, FWK-02, FWK-07).

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{FrameworkId, FrameworkInfo, FrameworkKey, Role};

use super::{Framework, FrameworkState, FrameworkStep};
use crate::{
    Master,
    calls::{Action, SchedulerCall, Subscribe},
    effects::{Effect, Effects, Ending, FrameworkEvent},
    events::ConnectionId,
    limits::{MAX_FAILOVER_TIMEOUT, MAX_FRAMEWORKS},
    master::Peer,
    notices::{Notice, OfferEnd},
    record::FrameworkRecord,
    tasks::UnreachableTasks,
    timers::Timer,
};

impl Master {
    pub(crate) fn call(
        &mut self,
        connection: ConnectionId,
        call: SchedulerCall,
        effects: &mut Effects,
    ) {
        let subscribed = match self.connections.get(&connection) {
            Some(Peer::Framework(key)) => Some(*key),
            Some(Peer::Agent(_)) => return,
            None => None,
        };
        match (call.action, subscribed) {
            (Action::Subscribe(subscribe), None) => {
                self.subscribe(connection, *subscribe, effects);
            }
            (Action::InvalidSubscription(problem), None) => {
                refuse(connection, problem, effects);
            }
            (Action::Subscribe(_) | Action::InvalidSubscription(_), Some(key)) => {
                let problem = "this stream is subscribed already; open another to fail over";
                self.break_off(key, Ending::NotNow(problem.to_owned()), effects);
            }
            (_, None) => {
                let ending = Ending::NotNow("the first call must be SUBSCRIBE".to_owned());
                effects.push(Effect::EndFramework { connection, ending });
            }
            (action, Some(key)) => match self.check_caller(key, call.framework_id.as_ref()) {
                Ok(()) => self.act(key, action, effects),
                Err(problem) => self.break_off(key, Ending::InvalidCall(problem), effects),
            },
        }
    }

    fn check_caller(&self, key: FrameworkKey, named: Option<&FrameworkId>) -> Result<(), String> {
        let subscribed = self.frameworks.get(key).map(|framework| &framework.id);
        match named {
            Some(named) if subscribed != Some(named) => Err(format!(
                "framework_id: {named} is not the framework that subscribed on this stream"
            )),
            _ => Ok(()),
        }
    }

    fn act(&mut self, key: FrameworkKey, action: Action, effects: &mut Effects) {
        match action {
            Action::Teardown => self.teardown(key, None, effects),
            Action::Accept(accept) => self.accept(key, accept, effects),
            Action::Decline(decline) => self.decline(key, &decline, effects),
            Action::Revive(roles) => self.revive(key, &roles, effects),
            Action::Suppress(roles) => self.suppress(key, &roles, effects),
            Action::Kill(kill) => self.kill(key, &kill, effects),
            Action::Acknowledge(acknowledge) => self.acknowledge(key, &acknowledge, effects),
            Action::Reconcile(tasks) => self.reconcile(key, &tasks, effects),
            Action::ReconcileOperations(operations) => {
                self.reconcile_operations(key, &operations, effects);
            }
            Action::UpdateFramework(update) => self.update_framework(key, *update, effects),
            Action::Ignored(what) => effects.warn(format!("ignoring {what}")),
            // Told apart by the caller.
            Action::Subscribe(_) | Action::InvalidSubscription(_) => {}
        }
    }

    fn subscribe(&mut self, connection: ConnectionId, subscribe: Subscribe, effects: &mut Effects) {
        if let Err(problem) = check_suppressed(&subscribe) {
            return refuse(connection, problem, effects);
        }
        let Some(id) = subscribe.info.id.clone() else {
            let id = self.ids.next_framework();
            return self.subscribe_new(connection, id, subscribe, effects);
        };
        if self.frameworks.is_removed(&id) {
            return refuse(connection, "Framework has been removed".to_owned(), effects);
        }
        match self.frameworks.by_id.get(&id) {
            Some(key) => self.subscribe_again(connection, *key, subscribe, effects),
            None => self.subscribe_new(connection, id, subscribe, effects),
        }
    }

    fn subscribe_new(
        &mut self,
        connection: ConnectionId,
        id: FrameworkId,
        subscribe: Subscribe,
        effects: &mut Effects,
    ) {
        if self.frameworks.slab.len() >= MAX_FRAMEWORKS {
            let problem = format!("There are {MAX_FRAMEWORKS} frameworks already");
            return refuse(connection, problem, effects);
        }
        let Subscribe {
            info,
            suppressed_roles,
        } = subscribe;
        let suppressed = suppressed_roles.into_iter().collect();
        let key = self.add_framework(id, info, FrameworkState::Connected, suppressed);
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
        subscribe: Subscribe,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        if framework.info.principal != subscribe.info.principal {
            let problem = "Changing framework's principal is not allowed";
            return refuse(connection, problem.to_owned(), effects);
        }
        if let Some(old) = framework.connection {
            let problem = "Framework failed over".to_owned();
            effects.to_framework(old, FrameworkEvent::Error(problem));
            effects.push(Effect::EndFramework {
                connection: old,
                ending: Ending::Done,
            });
            self.connections.remove(&old);
        }
        self.forget_offers(key, effects);
        // A new scheduler knows nothing of what the old one refused.
        self.allocator.set_framework_active(key, false);
        self.take_over(key, subscribe);
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
    }

    /// All that a framework says of itself anew, but for what it cannot change (Mesos: FWK-07).
    fn take_over(&mut self, key: FrameworkKey, update: Subscribe) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        framework.info = merged(&framework.info, update.info, &framework.id);
        framework.suppressed = update.suppressed_roles.into_iter().collect();
        let profile = framework.profile();
        self.allocator.update_framework(key, profile);
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
        effects.to_framework(connection, subscribed);
        self.connections.insert(connection, Peer::Framework(key));
        self.timers.cancel(Timer::FrameworkDeadline(key));
        self.allocator.set_framework_active(key, true);
    }

    /// A framework from the registry, which may come back until its deadline.
    pub(crate) fn recover_framework(&mut self, record: FrameworkRecord) {
        let Some(id) = record.info.id.clone() else {
            return;
        };
        let state = FrameworkState::Recovered;
        let key = self.add_framework(id, record.info, state, BTreeSet::new());
        if let Some(framework) = self.frameworks.get_mut(key) {
            framework.registered = record.registered;
            framework.reregistered = record.registered;
            framework.deadline = record.deadline;
        }
    }

    pub(crate) fn add_framework(
        &mut self,
        id: FrameworkId,
        info: FrameworkInfo,
        state: FrameworkState,
        suppressed: BTreeSet<Role>,
    ) -> FrameworkKey {
        let now = self.now;
        let mut info = info.with_id(id.clone());
        info.failover_timeout = info.failover_timeout.min(MAX_FAILOVER_TIMEOUT);
        let key = self.frameworks.slab.insert_with(|key| Framework {
            key,
            id: id.clone(),
            info,
            state,
            connection: None,
            suppressed,
            registered: now,
            reregistered: now,
            deadline: None,
            offers: BTreeSet::new(),
            tasks: Default::default(),
            unreachable: UnreachableTasks::default(),
            completed: Default::default(),
        });
        self.frameworks.by_id.insert(id, key);
        if let Some(framework) = self.frameworks.get(key) {
            self.allocator.add_framework(key, framework.profile());
        }
        key
    }

    /// UPDATE_FRAMEWORK (Mesos: FWK-07): all or nothing.
    fn update_framework(&mut self, key: FrameworkKey, update: Subscribe, effects: &mut Effects) {
        if let Err(problem) = self.check_update(key, &update) {
            return self.break_off(key, Ending::InvalidCall(problem), effects);
        }
        self.take_over(key, update);
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        effects.persist(framework.record());
        let roles: BTreeSet<Role> = framework.info.roles.iter().cloned().collect();
        effects.publish(Notice::FrameworkUpdated(Box::new(
            self.framework_view(framework),
        )));
        self.rescind_offers_of_framework(key, |role| !roles.contains(role), effects);
    }

    fn check_update(&self, key: FrameworkKey, update: &Subscribe) -> Result<(), String> {
        check_suppressed(update)?;
        let Some(framework) = self.frameworks.get(key) else {
            return Ok(());
        };
        let (old, new) = (&framework.info, &update.info);
        if new.id.as_ref().is_some_and(|id| *id != framework.id) {
            return Err("update_framework: the framework's id cannot be changed".to_owned());
        }
        if new.principal != old.principal {
            return Err("Updating 'FrameworkInfo.principal' is unsupported".to_owned());
        }
        if new.user != old.user {
            return Err("Updating 'FrameworkInfo.user' is unsupported".to_owned());
        }
        if new.checkpoint != old.checkpoint {
            return Err("Updating 'FrameworkInfo.checkpoint' is unsupported".to_owned());
        }
        Ok(())
    }
}

/// Mesos: OFF-11.
fn check_suppressed(subscribe: &Subscribe) -> Result<(), String> {
    let roles = &subscribe.info.roles;
    if subscribe
        .suppressed_roles
        .iter()
        .all(|role| roles.contains(role))
    {
        return Ok(());
    }
    let list = |roles: &[Role]| {
        roles
            .iter()
            .map(|role| role.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Err(format!(
        "Suppressed roles {{ {} }} are not contained in the set of roles {{ {} }}",
        list(&subscribe.suppressed_roles),
        list(roles),
    ))
}

/// Tells a framework why it is not subscribed, and ends its stream.
fn refuse(connection: ConnectionId, problem: String, effects: &mut Effects) {
    effects.to_framework(connection, FrameworkEvent::Error(problem));
    effects.push(Effect::EndFramework {
        connection,
        ending: Ending::Done,
    });
}

/// The new description, with the user and the checkpointing of the old one.
fn merged(old: &FrameworkInfo, new: FrameworkInfo, id: &FrameworkId) -> FrameworkInfo {
    let mut info = new.with_id(id.clone());
    info.user.clone_from(&old.user);
    info.checkpoint = old.checkpoint;
    info.failover_timeout = info.failover_timeout.min(MAX_FAILOVER_TIMEOUT);
    let wire = Arc::make_mut(&mut info.wire);
    wire.user.clone_from(&old.wire.user);
    wire.checkpoint = old.wire.checkpoint;
    info
}

#[cfg(test)]
mod tests;
