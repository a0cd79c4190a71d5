//! Quota in the tree of roles: what is promised to whom, and what may still be given
//! (Mesos: ALL-04, ALL-05, QUO-01 to QUO-03; there for roles at the top only).

use tepui_model::{Kind, Quantity, Quota, Role, Scalars};

use super::{Contest, RoleNode};

/// The stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What guarantees promise (Mesos: ALL-04).
    Guarantees,
    /// All the rest, by fair share (Mesos: ALL-05).
    Shares,
}

/// What quota leaves of some unreserved, not revocable scalars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// All of them.
    All,
    /// That much.
    Part {
        /// The quantities.
        scalars: Scalars,
        /// The slot of the role whose limit is the narrowest, if a limit it is.
        limit: Option<u32>,
    },
    /// No guarantee asks for any of them.
    NoClaim,
}

/// The sums of quota over the tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    /// Roles with a quota.
    pub(super) roles: u32,
    /// Roles with a guarantee.
    pub(super) guarantees: u32,
    /// What has to be kept for guarantees that are not met yet.
    pub(super) required: Scalars,
    /// What is free, unreserved and not revocable on agents that are offered; kept up to date
    /// only while there is a guarantee.
    pub(super) available: Scalars,
    /// What exceeded the requirement when agents were last looked at.
    looked_at: Scalars,
    /// Somebody may be given more than when agents were last looked at.
    loosened: bool,
}

impl Promises {
    /// Somebody may be given more: what it asks for is open again.
    pub(super) const fn reopen(&mut self) {
        self.loosened = true;
    }
}

impl Contest {
    /// Whether any role has a quota.
    pub(crate) const fn has_quotas(&self) -> bool {
        self.promises.roles > 0
    }

    /// Whether any role has a guarantee.
    pub(crate) const fn has_guarantees(&self) -> bool {
        self.promises.guarantees > 0
    }

    /// Sets the quota of a role, which is there from now on; the default one removes it.
    pub(crate) fn set_quota(&mut self, role: &Role, quota: Quota) {
        let slot = self.role_slot(role);
        let Some(node) = self.roles.get_mut(slot) else {
            return;
        };
        let before = core::mem::replace(&mut node.quota, quota);
        let guarantees = |quota: &Quota| u32::from(!quota.guarantees.is_empty());
        let promises = &mut self.promises;
        promises.roles += u32::from(!node.quota.is_default());
        promises.roles -= u32::from(!before.is_default());
        promises.guarantees += guarantees(&node.quota);
        promises.guarantees -= guarantees(&before);
        promises.loosened = true;
        self.stale = true;
        self.spread_limits(role, slot);
        self.recount(slot);
        self.prune(slot);
    }

    /// Notes, for a role and those below it, whether a limit holds there.
    fn spread_limits(&mut self, role: &Role, slot: u32) {
        for slot in self.subtree(role, slot) {
            let above = self.roles.get(slot).and_then(|node| node.parent);
            let above = above.and_then(|slot| self.roles.get(slot));
            let limited = above.is_some_and(|node| node.limited);
            if let Some(node) = self.roles.get_mut(slot) {
                node.limited = limited || !node.quota.limits.is_empty();
            }
        }
    }

    /// The consumption of a role changed, or its quota: works out anew what has to be kept for it
    /// and those above.
    pub(super) fn recount(&mut self, role: u32) {
        let mut next = Some(role);
        while let Some(node) = next.and_then(|slot| self.roles.get_mut(slot)) {
            let need = larger(&node.unmet(), &node.needs_below);
            let before = core::mem::replace(&mut node.need, need.clone());
            next = node.parent;
            let sum = match next.and_then(|slot| self.roles.get_mut(slot)) {
                Some(parent) => &mut parent.needs_below,
                None => &mut self.promises.required,
            };
            sum.sub(&before);
            sum.add(&need);
        }
    }

    /// What is free, unreserved and not revocable changed on an agent that is offered.
    pub(crate) fn change_available(&mut self, before: &Scalars, after: &Scalars) {
        self.promises.available.sub(before);
        self.promises.available.add(after);
    }

    /// What may be given beyond what is kept for guarantees.
    pub(crate) fn surplus(&self) -> Scalars {
        let Promises {
            available,
            required,
            ..
        } = &self.promises;
        available.saturating_sub(required)
    }

    pub(crate) const fn available(&self) -> &Scalars {
        &self.promises.available
    }

    pub(crate) const fn required(&self) -> &Scalars {
        &self.promises.required
    }

