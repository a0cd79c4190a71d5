//! UPDATE_FRAMEWORK, and what a new subscription changes: what a framework says of itself
//! (Mesos: FWK-07).

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{FrameworkId, FrameworkInfo, FrameworkKey, Role};

use super::{Subscriber, Terms};
use crate::{
    Master,
    calls::Subscribe,
    effects::{Effects, Ending},
    limits::MAX_FAILOVER_TIMEOUT,
    notices::Notice,
};

impl Master {
    /// All that a framework says of itself anew, but for what it cannot change (Mesos: FWK-07).
    pub(super) fn take_over(&mut self, key: FrameworkKey, update: Subscriber) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        framework.info = merged(&framework.info, update.info, &framework.id);
        framework.suppressed = update.suppressed;
        framework.terms = update.terms;
        let profile = framework.profile();
        self.allocator.update_framework(key, profile);
    }

    /// UPDATE_FRAMEWORK on a stream that ends when it cannot be done.
    pub(super) fn update_framework(
        &mut self,
        key: FrameworkKey,
        update: Subscribe,
        effects: &mut Effects,
    ) {
        if let Err(problem) = self.try_update_framework(key, update, effects) {
            self.break_off(key, Ending::InvalidCall(problem), effects);
        }
    }

    /// UPDATE_FRAMEWORK (Mesos: FWK-07): all or nothing.
    pub(crate) fn try_update_framework(
        &mut self,
        key: FrameworkKey,
        update: Subscribe,
        effects: &mut Effects,
    ) -> Result<(), String> {
        self.check_update(key, &update.info)?;
        let update = self.checked(update)?;
        self.take_over(key, update);
        let Some(framework) = self.frameworks.get(key) else {
            return Ok(());
        };
        effects.persist(framework.record());
        let is_optimistic = framework.info.optimistic_offers;
        let roles: BTreeSet<Role> = framework.info.roles.iter().cloned().collect();
        effects.publish(Notice::FrameworkUpdated(Box::new(
            self.framework_view(framework),
        )));
        self.rescind_offers_of_framework(key, |role| !roles.contains(role), effects);
        if !is_optimistic {
            self.part_from_others(key, effects);
        }
        Ok(())
    }

    /// What a framework says of itself, if it is in order.
    pub(super) fn checked(&self, subscribe: Subscribe) -> Result<Subscriber, String> {
        self.check_listed(&subscribe.info.roles)?;
        check_suppressed(&subscribe)?;
        let Subscribe {
            info,
            suppressed_roles,
            constraints,
        } = subscribe;
        Ok(Subscriber {
            terms: Terms::new(&info, constraints, &self.config.regex)?,
            suppressed: suppressed_roles.into_iter().collect(),
            info,
        })
    }

    /// Mesos: ROL-05.
    fn check_listed(&self, roles: &[Role]) -> Result<(), String> {
        let unknown = roles.iter().filter(|role| !self.config.has_role(role));
        let unknown: Vec<Role> = unknown.cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let roles = list(&unknown);
        Err(format!(
            "Roles {{ {roles} }} are not present in the master's --roles"
        ))
    }

    fn check_update(&self, key: FrameworkKey, new: &FrameworkInfo) -> Result<(), String> {
        let Some(framework) = self.frameworks.get(key) else {
            return Ok(());
        };
        let old = &framework.info;
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
    Err(format!(
        "Suppressed roles {{ {} }} are not contained in the set of roles {{ {} }}",
        list(&subscribe.suppressed_roles),
        list(roles),
    ))
}

fn list(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
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
