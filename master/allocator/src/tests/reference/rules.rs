//! Who gets what, by the rules.

use std::{cmp::Reverse, collections::BTreeSet};

use tepui_model::{
    AgentCapability, AgentKey, Capability, Kind, Quantity, Resources, Role, Scalars, Share, Time,
};

use super::{Naive, NaiveAgent, Name};
use crate::{
    Allocation,
    agents::{cut, subtract_what_is_there},
    candidates::rotate,
    demand::Demand,
    limits::MAX_VIEWS,
    pool::View,
};

/// Where one member stands among the others of its role.
type Place = (Reverse<i32>, Share, u64, u32);

const ONE: Quantity = Quantity::from_units(1);

impl Naive {
    pub(in crate::tests) fn allocate(&mut self, now: Time) -> Vec<Allocation> {
        self.runs += 1;
        self.holds.retain(|hold| now < hold.until);
        let mut keys: Vec<AgentKey> = self.agents.keys().copied().collect();
        rotate(&mut keys, self.options.seed, self.runs, self.places);
        let mut made = Vec::new();
        for guarantees in [true, false] {
            for key in &keys {
                while let Some((name, resources)) = self.choose(*key, guarantees, now) {
                    let mut offer = self.give(*key, &name, resources);
                    if !guarantees {
                        offer.views = self.show_to_others(*key, &name, &offer.resources);
                    }
                    made.push(offer);
                }
            }
        }
        for agent in self.agents.values_mut() {
            agent.given = Resources::new();
        }
        made
    }

    fn give(&mut self, key: AgentKey, name: &Name, resources: Resources) -> Allocation {
        let client = self.clients.get_mut(name).unwrap();
        client.served += 1;
        if let Some(demand) = &mut client.demand {
            let (_, parts) = demand.fit(key, &resources).unwrap();
            demand.show(key, &resources, parts);
        }
        self.roles.get_mut(&name.1).unwrap().own_served += 1;
        for (role, node) in &mut self.roles {
            node.served += u64::from(is_within(&name.1, role));
        }
        let mut left = resources.clone();
        self.holds.retain(|hold| {
            let own = hold.agent == key && hold.client == *name;
            !own || left.subtract(&hold.resources).is_err()
        });
        let agent = self.agents.get_mut(&key).unwrap();
        agent.held.push((name.clone(), resources.clone()));
        agent.given += resources.filter(|traits| traits.shared);
        Allocation {
            framework: name.0,
            role: name.1.clone(),
            agent: key,
            resources,
            gang: None,
            views: Vec::new(),
        }
    }

    /// Whoever is optimistic is shown what another such framework is offered.
    fn show_to_others(&mut self, key: AgentKey, lead: &Name, offer: &Resources) -> Vec<View> {
        let promised = self
            .roles
            .values()
            .any(|it| !it.quota.guarantees.is_empty());
        let shared = offer.bundles().any(|(traits, ..)| traits.shared);
        if !self.frameworks[&lead.0].optimistic || promised || shared {
            return Vec::new();
        }
        let may_look = |name: &Name| {
            let mut path = self
                .roles
                .iter()
                .filter(|(role, _)| is_within(&name.1, role));
            name.0 != lead.0
                && self.frameworks.get(&name.0).is_some_and(|it| it.optimistic)
                && path.all(|(_, node)| node.quota.limits.is_empty())
        };
        let mut names: Vec<Name> = self
            .clients
            .keys()
            .filter(|it| may_look(it))
            .cloned()
            .collect();
        names.sort_by_cached_key(|name| self.standing(name));
        let mut views = Vec::new();
        for name in names {
            if views.iter().any(|view: &View| view.framework == name.0) {
                continue;
            }
            // No quota is about it: `may_look`.
            let Some(view) = self.offer_of(key, &name, None, offer) else {
                continue;
            };
            if views.len() == MAX_VIEWS || self.has_seen(key, &name, &view) {
                continue;
            }
            if let Some(demand) = &mut self.clients.get_mut(&name).unwrap().demand {
                let (_, parts) = demand.fit(key, &view).unwrap();
                demand.show(key, &view, parts);
            }
            let (framework, role) = name;
            views.push(View {
                framework,
                role,
                resources: view,
            });
        }
        views
    }

    fn has_seen(&self, key: AgentKey, name: &Name, offer: &Resources) -> bool {
        let mut refused = self.agents[&key].refused.iter();
        refused.any(|(client, what, _)| client == name && what.contains(offer))
    }

    /// First those who have not seen what they would be offered; then, in a new round, those
    /// whose refusal has ended.
    fn choose(&mut self, key: AgentKey, guarantees: bool, now: Time) -> Option<(Name, Resources)> {
        let unseen = self.first_unseen(key, guarantees);
        let offerable = |name: &Name| self.offer(key, name, guarantees).is_some();
        let agent = &self.agents[&key];
        let ended = |refusal: &(Name, Resources, Time)| refusal.2 <= now;
        if unseen.is_some() || !agent.refused.iter().any(|r| ended(r) && offerable(&r.0)) {
            return unseen;
        }
        self.agents
            .get_mut(&key)?
            .refused
            .retain(|refusal| !ended(refusal));
        self.first_unseen(key, guarantees)
    }