    /// How much of `open`, free scalars that are unreserved and not revocable, may be given to a
    /// client of that role.
    ///
    /// In the first stage, what its guarantees promise, and what nobody's guarantee needs on top of
    /// it; in the second, only the latter. No limit on its path is exceeded in either.
    pub(crate) fn allowance(&self, role: u32, stage: Stage, open: &Scalars) -> Allowance {
        let mut allowed = open.clone();
        let mut limit = None;
        if self.roles.get(role).is_some_and(|node| node.limited) {
            limit = self.apply_limits(role, &mut allowed);
        }
        if stage == Stage::Guarantees {
            let claim = self.claim(role);
            if smaller(&allowed, &claim).is_empty() {
                return Allowance::NoClaim;
            }
            let mut most = self.surplus();
            most.add(&claim);
            allowed = smaller(&allowed, &most);
        } else if self.has_guarantees() {
            let most = smaller(&allowed, &self.surplus());
            if most != allowed {
                limit = None;
                allowed = most;
            }
        }
        if allowed == *open {
            return Allowance::All;
        }
        Allowance::Part {
            scalars: allowed,
            limit,
        }
    }

    /// Cuts to what the limits of a role and those above leave. The last role that cut.
    fn apply_limits(&self, role: u32, allowed: &mut Scalars) -> Option<u32> {
        let mut narrowest = None;
        let mut next = Some(role);
        while let Some((slot, node)) = next.and_then(|slot| Some((slot, self.roles.get(slot)?))) {
            for (kind, limit) in node.quota.limits.iter() {
                let room = limit.saturating_sub(node.consumed_of(kind));
                if room < allowed.get(kind) {
                    allowed.set(kind, room);
                    narrowest = Some(slot);
                }
            }
            next = node.parent;
        }
        narrowest
    }

    /// What guarantees still promise to the clients of a role: the most that any role on its path
    /// has not got yet, without what others below that role have been promised themselves.
    ///
    /// Who is given no more than this takes nothing from anybody's guarantee: what has to be kept
    /// falls by as much.
    fn claim(&self, role: u32) -> Scalars {
        let mut claim = Scalars::new();
        let mut others = Scalars::new();
        let mut on_path: Option<&RoleNode> = None;
        for node in self.path(role) {
            others.add(&node.needs_below);
            if let Some(child) = on_path {
                others.sub(&child.need);
            }
            claim = larger(&claim, &node.unmet().saturating_sub(&others));
            on_path = Some(node);
        }
        claim
    }

    /// Remembers what agents were looked at with; see [`Contest::take_loosened`].
    pub(crate) fn note_looked(&mut self) {
        self.promises.looked_at = self.surplus();
        self.promises.loosened = false;
    }

    /// A limit has more room, or an ask is open again.
    pub(crate) const fn loosen(&mut self) {
        self.promises.reopen();
    }

    /// Whether somebody who was held back may be given more than when agents were looked at last.
    pub(crate) fn is_loosened(&self) -> bool {
        self.promises.loosened
            || (self.has_guarantees() && !self.promises.looked_at.contains(&self.surplus()))
    }

    /// Whether a role can be given nothing of what the cluster has, whatever is free.
    pub(super) fn is_exhausted(&self, node: &RoleNode) -> bool {
        let used_up = |(kind, _): (Kind, Quantity)| {
            let limit = node.quota.limits.get(&kind);
            limit.is_some_and(|limit| limit <= node.consumed_of(&kind))
        };
        !node.quota.limits.is_empty() && self.capacity.iter().all(used_up)
    }
}

impl RoleNode {
    /// What of its guarantee it has not got yet.
    pub(super) fn unmet(&self) -> Scalars {
        if self.quota.guarantees.is_empty() {
            return Scalars::new();
        }
        self.quota.guarantees.saturating_sub(&self.consumed())
    }

    /// What counts against its quota, of one kind.
    pub(super) fn consumed_of(&self, kind: &Kind) -> Quantity {
        self.reserved.get(kind) + self.charged.get(kind)
    }
}

/// The larger of each quantity.
pub(crate) fn larger(left: &Scalars, right: &Scalars) -> Scalars {
    let mut larger = left.saturating_sub(right);
    larger.add(right);
    larger
}

/// The smaller of each quantity.
pub(crate) fn smaller(left: &Scalars, right: &Scalars) -> Scalars {
    let mut smaller = left.clone();
    smaller.sub(&left.saturating_sub(right));
    smaller
}

#[cfg(test)]
mod tests;
