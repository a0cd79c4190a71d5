//! Frameworks come, go and change their minds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tepui_model::{AgentKey, Capabilities, FrameworkKey, Role};

use super::Allocator;
use crate::{
    agents::Class,
    constraints::Constraints,
    contest::{ClientState, Terms},
    options::Minimum,
    slots::Slots,
};

/// What the allocator has to know of a framework.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameworkProfile {
    /// The roles that it wants offers for.
    pub roles: Vec<Role>,
    /// Those of them for which it wants none for now (Mesos: OFF-10, OFF-11).
    pub suppressed: BTreeSet<Role>,
    /// What it understands.
    pub capabilities: Capabilities,
    /// Whether it is connected.
    pub active: bool,
    /// What an offer in a role must hold, where it wants something else than all others
    /// (Mesos: OFF-16).
    pub minimums: BTreeMap<Role, Minimum>,
    /// Which agents it can use in a role, if not all (Mesos: OFF-14).
    pub constraints: BTreeMap<Role, Arc<Constraints>>,
    /// Whether it may be shown what is shown to other such frameworks too.
    pub optimistic: bool,
}

impl Allocator {
    /// A framework is there. What it was charged for before it was known stays charged.
    pub fn add_framework(&mut self, key: FrameworkKey, profile: FrameworkProfile) {
        self.update_framework(key, profile);
    }

    /// A framework is described anew: `profile` is all there is to know, suppression included. In
    /// roles that it has no longer it keeps what it holds, but its filters go (Mesos: ROL-04).
    pub fn update_framework(&mut self, key: FrameworkKey, profile: FrameworkProfile) {
        let left = |role: &Role| !profile.roles.contains(role);
        let clients = self.clients_of(key).into_iter();
        for (client, _) in clients.filter(|(_, role)| left(role)).collect::<Vec<_>>() {
            self.leave(client);
            self.contest.retire(client);
        }
        for role in &profile.roles {
            let client = self.contest.enlist(key, role);
            let terms = self.terms(client, &profile, role);
            let new_terms = self.contest.set_terms(client, terms);
            let state = ClientState {
                subscribed: true,
                suppressed: profile.suppressed.contains(role),
                active: profile.active,
                optimistic: profile.optimistic,
                class: Class::of(profile.capabilities, role),
            };
            self.set_state(client, state);
            if new_terms && state.in_play() {
                self.candidates.add_for(client);
            }
        }
    }

    /// A framework is gone. All it holds is free again.
    pub fn remove_framework(&mut self, key: FrameworkKey) {
        for (client, _) in self.clients_of(key) {
            self.leave(client);
            self.release_everywhere(client);
            self.contest.retire(client);
        }
    }

    /// A framework is connected or not. Without a connection it gets no offers, and its filters
    /// go; what it holds stays until it is recovered.
    pub fn set_framework_active(&mut self, key: FrameworkKey, active: bool) {
        for (client, _) in self.clients_of(key) {
            self.change_state(client, |state| state.active = active);
            if !active {
                self.forget_filters(client);
                self.contest.set_demand(client, None);
                self.forget_gangs(client);
            }
        }
    }

    /// A framework wants no offers in those of its roles, or in all if none is named
    /// (Mesos: OFF-10).
    pub fn suppress(&mut self, key: FrameworkKey, roles: &[Role]) {
        for client in self.subscribed(key, roles) {
            self.change_state(client, |state| state.suppressed = true);
        }
    }

    /// A framework wants offers in those of its roles, or in all if none is named, of whatever it
    /// has refused there too (Mesos: OFF-09).
    pub fn revive(&mut self, key: FrameworkKey, roles: &[Role]) {
        for client in self.subscribed(key, roles) {
            self.forget_filters(client);
            self.change_state(client, |state| state.suppressed = false);
        }
    }

    /// What a framework wants to be different in a role. Agents that differ only in what its
    /// constraints do not ask for are judged once, and none is again for constraints that stay.
    fn terms(&self, client: u32, profile: &FrameworkProfile, role: &Role) -> Terms {
        let constraints = profile.constraints.get(role).cloned();
        let before = self.contest.client(client).map(|client| &client.terms);
        let excluded = match (&constraints, before) {
            (None, _) => Slots::new(),
            (Some(_), Some(before)) if before.constraints == constraints => before.excluded.clone(),
            (Some(constraints), _) => self.excluded_by(constraints),
        };
        Terms {
            minimum: profile.minimums.get(role).cloned(),
            constraints,
            excluded,
        }
    }

    fn excluded_by(&self, constraints: &Constraints) -> Slots {
        let mut excluded = Slots::new();
        let mut verdicts = HashMap::new();
        let is_about_kinds = constraints.is_about_kinds();
        for (key, agent) in self.agents.iter() {
            let profile = agent.profile();
            let judge = || constraints.admit(profile);
            let admitted = if is_about_kinds {
                let kind = (&profile.attributes, &profile.domain);
                *verdicts.entry(kind).or_insert_with(judge)
            } else {
                judge()
            };
            if !admitted {
                excluded.insert(key);
            }
        }
        excluded
    }

    /// The clients of a framework and their roles.
    pub(crate) fn clients_of(&self, key: FrameworkKey) -> Vec<(u32, Role)> {
        let nodes = self.contest.roles();
        let clients =
            nodes.filter_map(|(_, node)| Some((*node.own.clients.get(&key)?, node.name.clone())));
        clients.collect()
    }

    /// The clients of a framework in those of its roles that are named, or in all.
    fn subscribed(&self, key: FrameworkKey, roles: &[Role]) -> Vec<u32> {
        let state = |client: &u32| self.contest.client(*client).map(|client| client.state);
        let clients = self.clients_of(key).into_iter();
        let named = clients.filter(|(_, role)| roles.is_empty() || roles.contains(role));
        let clients = named.map(|(client, _)| client);
        clients
            .filter(|client| state(client).is_some_and(|state| state.subscribed))
            .collect()
    }

    fn change_state(&mut self, client: u32, change: impl FnOnce(&mut ClientState)) {
        if let Some(mut state) = self.contest.client(client).map(|client| client.state) {
            change(&mut state);
            self.set_state(client, state);
        }
    }

    /// A client that comes into play, or understands more than before, may want what others have
    /// refused.
    fn set_state(&mut self, client: u32, state: ClientState) {
        let before = self.contest.client(client).map(|client| client.state);
        self.contest.set_state(client, state);
        if !state.in_play() && !self.holds.is_empty() {
            self.end_holds_of_client(client);
        }
        if state.in_play() && before != Some(state) {
            self.candidates.add_for(client);
        }
    }

    /// A framework has a role no longer.
    fn leave(&mut self, client: u32) {
        self.set_state(client, ClientState::default());
        self.contest.set_terms(client, Terms::default());
        self.contest.set_demand(client, None);
        self.forget_gangs(client);
        self.forget_filters(client);
    }

    fn forget_filters(&mut self, client: u32) {
        for key in self.contest.take_refused(client).iter() {
            let Some(agent) = self.agents.get_mut(key) else {
                continue;
            };
            if agent.forget_client(client) {
                self.candidates.add(AgentKey(key), agent);
            }
        }
    }

    fn release_everywhere(&mut self, client: u32) {
        if self
            .contest
            .client(client)
            .is_none_or(|client| client.agents == 0)
        {
            return;
        }
        let held = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.ledger().has(client));
        let keys: Vec<u32> = held.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(agent) = self.agents.get_mut(key) {
                let held = agent.release_all(client);
                self.contest.give_back(client, &held, true);
            }
            self.nominate(AgentKey(key));
        }
    }
}
