//! Who competes for resources, what they hold, and who is next.

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Kind, Quantity, Role, Scalars};

use crate::{
    clients::{Client, ClientState, RoleNode},
    limits::MAX_PASSED_OVER,
    ranking::{Ranking, Standing, Yardstick},
    slots::Slots,
    table::Slab,
};

/// Roles and clients in the order in which they are served: the role with the smallest weighted
/// dominant share, and in it the framework with the smallest (Mesos: ALL-02, ALL-03).
///
/// Changes only mark what moved; [`Contest::settle`] puts it in order again.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    roles: Slab<RoleNode>,
    names: BTreeMap<Role, u32>,
    clients: Slab<Client>,
    ranking: Ranking,
    /// The clients in play.
    live: Slots,
    live_count: usize,
    /// Clients whose standing is out of date.
    moved: Vec<u32>,
    /// What the cluster has, as far as it counts for fairness.
    total: Scalars,
    /// The total as it was when the order was last rebuilt.
    yardstick: Yardstick,
    /// Scalars that do not count for fairness.
    excluded: Vec<Kind>,
    /// The total or a weight changed: every share did.
    stale: bool,
    roles_made: u32,
}

impl Contest {
    pub(crate) fn new(excluded: Vec<Kind>) -> Self {
        Self {
            roles: Slab::new(),
            names: BTreeMap::new(),
            clients: Slab::new(),
            ranking: Ranking::default(),
            live: Slots::new(),
            live_count: 0,
            moved: Vec::new(),
            total: Scalars::new(),
            yardstick: Yardstick::default(),
            excluded,
            stale: false,
            roles_made: 0,
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

    pub(crate) fn client(&self, slot: u32) -> Option<&Client> {
        self.clients.get(slot)
    }

    pub(crate) fn role(&self, slot: u32) -> Option<&RoleNode> {
        self.roles.get(slot)
    }

    /// Roles by name.
    pub(crate) fn roles(&self) -> impl Iterator<Item = (u32, &RoleNode)> + '_ {
        self.names
            .values()
            .filter_map(|slot| Some((*slot, self.roles.get(*slot)?)))
    }

    pub(crate) fn find(&self, framework: FrameworkKey, role: &Role) -> Option<u32> {
        let node = self.roles.get(*self.names.get(role)?)?;
        node.clients.get(&framework).copied()
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
            .clients
            .entry(framework)
            .or_insert_with(|| clients.insert(next))
    }

    fn role_slot(&mut self, role: &Role) -> u32 {
        if let Some(slot) = self.names.get(role) {
            return *slot;
        }
        let slot = self
            .roles
            .insert(RoleNode::new(role.clone(), self.roles_made));
        self.roles_made = self.roles_made.wrapping_add(1);
        self.names.insert(role.clone(), slot);
        slot
    }

    /// Forgets a client that has neither its role nor any resources, and the role with the last.
    pub(crate) fn retire(&mut self, slot: u32) {
        let idle = |client: &&Client| !client.state.subscribed && client.agents == 0;
        if self.clients.get(slot).filter(idle).is_none() {
            return;
        }
        let Some(client) = self.clients.remove(slot) else {
            return;
        };
        let Some(node) = self.roles.get_mut(client.role) else {
            return;
        };
        node.clients.remove(&client.framework);
        node.members.shift(client.standing, None);
        let standing = role_standing(client.role, node, &self.yardstick);
        self.ranking.shift(node.standing, standing);
        node.standing = standing;
        if node.clients.is_empty() && node.weight.is_none() {
            self.names.remove(&node.name);
            self.roles.remove(client.role);
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

    pub(crate) fn set_state(&mut self, slot: u32, state: ClientState) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
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

    pub(crate) fn grow(&mut self, agent: &Scalars) {
        self.total.add(&self.counted(agent));
        self.stale = true;
    }

    pub(crate) fn shrink(&mut self, agent: &Scalars) {
        self.total.sub(&self.counted(agent));
        self.stale = true;
    }

    /// What counts for fairness. As no excluded kind is in the total, no share of it counts.
    pub(crate) fn counted(&self, scalars: &Scalars) -> Scalars {
        let mut counted = scalars.clone();
        for kind in &self.excluded {
            counted.set(kind, Quantity::ZERO);
        }
        counted
    }

    /// An offer was made.
    pub(crate) fn serve(&mut self, slot: u32) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.served += 1;
        if let Some(node) = self.roles.get_mut(client.role) {
            node.served += 1;
        }
        self.mark(slot);
    }

    /// A client holds more; `first` says that it held nothing on that agent.
    pub(crate) fn take(&mut self, slot: u32, scalars: &Scalars, first: bool) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.allocated.add(scalars);
        client.agents += u32::from(first);
        if let Some(node) = self.roles.get_mut(client.role) {
            node.allocated.add(scalars);
        }
        self.mark(slot);
    }

    /// A client holds less; `last` says that it holds nothing more on that agent.
    pub(crate) fn give_back(&mut self, slot: u32, scalars: &Scalars, last: bool) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.allocated.sub(scalars);
        client.agents -= u32::from(last);
        if let Some(node) = self.roles.get_mut(client.role) {
            node.allocated.sub(scalars);
        }
        self.mark(slot);
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

    /// Brings the order up to date.
    pub(crate) fn settle(&mut self) {
        if self.stale {
            return self.rebuild();
        }
        while let Some(slot) = self.moved.pop() {
            let Some(client) = self.clients.get_mut(slot) else {
                continue;
            };
            client.moved = false;
            let Some(node) = self.roles.get_mut(client.role) else {
                continue;
            };
            let standing = client_standing(slot, client, &self.yardstick);
            node.members.shift(client.standing, standing);
            client.standing = standing;
            let standing = role_standing(client.role, node, &self.yardstick);
            self.ranking.shift(node.standing, standing);
            node.standing = standing;
        }
    }

    pub(crate) fn rebuild(&mut self) {
        self.stale = false;
        self.moved.clear();
        self.yardstick = Yardstick::new(&self.total);
        for (slot, client) in self.clients.iter_mut() {
            client.moved = false;
            client.standing = client_standing(slot, client, &self.yardstick);
        }
        for (slot, node) in self.roles.iter_mut() {
            let clients = node
                .clients
                .values()
                .filter_map(|client| self.clients.get(*client));
            node.members
                .rebuild(clients.filter_map(|client| client.standing));
            node.standing = role_standing(slot, node, &self.yardstick);
        }
        self.ranking
            .rebuild(self.roles.iter().filter_map(|(_, node)| node.standing));
    }

    /// The clients in play, the one to be served first in front.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        let nodes = self
            .ranking
            .iter()
            .filter_map(|role| self.roles.get(role.slot));
        nodes.flat_map(|node| node.members.iter().map(|client| client.slot))
    }

