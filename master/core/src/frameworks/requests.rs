//! REQUEST: a framework states what it waits for (Mesos: OFF-18, where nobody listens).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_allocator::limits::{MAX_GANG_COPIES, MAX_GANGS_PER_CLIENT};
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
        if let Err(problem) = check_gangs(&asks) {
            return self.break_off(key, Ending::InvalidCall(problem), effects);
        }
        let mut demands: BTreeMap<Role, Vec<tepui_allocator::Ask>> = BTreeMap::new();
        let mut impossible = BTreeSet::new();
        for (place, mut ask) in asks.into_iter().enumerate() {
            let role = match role_of(&mut ask, place, &roles) {
                Ok(role) => role,
                Err(problem) => return self.break_off(key, Ending::InvalidCall(problem), effects),
            };
            // Without an ask for it, its role is not offered whatever there is.
            let demand = demands.entry(role).or_default();
            let gang = ask.gang.clone();
            match self.place(ask, effects) {
                Some(ask) => demand.push(ask),
                None => impossible.extend(gang),
            }
        }
        for role in &roles {
            match demands.remove(role) {
                Some(mut asks) => {
                    let can_be = |gang: &Arc<str>| !impossible.contains(gang);
                    asks.retain(|ask| ask.gang.as_ref().is_none_or(can_be));
                    self.allocator.request(key, role, asks);
                }
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

/// Gangs can be offered in one event, and those of one REQUEST be kept.
fn check_gangs(asks: &[Ask]) -> Result<(), String> {
    let mut copies: BTreeMap<(&Arc<str>, Option<&Role>), u64> = BTreeMap::new();
    for ask in asks {
        if let Some(gang) = &ask.gang {
            *copies.entry((gang, ask.role.as_ref())).or_default() += u64::from(ask.count);
        }
    }
    let large = copies
        .iter()
        .find(|(_, count)| **count > u64::from(MAX_GANG_COPIES));
    if let Some(((gang, _), count)) = large {
        return Err(format!(
            "request.requests.tepui_gang: '{gang}' has {count} members, and the most are \
             {MAX_GANG_COPIES}"
        ));
    }
    if copies.len() > MAX_GANGS_PER_CLIENT {
        let count = copies.len();
        return Err(format!(
            "request.requests.tepui_gang: {count} gangs, and the most are {MAX_GANGS_PER_CLIENT}"
        ));
    }
    Ok(())
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
