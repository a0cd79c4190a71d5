//! The allocator as its caller sees it: changes of the cluster come in.

use std::collections::BTreeSet;

use tepui_model::{AgentKey, Capabilities, FrameworkKey, Quantity, Resources, Role};

use crate::{
    agents::Agent,
    candidates::Candidates,
    class::Class,
    clients::ClientState,
    contest::Contest,
    options::{Filter, Options},
    table::Table,
    violation::Violation,
};

/// Decides whose offer the free resources of each agent become.
///
/// Weighted dominant resource fairness, first between roles, then between the frameworks of a role
/// (Mesos: ALL-02, ALL-03). It is told every change and remembers where something changed, so that
/// [`Allocator::allocate`] looks at those agents only. The same calls in the same order give the
/// same offers.
#[derive(Clone, Debug)]
pub struct Allocator {
    pub(crate) options: Options,
    pub(crate) agents: Table<Agent>,
    pub(crate) contest: Contest,
    pub(crate) candidates: Candidates,
    /// The first call that made no sense, for [`Allocator::check`].
    pub(crate) misuse: Option<Violation>,
}

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
}

impl Allocator {
    /// An allocator of an empty cluster.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let contest = Contest::new(options.fairness_excludes.clone());
        Self {
            options,
            agents: Table::new(),
            contest,
            candidates: Candidates::default(),
            misuse: None,
        }
    }

    /// The settings.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// An agent is there, and frameworks use some of it already. An agent with that key that was
    /// there before is replaced.
    pub fn add_agent(
        &mut self,
        key: AgentKey,
        total: Resources,
        used: Vec<(FrameworkKey, Role, Resources)>,
    ) {
        self.remove_agent(key);
        let scalars = total.scalars();
        if self.agents.insert(key.0, Agent::new(total)).is_err() {
            self.misuse.get_or_insert(Violation::WildKey(key.0));
            return;
        }
        self.contest.grow(&scalars);
        for (framework, role, resources) in used {
            self.charge(framework, &role, key, &resources);
        }
        self.nominate(key);
    }

    /// An agent is gone, and with it whatever was held of it.
    pub fn remove_agent(&mut self, key: AgentKey) {
        let Some(mut agent) = self.agents.remove(key.0) else {
            return;
        };
        self.candidates.set_wake(key, &mut agent, None);
        self.contest.shrink(&agent.total().scalars());
        let clients: BTreeSet<u32> = agent.ledger().iter().map(|(client, _)| client).collect();
        for client in clients {
            let held = agent.release_all(client);
            self.contest.give_back(client, &held, true);
            self.contest.retire(client);
        }
    }

    /// An agent is offered from now on, or no longer. What is held of it stays.
    pub fn set_agent_active(&mut self, key: AgentKey, active: bool) {
        if let Some(agent) = self.agents.get_mut(key.0) {
            agent.active = active;
            self.candidates.add(key, agent);
        }
    }

    /// An agent has other resources than before. If more is held of something than there is now,
    /// nothing of it is free.
    pub fn update_agent_total(&mut self, key: AgentKey, total: Resources) {
        let Some(agent) = self.agents.get_mut(key.0) else {
            return;
        };
        self.contest.shrink(&agent.total().scalars());
        self.contest.grow(&total.scalars());
        agent.set_total(total);
        self.candidates.add(key, agent);
    }

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
            self.set_state(client, ClientState::default());
            self.forget_filters(client);
            self.contest.retire(client);
        }
        for role in &profile.roles {
            let client = self.contest.enlist(key, role);
            let state = ClientState {
                subscribed: true,
                suppressed: profile.suppressed.contains(role),
                active: profile.active,
                class: Class::of(profile.capabilities),
            };
            self.set_state(client, state);
        }
    }

    /// A framework is gone. All it holds is free again.
    pub fn remove_framework(&mut self, key: FrameworkKey) {
        for (client, _) in self.clients_of(key) {
            self.set_state(client, ClientState::default());
            self.forget_filters(client);
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

    /// Resources are free again: an offer was declined or rescinded, a task has ended. With a
    /// filter, the framework has refused them.
    ///
    /// Resources of an agent or a framework that is gone are passed over: they went with it.
    pub fn recover(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        resources: &Resources,
        refuse: Option<Filter>,
    ) {
        let Some(client) = self.contest.find(framework, role) else {
            return;
        };
        let Some(ledger) = self.agents.get_mut(agent.0) else {
            return;
        };
        if resources.is_empty() {
            return;
        }
        if ledger.release(client, resources).is_err() {
            let resources = resources.to_string();
            let role = role.clone();
            let violation = Violation::NotHeld {
                framework,
                role,
                agent,
                resources,
            };
            self.misuse.get_or_insert(violation);
            return;
        }
        let last = !ledger.ledger().has(client);
        self.contest.give_back(client, &resources.scalars(), last);
        let subscribed = self
            .contest
            .client(client)
            .is_some_and(|client| client.state.subscribed);
        if let Some(Filter { until }) = refuse.filter(|_| subscribed) {
            ledger.refuse(client, resources, until);
        }
        self.candidates.add(agent, ledger);
        self.contest.retire(client);
    }

    /// A framework uses resources that the allocator did not give it: tasks learnt of when their
    /// agent came back. Neither the framework nor its role need be known.
    pub fn charge(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        resources: &Resources,
    ) {
        let Some(ledger) = self.agents.get_mut(agent.0) else {
            return;
        };
        if resources.is_empty() {
            return;
        }
        let client = self.contest.enlist(framework, role);
        let first = !ledger.ledger().has(client);
        ledger.charge(client, resources);
        self.contest.take(client, &resources.scalars(), first);
    }

    /// Sets the weight of a role; one that is not positive counts as the smallest there is
    /// (Mesos: WGT-01).
    pub fn set_weight(&mut self, role: &Role, weight: Quantity) {
        self.contest
            .set_weight(role, weight.max(Quantity::SMALLEST));
    }

    fn nominate(&mut self, key: AgentKey) {
        if let Some(agent) = self.agents.get_mut(key.0) {
            self.candidates.add(key, agent);
        }
    }

    /// The clients of a framework and their roles.
    fn clients_of(&self, key: FrameworkKey) -> Vec<(u32, Role)> {
        let nodes = self.contest.roles();
        let clients =
            nodes.filter_map(|(_, node)| Some((*node.clients.get(&key)?, node.name.clone())));
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
        if state.in_play() && before != Some(state) {
            self.candidates.add_all();
        }
    }

    fn forget_filters(&mut self, client: u32) {
        for (key, agent) in self.agents.iter_mut() {
            if agent.forget_client(client) {
                self.candidates.add(AgentKey(key), agent);
            }
        }
    }

    fn release_everywhere(&mut self, client: u32) {
        for (key, agent) in self.agents.iter_mut() {
            if !agent.ledger().has(client) {
                continue;
            }
            let held = agent.release_all(client);
            self.contest.give_back(client, &held, true);
            self.candidates.add(AgentKey(key), agent);
        }
    }
}
