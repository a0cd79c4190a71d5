//! The rules once more, written down as plainly as they can be: every run looks at every agent and
//! every client, works out every share and every sum from what is held, and remembers nothing else.

mod rules;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{AgentKey, Conversion, FrameworkKey, Quantity, Quota, Resources, Role, Time};

use crate::{
    AgentProfile, Allocation, FrameworkProfile, Options,
    agents::{exclusive, subtract_what_is_there},
    demand::{Ask, Demand},
    limits::MAX_REFUSALS_PER_CLIENT,
    pool::View,
};

pub(super) type Name = (FrameworkKey, Role);

#[derive(Debug, Default)]
pub(super) struct Naive {
    pub(super) options: Options,
    agents: BTreeMap<AgentKey, NaiveAgent>,
    frameworks: BTreeMap<FrameworkKey, FrameworkProfile>,
    clients: BTreeMap<Name, NaiveClient>,
    roles: BTreeMap<Role, NaiveRole>,
    roles_made: u32,
    runs: u64,
    /// The largest key there ever was, and one.
    places: u32,
    whitelist: Option<BTreeSet<Arc<str>>>,
    region: Option<Arc<str>>,
    /// What is set aside, the oldest first.
    holds: Vec<NaiveHold>,
    holds_made: u64,
}

#[derive(Debug)]
struct NaiveHold {
    number: u64,
    agent: AgentKey,
    client: Name,
    resources: Resources,
    until: Time,
}

#[derive(Debug)]
struct NaiveAgent {
    profile: AgentProfile,
    active: bool,
    held: Vec<(Name, Resources)>,
    refused: Vec<(Name, Resources, Time)>,
    /// Shared volumes that were offered in this run.
    given: Resources,
}

#[derive(Debug, Default)]
struct NaiveClient {
    subscribed: bool,
    suppressed: bool,
    active: bool,
    served: u64,
    demand: Option<Demand>,
}

#[derive(Debug)]
struct NaiveRole {
    weight: Option<Quantity>,
    priority: Option<i32>,
    quota: Quota,
    served: u64,
    /// Offers to its own frameworks.
    own_served: u64,
    age: u32,
}

impl NaiveAgent {
    fn free(&self) -> Resources {
        let mut free = self.profile.total.clone();
        for (_, held) in &self.held {
            subtract_what_is_there(&mut free, &exclusive(held));
        }
        subtract_what_is_there(&mut free, &self.given);
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
}

// What changes.
impl Naive {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    pub(super) fn add_agent(&mut self, key: AgentKey, profile: AgentProfile) {
        let total = profile.total.clone();
        let agent = NaiveAgent {
            profile,
            active: true,
            held: Vec::new(),
            refused: Vec::new(),
            given: Resources::new(),
        };
        self.agents.insert(key, agent);
        self.places = self.places.max(key.0 + 1);
        self.know_reservations(&total);
    }

    /// Roles that something is reserved to are there.
    fn know_reservations(&mut self, total: &Resources) {
        for role in total.reservation_roles() {
            self.role(&role);
        }
        self.tidy();
    }

    pub(super) fn remove_agent(&mut self, key: AgentKey) {
        self.agents.remove(&key);
        self.holds.retain(|hold| hold.agent != key);
        for client in self.clients.values_mut() {
            client.demand.as_mut().map(|demand| demand.lose(key));
        }
        self.tidy();
    }

    pub(super) fn set_agent_active(&mut self, key: AgentKey, active: bool) {
        self.agents
            .entry(key)
            .and_modify(|agent| agent.active = active);
    }

    pub(super) fn update_agent(&mut self, key: AgentKey, profile: AgentProfile) {
        let total = profile.total.clone();
        if let Some(agent) = self.agents.get_mut(&key) {
            agent.profile = profile;
            self.know_reservations(&total);
        }
    }

    pub(super) fn set_whitelist(&mut self, hosts: Option<BTreeSet<Arc<str>>>) {
        self.whitelist = hosts;
    }

    pub(super) fn set_region(&mut self, region: Option<Arc<str>>) {
        self.region = region;
    }

