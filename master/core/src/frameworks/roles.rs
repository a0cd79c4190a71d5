//! SUPPRESS and REVIVE: when a framework wants offers (Mesos: OFF-09, OFF-10).

use tepui_allocator::FrameworkProfile;
use tepui_model::{FrameworkKey, Role};

use super::{Framework, FrameworkState};
use crate::{Master, effects::Effects};

impl Framework {
    pub(crate) fn profile(&self) -> FrameworkProfile {
        FrameworkProfile {
            roles: self.info.roles.clone(),
            suppressed: self.suppressed.clone(),
            capabilities: self.info.capabilities,
            active: self.state == FrameworkState::Connected,
            minimums: self.terms.minimums.clone(),
            constraints: self.terms.constraints.clone(),
            optimistic: self.info.optimistic_offers,
        }
    }
}

impl Master {
    pub(crate) fn suppress(&mut self, key: FrameworkKey, roles: &[Role], effects: &mut Effects) {
        if !self.has_roles(key, "SUPPRESS", roles, effects) {
            return;
        }
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let all = if roles.is_empty() {
            &framework.info.roles
        } else {
            roles
        };
        framework.suppressed.extend(all.iter().cloned());
        self.allocator.suppress(key, roles);
    }

    pub(crate) fn revive(&mut self, key: FrameworkKey, roles: &[Role], effects: &mut Effects) {
        if !self.has_roles(key, "REVIVE", roles, effects) {
            return;
        }
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        if roles.is_empty() {
            framework.suppressed.clear();
        }
        for role in roles {
            framework.suppressed.remove(role);
        }
        self.allocator.revive(key, roles);
    }

    /// One role that the framework does not have, and the whole call has no effect.
    fn has_roles(
        &self,
        key: FrameworkKey,
        call: &str,
        roles: &[Role],
        effects: &mut Effects,
    ) -> bool {
        let Some(framework) = self.frameworks.get(key) else {
            return false;
        };
        let foreign = roles
            .iter()
            .find(|role| !framework.info.roles.contains(role));
        if let Some(role) = foreign {
            let id = &framework.id;
            effects.warn(format!(
                "ignoring {call} of {id}: it is not subscribed to role '{role}'"
            ));
        }
        foreign.is_none()
    }
}

#[cfg(test)]
mod tests;
