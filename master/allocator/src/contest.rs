//! Who competes for resources, what they hold, and who is next.

mod clients;
mod lead;
mod load;
mod order;
mod quota;
mod ranking;
mod roles;
mod standing;
mod turns;

use std::{collections::BTreeMap, ops::Bound};

use tepui_model::{AgentKey, FrameworkKey, Kind, Quantity, Resources, Role, Scalars};

pub use self::lead::{Branch, Lead};
use self::quota::Promises;
pub(crate) use self::{
    clients::{Client, ClientState, Terms},
    load::{Load, open},
    quota::{Allowance, Stage, larger, smaller},
    ranking::{Ranking, Yardstick},
    roles::RoleNode,
};
use crate::{
    agents::AgentProfile,
    demand::Demand,
    options::{Options, Sorter},
    slots::Slots,
    table::Slab,
};

/// Roles and clients in the order in which they are served: on each level of the tree of roles the
/// one with the smallest weighted dominant share, and in a role the framework with the smallest
/// (Mesos: ALL-02, ALL-03).
///
/// Changes only mark what moved; [`Contest::settle`] puts it in order again.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    roles: Slab<RoleNode>,
    names: BTreeMap<Role, u32>,
    clients: Slab<Client>,
    /// The roles at the top.
    ranking: Ranking,
    /// Those of them that have something promised.
    needy: Ranking,
    /// Those of them that can be given something; kept up to date only while there is a quota.
    open: Ranking,
    /// The clients in play.
    live: Slots,
    live_count: usize,
    /// Clients in play that may be shown what others are shown too.
    optimists: u32,
    /// Clients that have terms of their own, and those that have said what they wait for.
    with_terms: u32,
    with_demand: u32,
    /// Clients whose standing is out of date.
    moved: Vec<u32>,
    /// What the cluster has, as far as it counts for fairness.
    total: Scalars,
    /// What the cluster has for good: what is not revocable.
    capacity: Scalars,
    promises: Promises,
    /// What shares were measured by when the order was last rebuilt, and what the cluster had for
    /// good then.
    yardstick: Yardstick,
    lasting: Vec<Kind>,
    /// The total changed: the shares may stand to each other otherwise than before.
    resized: bool,
    /// A weight or a quota changed: the order is to be made anew.
    stale: bool,
    roles_made: u32,
    /// The turn of the role at the top that was served last.
    clock: f64,
    rules: Rules,
}

/// By what the order is made.
#[derive(Clone, Debug)]
struct Rules {
    roles: Sorter,
    frameworks: Sorter,
    seed: u64,
    /// Scalars that do not count for fairness.
    excluded: Vec<Kind>,
}

