//! The rules once more, written down as plainly as they can be: every run looks at every agent and
//! every client, works out every share from what is held, and remembers nothing else.

use std::{cmp::Reverse, collections::BTreeMap};

use tepui_model::{
    AgentKey, Capabilities, Capability, FrameworkKey, Quantity, Resources, Role, Scalars, Share,
    Time,
};

use crate::{
    Allocation, FrameworkProfile, Options, candidates::rotate, clamp::subtract_what_is_there,
    limits::MAX_REFUSALS_PER_CLIENT,
};

type Name = (FrameworkKey, Role);

#[derive(Debug, Default)]
pub(super) struct Naive {
    options: Options,
    agents: BTreeMap<AgentKey, NaiveAgent>,
    clients: BTreeMap<Name, NaiveClient>,
    roles: BTreeMap<Role, NaiveRole>,
    roles_made: u32,
    runs: u64,
    /// The largest key there ever was, and one.
    places: u32,
}

#[derive(Debug)]
struct NaiveAgent {
    total: Resources,
    active: bool,
    held: Vec<(Name, Resources)>,
    refused: Vec<(Name, Resources, Time)>,
}

#[derive(Debug, Default)]
struct NaiveClient {
    subscribed: bool,
    suppressed: bool,
    active: bool,
    capabilities: Capabilities,
    served: u64,
}

#[derive(Debug)]
struct NaiveRole {
    weight: Option<Quantity>,
    served: u64,
    age: u32,
}

impl NaiveAgent {
    fn free(&self) -> Resources {
        let mut free = self.total.clone();
        for (_, held) in &self.held {
            subtract_what_is_there(&mut free, held);
        }
        free
    }

    /// Where exactly those resources are held.
    fn place(&self, held: &Allocation) -> usize {
        let own = |(name, resources): &(Name, Resources)| {
            *name == (held.framework, held.role.clone()) && *resources == held.resources
        };
        self.held.iter().position(own).unwrap()
    }
}

impl NaiveClient {
    fn in_play(&self) -> bool {
        self.subscribed && self.active && !self.suppressed
    }

    fn knows(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }
}

// What changes.
impl Naive {
    pub(super) fn add_agent(&mut self, key: AgentKey, total: Resources) {
        let agent = NaiveAgent {
            total,
            active: true,
            held: Vec::new(),
            refused: Vec::new(),
        };
        self.agents.insert(key, agent);
        self.places = self.places.max(key.0 + 1);
        self.tidy();
    }

    pub(super) fn remove_agent(&mut self, key: AgentKey) {
        self.agents.remove(&key);
        self.tidy();
    }

    pub(super) fn set_agent_active(&mut self, key: AgentKey, active: bool) {
        self.agents
            .entry(key)
            .and_modify(|agent| agent.active = active);
    }

    pub(super) fn update_agent_total(&mut self, key: AgentKey, total: Resources) {
        self.agents
            .entry(key)
            .and_modify(|agent| agent.total = total);
    }

    pub(super) fn update_framework(&mut self, key: FrameworkKey, profile: &FrameworkProfile) {
        let left = |name: &Name| name.0 == key && !profile.roles.contains(&name.1);
        for (name, client) in self.clients.iter_mut().filter(|(name, _)| left(name)) {
            *client = NaiveClient {
                served: client.served,
                ..NaiveClient::default()
            };
            forget(&mut self.agents, name);
        }
        self.tidy();
        for role in &profile.roles {
            let client = self.client(key, role);
            client.subscribed = true;
            client.suppressed = profile.suppressed.contains(role);
            client.active = profile.active;
            client.capabilities = profile.capabilities;
        }
    }

    pub(super) fn remove_framework(&mut self, key: FrameworkKey) {
        self.update_framework(key, &FrameworkProfile::default());
        for agent in self.agents.values_mut() {
            agent.held.retain(|(name, _)| name.0 != key);
        }
        self.tidy();
    }

    pub(super) fn set_framework_active(&mut self, key: FrameworkKey, active: bool) {
        for (name, client) in self.clients.iter_mut().filter(|(name, _)| name.0 == key) {
            client.active = active;
            if !active {
                forget(&mut self.agents, name);
            }
        }
    }

