//! Who is next: a walk down the tree of roles, without recursion, as roles may lie deep.

use std::collections::btree_set;

use super::{Contest, ranking::Standing, roles::OWN};
use crate::{limits::MAX_PASSED_OVER, slots::Slots};

/// The clients in play, the one to be served first in front.
pub(crate) struct InOrder<'a> {
    contest: &'a Contest,
    /// From the roles at the top down: the role whose members are walked through, and the rest of
    /// these.
    walks: Vec<(Option<u32>, btree_set::Iter<'a, Standing>)>,
    /// The rest of the clients of the role that was reached.
    clients: Option<btree_set::Iter<'a, Standing>>,
}

impl Iterator for InOrder<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            if let Some(client) = self.clients.as_mut().and_then(Iterator::next) {
                return Some(client.slot);
            }
            let (role, members) = self.walks.last_mut()?;
            let role = *role;
            match members.next() {
                None => drop(self.walks.pop()),
                Some(Standing { slot: OWN, .. }) => {
                    let node = role.and_then(|slot| self.contest.roles.get(slot));
                    self.clients = node.map(|node| node.own.members.iter());
                }
                Some(Standing { slot, .. }) => self.enter(*slot),
            }
        }
    }
}

impl InOrder<'_> {
    fn enter(&mut self, slot: u32) {
        let Some(node) = self.contest.roles.get(slot) else {
            return;
        };
        if node.children == 0 {
            self.clients = Some(node.own.members.iter());
        } else {
            self.walks.push((Some(slot), node.members.iter()));
        }
    }
}

impl Contest {
    /// The clients in play, the one to be served first in front.
    pub(crate) fn in_order(&self) -> InOrder<'_> {
        self.below(self.ranking.iter())
    }

    /// Those in whose part of the tree a guarantee is not met.
    pub(crate) fn needy_in_order(&self) -> InOrder<'_> {
        self.below(self.needy.iter())
    }

    /// Those whose role at the top has not used up its limits. Only while there is a quota.
    pub(crate) fn open_in_order(&self) -> InOrder<'_> {
        self.below(self.open.iter())
    }

    fn below<'a>(&'a self, top: btree_set::Iter<'a, Standing>) -> InOrder<'a> {
        InOrder {
            contest: self,
            walks: vec![(None, top)],
            clients: None,
        }
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
        let (mut first, mut first_path, mut path) = (None, Vec::new(), Vec::new());
        for slot in self.live.without(passed_over) {
            self.standings(slot, &mut path);
            if first.is_none() || path < first_path {
                first = Some(slot);
                core::mem::swap(&mut first_path, &mut path);
            }
        }
        first
    }

    /// Where a client, its role and those above stand, from the top down: the order of these
    /// paths is that of the clients.
    fn standings(&self, client: u32, path: &mut Vec<Option<Standing>>) {
        path.clear();
        let Some(client) = self.clients.get(client) else {
            return;
        };
        path.push(client.standing);
        if let Some(node) = self.roles.get(client.role) {
            path.push(node.own.standing);
        }
        path.extend(self.path(client.role).map(|node| node.standing));
        path.reverse();
    }
}