impl Contest {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            roles: Slab::new(),
            names: BTreeMap::new(),
            clients: Slab::new(),
            ranking: Ranking::default(),
            needy: Ranking::default(),
            open: Ranking::default(),
            live: Slots::new(),
            live_count: 0,
            optimists: 0,
            with_terms: 0,
            with_demand: 0,
            moved: Vec::new(),
            total: Scalars::new(),
            capacity: Scalars::new(),
            promises: Promises::default(),
            yardstick: Yardstick::default(),
            lasting: Vec::new(),
            resized: false,
            stale: false,
            roles_made: 0,
            clock: 0.0,
            rules: Rules {
                roles: options.role_sorter,
                frameworks: options.framework_sorter,
                seed: options.seed,
                excluded: options.fairness_excludes.clone(),
            },
        }
    }

    pub(crate) const fn clients(&self) -> &Slab<Client> {
        &self.clients
    }

    pub(crate) const fn live(&self) -> &Slots {
        &self.live
    }

    pub(crate) const fn total(&self) -> &Scalars {
        &self.total
    }

    pub(crate) const fn capacity(&self) -> &Scalars {
        &self.capacity
    }

    pub(crate) fn client(&self, slot: u32) -> Option<&Client> {
        self.clients.get(slot)
    }

    pub(crate) fn role(&self, slot: u32) -> Option<&RoleNode> {
        self.roles.get(slot)
    }

    /// The role of that name, if anything is known of it.
    pub(crate) fn role_named(&self, role: &Role) -> Option<&RoleNode> {
        self.roles.get(*self.names.get(role)?)
    }

    /// Roles by name.
    pub(crate) fn roles(&self) -> impl DoubleEndedIterator<Item = (u32, &RoleNode)> + '_ {
        self.names
            .values()
            .filter_map(|slot| Some((*slot, self.roles.get(*slot)?)))
    }

    /// A role and those above it, from itself up.
    pub(crate) fn path(&self, role: u32) -> impl Iterator<Item = &RoleNode> + '_ {
        let above = |node: &&RoleNode| self.roles.get(node.parent?);
        std::iter::successors(self.roles.get(role), above)
    }

    pub(crate) fn find(&self, framework: FrameworkKey, role: &Role) -> Option<u32> {
        self.role_named(role)?.own.clients.get(&framework).copied()
    }

    /// The client of that framework in that role, made if there is none.
    pub(crate) fn enlist(&mut self, framework: FrameworkKey, role: &Role) -> u32 {
        let role = self.role_slot(role);
        let next = Client::new(framework, role);
        let Some(node) = self.roles.get_mut(role) else {
            return self.clients.insert(next);
        };
        let clients = &mut self.clients;
        *node
            .own
            .clients
            .entry(framework)
            .or_insert_with(|| clients.insert(next))
    }

    /// The slot of a role. It and those above it are made if they are not there, the topmost
    /// first.
    fn role_slot(&mut self, role: &Role) -> u32 {
        if let Some(slot) = self.names.get(role) {
            return *slot;
        }
        let above = std::iter::successors(role.parent(), Role::parent);
        let mut missing = vec![role.clone()];
        missing.extend(above.take_while(|role| !self.names.contains_key(role)));
        let known = missing.last().and_then(Role::parent);
        let mut parent = known.and_then(|role| self.names.get(&role).copied());
        for role in missing.into_iter().rev() {
            if let Some(node) = parent.and_then(|slot| self.roles.get_mut(slot)) {
                node.children += 1;
            }
            let above = parent.and_then(|slot| self.roles.get(slot));
            let inherited = above.map_or((false, 0), |above| (above.limited, above.rank));
            let mut node = RoleNode::new(role.clone(), parent, self.roles_made);
            (node.limited, node.rank) = inherited;
            self.roles_made = self.roles_made.wrapping_add(1);
            let slot = self.roles.insert(node);
            self.names.insert(role, slot);
            parent = Some(slot);
        }
        // The loop ran: the role itself was missing.
        parent.unwrap_or_default()
    }

    /// Forgets a client that has neither its role nor any resources, and with the last one of it
    /// the role.
    pub(crate) fn retire(&mut self, slot: u32) {
        let idle = |client: &&Client| !client.state.subscribed && client.agents == 0;
        if self.clients.get(slot).filter(idle).is_none() {
            return;
        }
        self.set_terms(slot, Terms::default());
        self.set_demand(slot, None);
        let Some(client) = self.clients.remove(slot) else {
            return;
        };
        if let Some(node) = self.roles.get_mut(client.role) {
            node.own.clients.remove(&client.framework);
            node.own.members.shift(client.standing, None);
        }
        self.lift(client.role);
        self.prune(client.role);
    }

    /// Forgets a role that nothing is known of any longer, and those above it likewise.
    fn prune(&mut self, role: u32) {
        let mut next = Some(role);
        while let Some(slot) = next {
            if !self.roles.get(slot).is_some_and(RoleNode::is_idle) {
                return;
            }
            let Some(node) = self.roles.remove(slot) else {
                return;
            };
            self.names.remove(&node.name);
            next = node.parent;
            if let Some(parent) = next.and_then(|slot| self.roles.get_mut(slot)) {
                parent.children -= 1;
            }
        }
    }

    /// Sets the weight of a role, which is there from now on.
    pub(crate) fn set_weight(&mut self, role: &Role, weight: Quantity) {
        let slot = self.role_slot(role);
        if let Some(node) = self.roles.get_mut(slot) {
            node.weight = Some(weight);
            self.stale = true;
        }
    }

    /// Sets the priority of a role, or takes it away. The roles below that have none of their own
    /// have that of the role.
    pub(crate) fn set_priority(&mut self, role: &Role, priority: Option<i32>) {
        let slot = self.role_slot(role);
        if let Some(node) = self.roles.get_mut(slot) {
            node.priority = priority;
        }
        // Names sort roles before those below them.
        for slot in self.subtree(role, slot) {
            let above = self.roles.get(slot).and_then(|node| node.parent);
            let above = above.and_then(|slot| self.roles.get(slot));
            let inherited = above.map_or(0, |above| above.rank);
            if let Some(node) = self.roles.get_mut(slot) {
                node.rank = node.priority.unwrap_or(inherited);
            }
        }
        self.stale = true;
        self.prune(slot);
    }

    /// A role and those below it, each after the one above it.
    fn subtree(&self, role: &Role, slot: u32) -> Vec<u32> {
        let below = format!("{role}/");
        let below = (Bound::Included(below.as_str()), Bound::Unbounded);
        let names = self.names.range::<str, _>(below);
        let inside = names.take_while(|(name, _)| name.is_below(role));
        core::iter::once(slot)
            .chain(inside.map(|(_, slot)| *slot))
            .collect()
    }

    pub(crate) fn set_state(&mut self, slot: u32, state: ClientState) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        self.optimists += u32::from(state.is_optimist());
        self.optimists -= u32::from(client.state.is_optimist());
        let (was, is) = (client.state.in_play(), state.in_play());
        client.state = state;
        if was == is {
            return;
        }
        if is {
            self.live.insert(slot);
            self.live_count += 1;
        } else {
            self.live.remove(slot);
            self.live_count -= 1;
        }
        self.mark(slot);
    }

    /// Whether there are several clients that may be shown the same.
    pub(crate) const fn has_optimists(&self) -> bool {
        self.optimists > 1
    }

    /// Whether any client has terms of its own or has said what it waits for.
    pub(crate) const fn has_terms(&self) -> bool {
        self.with_terms + self.with_demand > 0
    }

    /// Whether any client has said what it waits for.
    pub(crate) const fn has_demand(&self) -> bool {
        self.with_demand > 0
    }

    /// Sets what a client waits for; nothing, if it wants whatever there is.
    pub(crate) fn set_demand(&mut self, slot: u32, demand: Option<Demand>) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        self.with_demand += u32::from(demand.is_some());
        self.with_demand -= u32::from(client.demand.is_some());
        client.demand = demand;
        self.mark(slot);
    }

    /// An agent is gone: what was offered of it is asked for again. By whom.
    pub(crate) fn lose_offers_of(&mut self, agent: AgentKey) -> Vec<u32> {
        if self.with_demand == 0 {
            return Vec::new();
        }
        let with_demand = self.clients.iter().filter(|(_, it)| it.demand.is_some());
        let mut losers: Vec<u32> = with_demand.map(|(slot, _)| slot).collect();
        losers.retain(|slot| {
            let demand = self.demand_mut(*slot);
            demand.is_some_and(|demand| demand.lose(agent))
        });
        losers
    }

    /// A client has refused something of an agent.
    pub(crate) fn note_refusal(&mut self, slot: u32, agent: AgentKey) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.refused.insert(agent.0);
        }
    }

    /// The agents that a client may have refused something of, which are forgotten.
    pub(crate) fn take_refused(&mut self, slot: u32) -> Slots {
        let client = self.clients.get_mut(slot);
        client.map_or_else(Slots::new, |client| core::mem::take(&mut client.refused))
    }

    /// What a client waits for, if it has said so. Changing it may move the client.
    pub(crate) fn demand_mut(&mut self, slot: u32) -> Option<&mut Demand> {
        if self.with_demand == 0 {
            return None;
        }
        self.mark(slot);
        self.clients.get_mut(slot)?.demand.as_mut()
    }

    /// Sets what a client wants to be different, and says whether that is something new.
    pub(crate) fn set_terms(&mut self, slot: u32, terms: Terms) -> bool {
        let Some(client) = self.clients.get_mut(slot) else {
            return false;
        };
        self.with_terms += u32::from(!terms.is_none());
        self.with_terms -= u32::from(!client.terms.is_none());
        let is_new = client.terms != terms;
        client.terms = terms;
        is_new
    }

    /// Says anew which clients can use an agent.
    pub(crate) fn judge(&mut self, agent: AgentKey, profile: &AgentProfile) {
        if !self.has_terms() {
            return;
        }
        for (_, client) in self.clients.iter_mut() {
            let Some(constraints) = &client.terms.constraints else {
                continue;
            };
            if constraints.admit(profile) {
                client.terms.excluded.remove(agent.0);
            } else {
                client.terms.excluded.insert(agent.0);
            }
        }
    }

    /// The cluster has those resources, of an agent, from now on.
    pub(crate) fn grow(&mut self, agent: &Resources) {
        self.total.add(&self.counted(&agent.scalars()));
        self.capacity.add(&lasting(agent));
        self.resized = true;
        for role in agent.reservation_roles() {
            let slot = self.role_slot(&role);
            let reserved = agent.scalars_of(|traits| traits.reservation_role() == Some(&role));
            self.each_above(slot, |node| node.reserved.add(&reserved));
            self.consumption_changed(slot);
        }
    }

    /// The cluster has those resources, of an agent, no longer.
    pub(crate) fn shrink(&mut self, agent: &Resources) {
        self.total.sub(&self.counted(&agent.scalars()));
        self.capacity.sub(&lasting(agent));
        self.resized = true;
        for role in agent.reservation_roles() {
            let Some(slot) = self.names.get(&role).copied() else {
                continue;
            };
            let reserved = agent.scalars_of(|traits| traits.reservation_role() == Some(&role));
            self.each_above(slot, |node| node.reserved.sub(&reserved));
            self.consumption_changed(slot);
            self.loosen_quotas(slot);
            self.prune(slot);
        }
    }

    /// What a role consumes changed: what is promised to it, and whether it has used up its limits.
    fn consumption_changed(&mut self, role: u32) {
        if self.has_guarantees() {
            self.recount(role);
        }
        if self.has_quotas() {
            self.sift(self.top_of(role));
        }
    }

    /// The role at the top that a role is, or is below.
    fn top_of(&self, role: u32) -> u32 {
        let parent = |slot: &u32| self.roles.get(*slot).and_then(|node| node.parent);
        core::iter::successors(Some(role), parent)
            .last()
            .unwrap_or(role)
    }

    /// What a role consumes fell: where it has a quota, others on its path may be given more.
    fn loosen_quotas(&mut self, role: u32) {
        if self.has_quotas() && self.path(role).any(|node| !node.quota.is_default()) {
            self.loosen();
        }
    }

    /// What counts for fairness. As no excluded kind is in the total, no share of it counts.
    pub(crate) fn counted(&self, scalars: &Scalars) -> Scalars {
        let mut counted = scalars.clone();
        for kind in &self.rules.excluded {
            counted.set(kind, Quantity::ZERO);
        }
        counted
    }

    /// A client holds more; `first` says that it held nothing on that agent.
    pub(crate) fn take(&mut self, slot: u32, load: &Load, first: bool) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.allocated.add(&load.all);
        client.agents += u32::from(first);
        let role = client.role;
        if let Some(node) = self.roles.get_mut(role) {
            node.own.allocated.add(&load.all);
        }
        self.each_above(role, |node| {
            node.allocated.add(&load.all);
            node.charged.add(load.charged());
        });
        self.consumption_changed(role);
        self.mark(slot);
    }

    /// A client holds less; `last` says that it holds nothing more on that agent.
    pub(crate) fn give_back(&mut self, slot: u32, load: &Load, last: bool) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.allocated.sub(&load.all);
        client.agents -= u32::from(last);
        let role = client.role;
        if let Some(node) = self.roles.get_mut(role) {
            node.own.allocated.sub(&load.all);
        }
        self.each_above(role, |node| {
            node.allocated.sub(&load.all);
            node.charged.sub(load.charged());
        });
        self.consumption_changed(role);
        self.loosen_quotas(role);
        self.mark(slot);
    }

    /// Changes a role and those above it, from itself up.
    fn each_above(&mut self, role: u32, mut change: impl FnMut(&mut RoleNode)) {
        let mut next = Some(role);
        while let Some(node) = next.and_then(|slot| self.roles.get_mut(slot)) {
            change(node);
            next = node.parent;
        }
    }

    fn mark(&mut self, slot: u32) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        if !client.moved {
            client.moved = true;
            self.moved.push(slot);
        }
    }
}

/// The scalars that are not revocable.
fn lasting(resources: &Resources) -> Scalars {
    if resources.is_plain() {
        return resources.scalars();
    }
    resources.scalars_of(|traits| !traits.revocable)
}

#[cfg(test)]
mod tests;