    fn first_unseen(&self, key: AgentKey, guarantees: bool) -> Option<(Name, Resources)> {
        let offers = self
            .clients
            .keys()
            .filter_map(|name| Some((name, self.offer(key, name, guarantees)?)));
        let unseen = offers.filter(|(name, offer)| !self.has_seen(key, name, offer));
        let first = unseen.min_by_key(|(name, _)| self.standing(name));
        first.map(|(name, offer)| (name.clone(), offer))
    }

    /// What a client can be offered of an agent, if it is enough for an offer.
    fn offer(&self, key: AgentKey, name: &Name, guarantees: bool) -> Option<Resources> {
        let free = self.left_by_holds(key, name);
        self.offer_of(key, name, Some(guarantees), &free)
    }

    /// The same of a part of it, within quota if that is asked about.
    fn offer_of(
        &self,
        key: AgentKey,
        name: &Name,
        guarantees: Option<bool>,
        part: &Resources,
    ) -> Option<Resources> {
        let agent = &self.agents[&key];
        self.clients.get(name).filter(|client| client.in_play())?;
        let profile = &self.frameworks[&name.0];
        let knows = |capability| profile.capabilities.has(capability);
        let constraints = profile.constraints.get(&name.1);
        if !self.is_offered(agent)
            || !self.is_for(agent, name)
            || constraints.is_some_and(|constraints| !constraints.admit(&agent.profile))
        {
            return None;
        }
        let usable = part.allocatable_to(&name.1).filter(|traits| {
            (knows(Capability::RevocableResources) || !traits.revocable)
                && (knows(Capability::SharedResources) || !traits.shared)
                && (knows(Capability::ReservationRefinement) || traits.reservations.len() < 2)
        });
        let offer = match guarantees {
            Some(stage) => cut(&usable, &self.allowed(&name.1, stage, &open(&usable))?),
            None => usable,
        };
        let minimum = profile.minimums.get(&name.1);
        let minimum = minimum.unwrap_or(&self.options.min_allocatable);
        let exclusive = offer.filter(|traits| !traits.shared);
        if exclusive.is_empty() || !minimum.is_met_by(&offer) {
            return None;
        }
        match &self.clients[name].demand {
            None => Some(offer),
            Some(demand) => demand.fit(key, &offer).map(|(sum, _)| sum),
        }
    }

    /// What is free and not set aside for others.
    fn left_by_holds(&self, key: AgentKey, name: &Name) -> Resources {
        let mut shown = self.agents[&key].free();
        let mut unfilled = shown.clone();
        for hold in self.holds.iter().filter(|hold| hold.agent == key) {
            let before = unfilled.clone();
            subtract_what_is_there(&mut unfilled, &hold.resources);
            if hold.client != *name {
                shown
                    .subtract(&(before.checked_sub(&unfilled).unwrap()))
                    .unwrap();
            }
        }
        shown
    }

    fn is_offered(&self, agent: &NaiveAgent) -> bool {
        let hosts = self.whitelist.as_ref();
        agent.active && hosts.is_none_or(|hosts| hosts.contains(&agent.profile.hostname))
    }

    /// Whether a framework can be offered anything of an agent, by what the two know.
    fn is_for(&self, agent: &NaiveAgent, name: &Name) -> bool {
        let profile = &self.frameworks[&name.0];
        let knows = |capability| profile.capabilities.has(capability);
        let can = |capability| agent.profile.capabilities.has(capability);
        let domain = agent.profile.domain.as_ref();
        let remote = match (domain, &self.region) {
            (Some(domain), Some(region)) => domain.region != *region,
            _ => false,
        };
        (knows(Capability::GpuResources) || !agent.profile.total.gpus().is_positive())
            && (knows(Capability::RegionAware) || !remote)
            && (can(AgentCapability::MultiRole) || !knows(Capability::MultiRole))
            && (can(AgentCapability::HierarchicalRole) || name.1.parent().is_none())
    }

    /// What quota lets a role have of those scalars; `None` in the first stage if no guarantee
    /// asks for any of them.
    fn allowed(&self, role: &Role, guarantees: bool, open: &Scalars) -> Option<Scalars> {
        let mut allowed = open.clone();
        for (kind, _) in open.iter() {
            let path = self.roles.iter().filter(|(name, _)| is_within(role, name));
            for (name, node) in path {
                if let Some(limit) = node.quota.limits.get(&kind) {
                    let room = limit.saturating_sub(self.consumed(name).get(&kind));
                    allowed.set(&kind, allowed.get(&kind).min(room));
                }
            }
        }
        let claim = self.claim(role);
        let some = |(kind, left): (Kind, Quantity)| left.min(claim.get(&kind)).is_positive();
        if guarantees && !allowed.iter().any(some) {
            return None;
        }
        let available = self.agents.values().filter(|agent| self.is_offered(agent));
        let available: Vec<Scalars> = available.map(|agent| self::open(&agent.free())).collect();
        let tops = self.roles.keys().filter(|role| role.parent().is_none());
        let needs: Vec<Scalars> = tops.map(|role| self.need(role)).collect();
        for (kind, left) in allowed.clone().iter() {
            let sum = |all: &[Scalars]| all.iter().map(|each| each.get(&kind)).sum::<Quantity>();
            let surplus = sum(&available).saturating_sub(sum(&needs));
            let promised = if guarantees {
                claim.get(&kind)
            } else {
                Quantity::ZERO
            };
            allowed.set(&kind, left.min(surplus + promised));
        }
        Some(allowed)
    }