    /// The first in order that is not among those passed over.
    ///
    /// Usually that is one of the first few. When most have refused an agent, it is quicker to
    /// compare the few that are left.
    pub(crate) fn first_without(&self, passed_over: &Slots) -> Option<u32> {
        let mut order = self.in_order();
        let next = |slot: &u32| !passed_over.contains(*slot);
        if let Some(slot) = order.by_ref().take(MAX_PASSED_OVER).find(next) {
            return Some(slot);
        }
        let left = self.live.without(passed_over).count();
        if left * MAX_PASSED_OVER > self.live_count {
            return order.find(next);
        }
        let standing = |slot: &u32| {
            let client = self.clients.get(*slot)?;
            Some((self.roles.get(client.role)?.standing, client.standing))
        };
        self.live.without(passed_over).min_by_key(standing)
    }
}

fn client_standing(slot: u32, client: &Client, yardstick: &Yardstick) -> Option<Standing> {
    client.state.in_play().then(|| Standing {
        share: yardstick.dominant_share(&client.allocated, Quantity::from_units(1)),
        served: client.served,
        age: client.framework.0,
        slot,
    })
}

fn role_standing(slot: u32, node: &RoleNode, yardstick: &Yardstick) -> Option<Standing> {
    (!node.members.is_empty()).then(|| Standing {
        share: yardstick.dominant_share(&node.allocated, node.weight()),
        served: node.served,
        age: node.age,
        slot,
    })
}

#[cfg(test)]
mod tests;
