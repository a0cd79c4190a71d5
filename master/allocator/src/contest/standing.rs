//! Keeps the order: a client that moved takes along its role and those above.

use tepui_model::{Kind, Quantity, Scalars};

use super::{
    Client, Contest, RoleNode, Rules, Yardstick,
    ranking::Standing,
    roles::OWN,
    turns::{client_name, draw, group_name, role_name},
};
use crate::{demand::Demand, options::Sorter};

const ONE: Quantity = Quantity::from_units(1);

impl Contest {
    /// An offer was made.
    pub(crate) fn serve(&mut self, slot: u32) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        client.served += 1;
        let Some(node) = self.roles.get_mut(client.role) else {
            return;
        };
        node.own.served += 1;
        let role = client.role;
        if self.rules.frameworks == Sorter::Random {
            node.own.clock = client.turn;
            let name = client_name(client.framework.0, node.age);
            client.turn += draw(self.rules.seed, name, client.served, ONE);
        }
        self.each_above(role, |node| node.served += 1);
        if self.rules.roles == Sorter::Random {
            self.draw_path(role);
        }
        self.mark(slot);
    }

    /// A role's own frameworks, the role and those above it were served: each draws its next turn.
    fn draw_path(&mut self, role: u32) {
        let seed = self.rules.seed;
        if let Some(node) = self.roles.get_mut(role) {
            node.clock = node.own.turn;
            node.own.turn += draw(seed, group_name(node.age), node.own.served, ONE);
        }
        let mut next = Some(role);
        while let Some(node) = next.and_then(|slot| self.roles.get_mut(slot)) {
            let turn = node.turn;
            node.turn += draw(seed, role_name(node.age), node.served, node.weight());
            next = node.parent;
            let clock = match next.and_then(|slot| self.roles.get_mut(slot)) {
                Some(parent) => &mut parent.clock,
                None => &mut self.clock,
            };
            *clock = turn;
        }
    }

    /// Brings the order up to date.
    pub(crate) fn settle(&mut self) {
        if self.stale || self.has_other_measures() {
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
            let before = client.standing;
            self.rules.place_client(slot, client, node, &self.yardstick);
            node.own.members.shift(before, client.standing);
            let role = client.role;
            self.lift(role);
        }
    }

    /// Puts a role and those above it where they stand now.
    pub(super) fn lift(&mut self, role: u32) {
        if let Some(node) = self.roles.get_mut(role) {
            let before = node.own.standing;
            self.rules.place_group(node, &self.yardstick);
            node.members.shift(before, node.own.standing);
        }
        let mut next = Some(role);
        while let Some(slot) = next {
            let parent = self.roles.get(slot).and_then(|node| node.parent);
            let clock = self.clock_above(parent);
            let Some(node) = self.roles.get_mut(slot) else {
                return;
            };
            let before = node.standing;
            self.rules.place_role(slot, node, clock, &self.yardstick);
            let after = node.standing;
            let members = match parent.and_then(|slot| self.roles.get_mut(slot)) {
                Some(parent) => &mut parent.members,
                None => &mut self.ranking,
            };
            members.shift(before, after);
            if parent.is_none() && self.has_quotas() {
                self.sift(slot);
            }
            next = parent;
        }
    }

    /// Whether shares stand to each other otherwise than when the order was made, or the cluster
    /// has other kinds of resources. More of the same, or less, changes neither: where all agents
    /// are alike, the order stays when one comes or goes.
    fn has_other_measures(&mut self) -> bool {
        core::mem::take(&mut self.resized)
            && (self.yardstick != Yardstick::in_proportion(&self.total)
                || !self.lasting().eq(self.lasting.iter().cloned()))
    }

    /// The kinds of what the cluster has for good.
    fn lasting(&self) -> impl Iterator<Item = Kind> + '_ {
        self.capacity.iter().map(|(kind, _)| kind)
    }

    pub(crate) fn rebuild(&mut self) {
        (self.stale, self.resized) = (false, false);
        self.moved.clear();
        self.yardstick = Yardstick::in_proportion(&self.total);
        self.lasting = self.lasting().collect();
        let Self {
            roles,
            clients,
            rules,
            yardstick,
            ..
        } = self;
        for (slot, client) in clients.iter_mut() {
            client.moved = false;
            if let Some(node) = roles.get(client.role) {
                rules.place_client(slot, client, node, yardstick);
            }
        }
        for (_, node) in roles.iter_mut() {
            let own = node.own.clients.values();
            let own = own.filter_map(|client| clients.get(*client)?.standing);
            node.own.members.rebuild(own);
            rules.place_group(node, yardstick);
            node.members.rebuild(node.own.standing);
        }
        // The names of the roles below a role come after its own.
        let upwards: Vec<u32> = self.names.values().rev().copied().collect();
        let mut top = Vec::new();
        for slot in upwards {
            let parent = self.roles.get(slot).and_then(|node| node.parent);
            let clock = self.clock_above(parent);
            let Some(node) = self.roles.get_mut(slot) else {
                continue;
            };
            self.rules.place_role(slot, node, clock, &self.yardstick);
            let after = node.standing;
            match parent.and_then(|slot| self.roles.get_mut(slot)) {
                Some(parent) => parent.members.shift(None, after),
                None => top.extend(after),
            }
        }
        self.ranking.rebuild(top);
        self.needy.rebuild(None);
        self.open.rebuild(None);
        if self.has_quotas() {
            for slot in self
                .ranking
                .iter()
                .map(|role| role.slot)
                .collect::<Vec<_>>()
            {
                if let Some(node) = self.roles.get_mut(slot) {
                    (node.needy, node.open) = (None, None);
                }
                self.sift(slot);
            }
        }
    }

    /// Puts a role at the top among those that have something promised, and those that can be
    /// given something, if it is one of them.
    pub(super) fn sift(&mut self, slot: u32) {
        let Some(node) = self.roles.get(slot) else {
            return;
        };
        let needy = node.standing.filter(|_| !node.need.is_empty());
        let open = node.standing.filter(|_| !self.is_exhausted(node));
        self.needy.shift(node.needy, needy);
        self.open.shift(node.open, open);
        if let Some(node) = self.roles.get_mut(slot) {
            (node.needy, node.open) = (needy, open);
        }
    }

    /// The clock by which the members of a role, or the roles at the top, draw their turns.
    fn clock_above(&self, parent: Option<u32>) -> f64 {
        let parent = parent.and_then(|slot| self.roles.get(slot));
        parent.map_or(self.clock, |node| node.clock)
    }
}