    /// What is reserved to a role and below, and what else is held there.
    fn consumed(&self, role: &Role) -> Scalars {
        let mut consumed = Scalars::new();
        for agent in self.agents.values() {
            let reserved = agent.profile.total.filter(|traits| {
                let holder = traits.reservation_role();
                holder.is_some_and(|holder| is_within(holder, role))
            });
            consumed.add(&reserved.scalars());
            for (_, held) in agent
                .held
                .iter()
                .filter(|(name, _)| is_within(&name.1, role))
            {
                consumed.add(&open(held));
            }
        }
        consumed
    }

    fn unmet(&self, role: &Role) -> Scalars {
        let guarantees = &self.roles[role].quota.guarantees;
        guarantees.saturating_sub(&self.consumed(role))
    }

    /// What must be kept for a role and those below.
    fn need(&self, role: &Role) -> Scalars {
        let children = self
            .roles
            .keys()
            .filter(|child| child.parent().as_ref() == Some(role));
        let mut below = Scalars::new();
        children.for_each(|child| below.add(&self.need(child)));
        largest(&self.unmet(role), &below)
    }

    /// What guarantees promise to the frameworks of a role: of each role on its path what that has
    /// not got, less what must be kept for roles below that one which are not on the path.
    fn claim(&self, role: &Role) -> Scalars {
        let mut claim = Scalars::new();
        for above in self.roles.keys().filter(|above| is_within(role, above)) {
            let mut left = self.unmet(above);
            for other in self.roles.keys() {
                let beside = other
                    .parent()
                    .is_some_and(|parent| is_within(&parent, above) && is_within(role, &parent));
                if beside && !is_within(role, other) {
                    left.sub(&self.need(other));
                }
            }
            claim = largest(&claim, &left);
        }
        claim
    }

    /// Where a client stands, from the roles at the top down: the smaller, the sooner.
    fn standing(&self, name: &Name) -> Vec<Place> {
        let mut total = Scalars::new();
        for agent in self.agents.values() {
            total.add(&agent.profile.total.scalars());
        }
        let share = |inside: &dyn Fn(&Name) -> bool, weight: Quantity| {
            let mut sum = Scalars::new();
            for agent in self.agents.values() {
                for (_, held) in agent.held.iter().filter(|(holder, _)| inside(holder)) {
                    sum.add(&held.filter(|traits| !traits.shared).scalars());
                }
            }
            sum.dominant_share(&total).per_weight(weight)
        };
        let mut path = Vec::new();
        // Names sort the roles above before those below.
        for (role, node) in self
            .roles
            .iter()
            .filter(|(role, _)| is_within(&name.1, role))
        {
            let weight = node.weight.unwrap_or(ONE);
            let share = share(&|holder| is_within(&holder.1, role), weight);
            path.push((Reverse(self.rank(role)), share, node.served, node.age));
        }
        let own = &self.roles[&name.1];
        let group = share(&|holder| holder.1 == name.1, ONE);
        let rank = Reverse(self.rank(&name.1));
        path.push((rank, group, own.own_served, own.age));
        let share = share(&|holder| holder == name, ONE);
        let client = &self.clients[name];
        let asks = client.demand.iter().flat_map(Demand::open);
        let urgency = asks.map(|ask| ask.priority).max().unwrap_or(0);
        path.push((Reverse(urgency), share, client.served, name.0.0));
        path
    }

    /// The priority of a role, or of the closest one above that has one.
    fn rank(&self, role: &Role) -> i32 {
        let path = std::iter::successors(Some(role.clone()), Role::parent);
        path.filter_map(|role| self.roles.get(&role)?.priority)
            .next()
            .unwrap_or(0)
    }

    /// The roles that are known.
    pub(in crate::tests) fn role_names(&self) -> BTreeSet<Role> {
        self.roles.keys().cloned().collect()
    }
}

/// Whether a role is another or lies below it.
fn is_within(role: &Role, other: &Role) -> bool {
    role == other || role.is_below(other)
}

/// The scalars that quota is about.
fn open(resources: &Resources) -> Scalars {
    resources
        .filter(|traits| traits.reservations.is_empty() && !traits.revocable && !traits.shared)
        .scalars()
}

/// The larger of each quantity, none below zero.
fn largest(left: &Scalars, right: &Scalars) -> Scalars {
    let kinds = left.iter().chain(right.iter()).map(|(kind, _)| kind);
    let kinds: BTreeSet<Kind> = kinds.collect();
    let larger = |kind: Kind| {
        let quantity = left.get(&kind).max(right.get(&kind)).max(Quantity::ZERO);
        (kind, quantity)
    };
    kinds.into_iter().map(larger).collect()
}