    pub(super) fn suppress(&mut self, key: FrameworkKey, roles: &[Role]) {
        for (_, client) in self
            .clients
            .iter_mut()
            .filter(|(name, _)| is_named(name, key, roles))
        {
            client.suppressed = client.subscribed;
        }
    }

    pub(super) fn revive(&mut self, key: FrameworkKey, roles: &[Role]) {
        for (name, client) in self.clients.iter_mut() {
            if client.subscribed && is_named(name, key, roles) {
                client.suppressed = false;
                forget(&mut self.agents, name);
            }
        }
    }

    /// Half of an offer is used, so that the two are held by themselves.
    pub(super) fn split(&mut self, offer: &Allocation, half: &Resources, rest: &Resources) {
        let agent = self.agents.get_mut(&offer.agent).unwrap();
        let (name, _) = agent.held.swap_remove(agent.place(offer));
        agent.held.push((name.clone(), half.clone()));
        agent.held.push((name, rest.clone()));
    }

    pub(super) fn recover(&mut self, offer: &Allocation, refuse: Option<Time>) {
        let name = (offer.framework, offer.role.clone());
        let Some(agent) = self.agents.get_mut(&offer.agent) else {
            return;
        };
        let Some(client) = self.clients.get(&name) else {
            return;
        };
        agent.held.swap_remove(agent.place(offer));
        if let Some(until) = refuse.filter(|_| client.subscribed) {
            note(&mut agent.refused, &name, &offer.resources, until);
        }
        self.tidy();
    }

    pub(super) fn charge(&mut self, taken: &Allocation) {
        let Some(agent) = self.agents.get_mut(&taken.agent) else {
            return;
        };
        let name = (taken.framework, taken.role.clone());
        agent.held.push((name, taken.resources.clone()));
        self.client(taken.framework, &taken.role);
    }

    pub(super) fn set_weight(&mut self, role: &Role, weight: Quantity) {
        self.role(role).weight = Some(weight);
    }

    fn role(&mut self, role: &Role) -> &mut NaiveRole {
        let next = &mut self.roles_made;
        self.roles.entry(role.clone()).or_insert_with(|| {
            *next += 1;
            NaiveRole {
                weight: None,
                served: 0,
                age: *next,
            }
        })
    }

    fn client(&mut self, framework: FrameworkKey, role: &Role) -> &mut NaiveClient {
        self.role(role);
        self.clients.entry((framework, role.clone())).or_default()
    }

    /// Clients without role and resources, and roles without clients and weight, are forgotten.
    fn tidy(&mut self) {
        let holds = |name: &Name| {
            self.agents
                .values()
                .any(|agent| agent.held.iter().any(|(holder, _)| holder == name))
        };
        self.clients
            .retain(|name, client| client.subscribed || holds(name));
        let clients = &self.clients;
        let has_clients = |role: &Role| clients.keys().any(|name| name.1 == *role);
        self.roles
            .retain(|name, role| role.weight.is_some() || has_clients(name));
    }
}

fn is_named(name: &Name, key: FrameworkKey, roles: &[Role]) -> bool {
    name.0 == key && (roles.is_empty() || roles.contains(&name.1))
}

fn forget(agents: &mut BTreeMap<AgentKey, NaiveAgent>, client: &Name) {
    for agent in agents.values_mut() {
        agent.refused.retain(|(name, ..)| name != client);
    }
}

/// Refusals that another one covers for as long are as good as none, and no more than the limit
/// are kept.
fn note(refused: &mut Vec<(Name, Resources, Time)>, name: &Name, what: &Resources, until: Time) {
    let covers = |left: (&Resources, Time), right: (&Resources, Time)| {
        left.0.contains(right.0) && left.1 >= right.1
    };
    let own: Vec<_> = refused
        .extract_if(.., |(client, ..)| client == name)
        .collect();
    let mut kept: Vec<_> = own
        .into_iter()
        .filter(|(_, old, end)| !covers((what, until), (old, *end)))
        .collect();
    if !kept
        .iter()
        .any(|(_, old, end)| covers((old, *end), (what, until)))
    {
        kept.sort_by_key(|(.., end)| Reverse(*end));
        kept.truncate(MAX_REFUSALS_PER_CLIENT - 1);
        kept.push((name.clone(), what.clone(), until));
    }
    refused.extend(kept);
}