    pub(super) fn update_framework(&mut self, key: FrameworkKey, profile: &FrameworkProfile) {
        self.frameworks.insert(key, profile.clone());
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
        }
        self.tidy();
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
                client.demand = None;
                forget(&mut self.agents, name);
            }
        }
        self.tidy();
    }

    pub(super) fn suppress(&mut self, key: FrameworkKey, roles: &[Role]) {
        for (_, client) in self
            .clients
            .iter_mut()
            .filter(|(name, _)| is_named(name, key, roles))
        {
            client.suppressed = client.subscribed;
        }
        self.tidy();
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

    pub(super) fn return_offer(&mut self, offer: &Allocation, refuse: Option<Time>) {
        let client = self.clients.get_mut(&(offer.framework, offer.role.clone()));
        if let Some(demand) = client.and_then(|client| client.demand.as_mut()) {
            demand.give_back(offer.agent, &offer.resources);
        }
        self.recover(offer, refuse);
    }

    pub(super) fn recover(&mut self, offer: &Allocation, refuse: Option<Time>) {
        let name = (offer.framework, offer.role.clone());
        let Some(agent) = self.agents.get_mut(&offer.agent) else {
            return;
        };
        let Some(client) = self.clients.get_mut(&name) else {
            return;
        };
        agent.held.swap_remove(agent.place(offer));
        if let Some(until) = refuse.filter(|_| client.subscribed) {
            note(&mut agent.refused, &name, &offer.resources, until);
        }
        self.tidy();
    }

    /// What one holds is another's now, who was shown a part of it.
    pub(super) fn pass_on(&mut self, offer: &Allocation, view: &View) {
        let agent = self.agents.get_mut(&offer.agent).unwrap();
        agent.held.swap_remove(agent.place(offer));
        let name = (view.framework, view.role.clone());
        agent.held.push((name, view.resources.clone()));
        self.client(view.framework, &view.role);
        self.tidy();
    }

    /// What somebody was shown is over for it.
    pub(super) fn end_view(&mut self, agent: AgentKey, view: &View, refuse: Option<Time>) {
        let name = (view.framework, view.role.clone());
        let Some(client) = self.clients.get_mut(&name) else {
            return;
        };
        if let Some(demand) = &mut client.demand {
            demand.give_back(agent, &view.resources);
        }
        let agent = self.agents.get_mut(&agent).unwrap();
        if let Some(until) = refuse.filter(|_| client.subscribed) {
            note(&mut agent.refused, &name, &view.resources, until);
        }
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

    pub(super) fn request(&mut self, key: FrameworkKey, role: &Role, asks: Option<Vec<Ask>>) {
        if let Some(client) = self.clients.get_mut(&(key, role.clone()))
            && client.subscribed
            && client.active
        {
            client.demand = asks.map(Demand::new);
        }
    }

    pub(super) fn accept(&mut self, offer: &Allocation) {
        let client = self.clients.get_mut(&(offer.framework, offer.role.clone()));
        if let Some(demand) = client.and_then(|client| client.demand.as_mut()) {
            demand.accept(offer.agent, &offer.resources);
        }
    }

    /// Sets something aside, and says under which number.
    pub(super) fn hold(
        &mut self,
        agent: AgentKey,
        client: Name,
        resources: &Resources,
        until: Time,
    ) -> Option<u64> {
        let resources = resources.filter(|traits| !traits.shared);
        let holder = self.clients.get(&client)?;
        if resources.is_empty() || !holder.in_play() || !self.agents.contains_key(&agent) {
            return None;
        }
        self.holds_made += 1;
        self.holds.push(NaiveHold {
            number: self.holds_made,
            agent,
            client,
            resources,
            until,
        });
        Some(self.holds_made)
    }

    pub(super) fn release_hold(&mut self, number: u64) {
        self.holds.retain(|hold| hold.number != number);
    }

    /// The numbers of what is set aside.
    pub(super) fn hold_numbers(&self) -> Vec<u64> {
        self.holds.iter().map(|hold| hold.number).collect()
    }

    pub(super) fn set_priority(&mut self, role: &Role, priority: Option<i32>) {
        self.role(role).priority = priority;
        self.tidy();
    }

    pub(super) fn set_quota(&mut self, role: &Role, quota: Quota) {
        self.role(role).quota = quota;
        self.tidy();
    }

    /// What a client holds becomes something else, if it holds all of it.
    pub(super) fn convert_held(&mut self, held: &Allocation, conversion: &Conversion) {
        let agent = self.agents.get_mut(&held.agent).unwrap();
        let at = agent.place(held);
        agent.held[at].1 = held.resources.clone();
        agent.held[at].1.apply(conversion).unwrap();
        agent.profile.total.apply(conversion).unwrap();
        let total = agent.profile.total.clone();
        self.know_reservations(&total);
    }

    pub(super) fn convert_free(&mut self, key: AgentKey, conversion: &Conversion) -> bool {
        let Some(agent) = self.agents.get_mut(&key) else {
            return false;
        };
        if agent.free().apply(conversion).is_err() {
            return false;
        }
        agent.profile.total.apply(conversion).unwrap();
        let total = agent.profile.total.clone();
        self.know_reservations(&total);
        true
    }

    pub(super) fn free(&self, key: AgentKey) -> Option<Resources> {
        self.agents.get(&key).map(NaiveAgent::free)
    }

    /// A role, made if it is not there, after those above it.
    fn role(&mut self, role: &Role) -> &mut NaiveRole {
        if let Some(parent) = role.parent() {
            self.role(&parent);
        }
        let next = &mut self.roles_made;
        self.roles.entry(role.clone()).or_insert_with(|| {
            *next += 1;
            NaiveRole {
                weight: None,
                priority: None,
                quota: Quota::default(),
                served: 0,
                own_served: 0,
                age: *next,
            }
        })
    }

    fn client(&mut self, framework: FrameworkKey, role: &Role) -> &mut NaiveClient {
        self.role(role);
        self.clients.entry((framework, role.clone())).or_default()
    }

    /// Clients without role and resources, roles of which nothing is known, and holds for those
    /// who take no offers are forgotten.
    fn tidy(&mut self) {
        let holds = |name: &Name| {
            self.agents
                .values()
                .any(|agent| agent.held.iter().any(|(holder, _)| holder == name))
        };
        self.clients
            .retain(|name, client| client.subscribed || holds(name));
        let clients = &self.clients;
        let in_play = |name: &Name| clients.get(name).is_some_and(NaiveClient::in_play);
        self.holds.retain(|hold| in_play(&hold.client));
        let mut known: BTreeSet<Role> = self.clients.keys().map(|name| name.1.clone()).collect();
        for agent in self.agents.values() {
            known.extend(agent.profile.total.reservation_roles());
        }
        let set = |role: &NaiveRole| {
            role.weight.is_some() || role.priority.is_some() || !role.quota.is_default()
        };
        let set = self.roles.iter().filter(|(_, role)| set(role));
        known.extend(set.map(|(name, _)| name.clone()));
        self.roles.retain(|name, _| {
            known
                .iter()
                .any(|known| known == name || known.is_below(name))
        });
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
