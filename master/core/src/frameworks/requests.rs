//! REQUEST: a framework states what it waits for (Mesos: OFF-18, where nobody listens).

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Role};

use crate::{
    Master,
    calls::Ask,
    effects::{Effects, Ending},
};

impl Master {
    /// All that a framework waits for, in place of what it said before. In roles in which it asks
    /// for nothing it is offered whatever there is.
    pub(super) fn request(&mut self, key: FrameworkKey, asks: Vec<Ask>, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let roles = framework.info.roles.clone();
        let mut demands: BTreeMap<Role, Vec<tepui_allocator::Ask>> = BTreeMap::new();
        for (place, mut ask) in asks.into_iter().enumerate() {
            let role = match role_of(&mut ask, place, &roles) {
                Ok(role) => role,
                Err(problem) => return self.break_off(key, Ending::InvalidCall(problem), effects),
            };
            // Without an ask for it, its role is not offered whatever there is.
            let demand = demands.entry(role).or_default();
            demand.extend(self.place(ask, effects));
        }
        for role in &roles {
            match demands.remove(role) {
                Some(asks) => self.allocator.request(key, role, asks),
                None => self.allocator.withdraw_request(key, role),
            }
        }
    }

    /// The ask as the allocator knows it; none if it is for an agent that is not there.
    fn place(&self, ask: Ask, effects: &mut Effects) -> Option<tepui_allocator::Ask> {
        let agent = match &ask.agent_id {
            None => None,
            Some(id) => match self.agents.by_id.get(id) {
                Some(agent) => Some(*agent),
                None => {
                    effects.warn(format!(
                        "an ask of REQUEST is for agent {id}, which is not there"
                    ));
                    return None;
                }
            },
        };
        let Ask {
            resources,
            count,
            gang,
            priority,
            ..
        } = ask;
        Some(tepui_allocator::Ask {
            resources,
            count,
            agent,
            gang,
            priority,
        })
    }
}

/// The role of an ask: the one that its resources are allocated to, or the only one there is.
fn role_of(ask: &mut Ask, place: usize, roles: &[Role]) -> Result<Role, String> {
    let field = format!("request.requests[{place}].resources.allocation_info.role");
    match (ask.role.take(), roles) {
        (Some(role), _) if roles.contains(&role) => Ok(role),
        (Some(role), _) => Err(format!(
            "{field}: the framework is not subscribed to '{role}'"
        )),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(format!(
            "{field}: must be set, as the framework has several roles or none"
        )),
    }
}

#[cfg(test)]
mod tests;