impl Rules {
    fn place_client(&self, slot: u32, client: &mut Client, node: &RoleNode, yardstick: &Yardstick) {
        if !client.state.in_play() {
            client.standing = None;
            return;
        }
        if self.frameworks == Sorter::Random && client.standing.is_none() {
            let name = client_name(client.framework.0, node.age);
            client.turn = node.own.clock + draw(self.seed, name, client.served, ONE);
        }
        client.standing = Some(Standing {
            priority: client.demand.as_ref().map_or(0, Demand::priority),
            share: share(
                self.frameworks,
                client.turn,
                yardstick,
                &client.allocated,
                ONE,
            ),
            served: client.served,
            age: client.framework.0,
            slot,
        });
    }

    fn place_group(&self, node: &mut RoleNode, yardstick: &Yardstick) {
        if node.own.members.is_empty() {
            node.own.standing = None;
            return;
        }
        if self.roles == Sorter::Random && node.own.standing.is_none() {
            let drawn = draw(self.seed, group_name(node.age), node.own.served, ONE);
            node.own.turn = node.clock + drawn;
        }
        node.own.standing = Some(Standing {
            priority: node.rank,
            share: share(
                self.roles,
                node.own.turn,
                yardstick,
                &node.own.allocated,
                ONE,
            ),
            served: node.own.served,
            age: node.age,
            slot: OWN,
        });
    }

    fn place_role(&self, slot: u32, node: &mut RoleNode, clock: f64, yardstick: &Yardstick) {
        if node.members.is_empty() {
            node.standing = None;
            return;
        }
        if self.roles == Sorter::Random && node.standing.is_none() {
            let drawn = draw(self.seed, role_name(node.age), node.served, node.weight());
            node.turn = clock + drawn;
        }
        node.standing = Some(Standing {
            priority: node.rank,
            share: share(
                self.roles,
                node.turn,
                yardstick,
                &node.allocated,
                node.weight(),
            ),
            served: node.served,
            age: node.age,
            slot,
        });
    }
}

fn share(
    sorter: Sorter,
    turn: f64,
    yardstick: &Yardstick,
    held: &Scalars,
    weight: Quantity,
) -> f64 {
    match sorter {
        Sorter::Drf => yardstick.dominant_share(held, weight),
        Sorter::Random => turn,
    }
}