// Who gets what.
impl Naive {
    pub(super) fn allocate(&mut self, now: Time) -> Vec<Allocation> {
        self.runs += 1;
        let mut keys: Vec<AgentKey> = self.agents.keys().copied().collect();
        rotate(&mut keys, self.options.seed, self.runs, self.places);
        let mut made = Vec::new();
        for key in keys {
            while let Some((name, resources)) = self.choose(key, now) {
                self.clients.get_mut(&name).unwrap().served += 1;
                self.roles.get_mut(&name.1).unwrap().served += 1;
                let agent = self.agents.get_mut(&key).unwrap();
                agent.held.push((name.clone(), resources.clone()));
                made.push(Allocation {
                    framework: name.0,
                    role: name.1,
                    agent: key,
                    resources,
                });
            }
        }
        made
    }

    /// First those who have not seen what they would be offered; then, in a new round, those
    /// whose refusal has ended.
    fn choose(&mut self, key: AgentKey, now: Time) -> Option<(Name, Resources)> {
        let unseen = self.first_unseen(key);
        let offerable = |name: &Name| self.offer(key, name).is_some();
        let agent = &self.agents[&key];
        let ended = |refusal: &(Name, Resources, Time)| refusal.2 <= now;
        if unseen.is_some() || !agent.refused.iter().any(|r| ended(r) && offerable(&r.0)) {
            return unseen;
        }
        self.agents
            .get_mut(&key)?
            .refused
            .retain(|refusal| !ended(refusal));
        self.first_unseen(key)
    }

    fn first_unseen(&self, key: AgentKey) -> Option<(Name, Resources)> {
        let agent = &self.agents[&key];
        let offers = self
            .clients
            .keys()
            .filter_map(|name| Some((name, self.offer(key, name)?)));
        let seen = |name: &Name, offer: &Resources| {
            agent
                .refused
                .iter()
                .any(|(client, what, _)| client == name && what.contains(offer))
        };
        let unseen = offers.filter(|(name, offer)| !seen(name, offer));
        let first = unseen.min_by_key(|(name, _)| self.standing(name));
        first.map(|(name, offer)| (name.clone(), offer))
    }

    /// What a client can be offered of an agent, if it is enough for an offer.
    fn offer(&self, key: AgentKey, name: &Name) -> Option<Resources> {
        let agent = &self.agents[&key];
        let client = self.clients.get(name).filter(|client| client.in_play())?;
        if !agent.active
            || (agent.total.gpus().is_positive() && !client.knows(Capability::GpuResources))
        {
            return None;
        }
        let offer = agent.free().allocatable_to(&name.1).filter(|traits| {
            (client.knows(Capability::RevocableResources) || !traits.revocable)
                && (client.knows(Capability::SharedResources) || !traits.shared)
                && (client.knows(Capability::ReservationRefinement)
                    || traits.reservations.len() < 2)
        });
        (!offer.is_empty() && self.options.min_allocatable.is_met_by(&offer)).then_some(offer)
    }

    /// The smaller, the sooner: the role's weighted share, then the framework's share.
    fn standing(&self, name: &Name) -> (Share, u64, u32, Share, u64, FrameworkKey) {
        let mut total = Scalars::new();
        let (mut role_held, mut own) = (Scalars::new(), Scalars::new());
        for agent in self.agents.values() {
            total.add(&agent.total.scalars());
            for (holder, held) in agent.held.iter().filter(|(holder, _)| holder.1 == name.1) {
                role_held.add(&held.scalars());
                if holder == name {
                    own.add(&held.scalars());
                }
            }
        }
        let role = &self.roles[&name.1];
        let weight = role.weight.unwrap_or(Quantity::from_units(1));
        let share = role_held.dominant_share(&total).per_weight(weight);
        let served = self.clients[name].served;
        (
            share,
            role.served,
            role.age,
            own.dominant_share(&total),
            served,
            name.0,
        )
    }
}
