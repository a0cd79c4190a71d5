//! Random histories: the incremental allocator makes the offers of the naive one, the same ones
//! when told the same, and loses no resource.

use std::{collections::BTreeMap, env, sync::Arc};

use proptest::{collection::vec, prelude::*, sample::select};
use tepui_model::{
    AgentCapabilities, Attributes, Conversion, FaultDomain, Kind, Quota, Traits, Value,
    resources::{DiskTraits, Persistence},
};

use super::{
    constraints::{rack_is, wire_groups},
    reference::Naive,
    *,
};
use crate::{
    Ask, Constraints, Minimum, RegexLimits,
    agents::Court,
    contest::{ClientState, Stage},
    explain::Reason,
};

/// How many histories are run; a hundred thousand by
/// `TEPUI_ALLOCATOR_HISTORIES=100000 cargo test --release -p tepui-allocator history`.
fn histories() -> u32 {
    let asked = env::var("TEPUI_ALLOCATOR_HISTORIES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(4_000)
}

/// One thing that happens. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    AddAgent(u32, usize),
    RemoveAgent(u32),
    AgentActive(u32, bool),
    AgentTotal(u32, usize),
    Framework(u32, FrameworkProfile),
    RemoveFramework(u32),
    FrameworkActive(u32, bool),
    Suppress(u32, Vec<Role>),
    Revive(u32, Vec<Role>),
    /// An offer is given back, refused for so many seconds, if for any.
    Decline(usize, Option<u64>),
    /// Half of an offer is used; the rest is refused for so many seconds, if for any.
    Accept(usize, Option<u64>),
    EndTask(usize),
    /// Tasks are learnt of.
    Charge(u32, u32, usize),
    Weight(usize, i64),
    Priority(usize, Option<i32>),
    /// A role gets one of some quotas.
    Quota(usize, usize),
    /// Only hosts whose number is not this are offered; all, if there is none.
    Whitelist(Option<usize>),
    Region(bool),
    /// A part of an offer is reserved to its role, or what is reserved of it becomes unreserved.
    Convert(usize),
    /// A framework says what it waits for in a role, or that it wants whatever there is.
    Request(u32, usize, usize),
    /// A part of what is free is reserved to a role.
    Reserve(u32, usize),
    Pass(u64),
    Run,
}

const ROLES: [&str; 7] = ["*", "a", "b", "a/c", "d", "a/c/e", "a/f"];

/// Guarantees and limits.
const QUOTAS: [(&str, &str); 7] = [
    ("", ""),
    ("", ""),
    ("cpus:2;mem:50", ""),
    ("cpus:1", "cpus:3;mem:120"),
    ("", "cpus:2.5"),
    ("", "cpus:0;mem:0"),
    ("cpus:6;mem:300", "cpus:8"),
];

const ASKS: [Option<&[(&str, u32)]>; 5] = [
    None,
    Some(&[]),
    Some(&[("cpus:1;mem:20", 3)]),
    Some(&[("cpus:3", 1), ("mem:60", 2)]),
    Some(&[("cpus:2;ports:[2-3]", 1), ("cpus:1;mem:64", 1)]),
];

fn asks(index: usize) -> Option<Vec<Ask>> {
    let ask = |(text, count): &(&str, u32)| Ask::new(parse(text), *count);
    ASKS[index].map(|asks| asks.iter().map(ask).collect())
}

fn quota(index: usize) -> Quota {
    let (guarantees, limits) = QUOTAS[index];
    Quota {
        guarantees: parse(guarantees).scalars(),
        limits: limits.split_terminator(';').map(limit).collect(),
    }
}

fn limit(text: &str) -> (Kind, Quantity) {
    let (name, number) = text.split_once(':').unwrap();
    (Kind::new(name), number.parse().unwrap())
}

fn shapes() -> Vec<Resources> {
    let texts = [
        "cpus:4;mem:100",
        "cpus:2;mem:200;ports:[1-9]",
        "cpus:1;mem:10;cpus(a):2;mem(a):50",
        "cpus(b):2;cpus(a/c):1;mem:64;disks:{x,y}",
        "cpus:8;mem:800;gpus:1",
        "mem:20;disk:100",
        "cpus:0.5;mem:33;bandwidth:7",
    ];
    let mut shapes: Vec<Resources> = texts.iter().map(|text| parse(text)).collect();
    let revocable = Traits {
        revocable: true,
        ..Traits::plain()
    };
    shapes[0].insert(&revocable, "cpus", &Value::Scalar(Quantity::from_units(2)));
    shapes.push(Resources::from_item(
        &revocable,
        "mem",
        &Value::Scalar(Quantity::from_units(90)),
    ));
    shapes.push(parse("cpus:4;mem:100"));
    let volume = Traits {
        disk: Some(DiskTraits {
            persistence: Some(Persistence {
                id: Arc::from("v"),
                principal: None,
            }),
            ..DiskTraits::default()
        }),
        shared: true,
        ..Traits::reserved(role("a"))
    };
    shapes.push(parse("cpus:3;mem:90;cpus(a):1"));
    shapes[9].insert(&volume, "disk", &Value::Scalar(Quantity::from_units(40)));
    shapes
}

/// The agent of that shape; its host, rack, region and age follow from it.
fn shaped(shapes: &[Resources], shape: usize) -> AgentProfile {
    let old = shape == 6;
    let profile = AgentProfile::new(shapes[shape].clone());
    AgentProfile {
        hostname: Arc::from(format!("host-{}", shape % 3)),
        attributes: Attributes::parse(&format!("rack:r{}", shape % 2)).unwrap(),
        domain: (shape == 4).then(|| FaultDomain {
            region: Arc::from("south"),
            zone: Arc::from("z"),
        }),
        capabilities: if old {
            AgentCapabilities::NONE
        } else {
            profile.capabilities
        },
        ..profile
    }
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    proptest::sample::subsequence(ROLES.to_vec(), 0..=3)
        .prop_map(|names| names.into_iter().map(role).collect())
}

fn profiles() -> impl Strategy<Value = FrameworkProfile> {
    let known = [
        Capability::RevocableResources,
        Capability::GpuResources,
        Capability::SharedResources,
        Capability::MultiRole,
        Capability::RegionAware,
    ];
    let capabilities = proptest::sample::subsequence(known.to_vec(), 0..=5);
    let minimum = select(vec![None, None, None, Some("cpus:2"), Some("")]);
    let rack = select(vec![None, None, None, Some("r0"), Some("r1")]);
    let active = prop::bool::weighted(0.9);
    (roles(), roles(), capabilities, minimum, rack, active).prop_map(
        |(roles, suppressed, capabilities, minimum, rack, active)| {
            let minimum = minimum.map(|text| text.parse::<Minimum>().unwrap());
            let rack = rack.map(|rack| {
                let wire = wire_groups(vec![vec![rack_is(rack)]]);
                Arc::new(Constraints::parse(&wire, &RegexLimits::default()).unwrap())
            });
            let first = roles.first().into_iter();
            let terms = first.clone().zip(minimum);
            FrameworkProfile {
                suppressed: suppressed
                    .into_iter()
                    .filter(|role| roles.contains(role))
                    .collect(),
                minimums: terms.map(|(role, it)| (role.clone(), it)).collect(),
                constraints: first
                    .zip(rack)
                    .map(|(role, it)| (role.clone(), it))
                    .collect::<BTreeMap<_, _>>(),
                roles,
                capabilities: capabilities.into_iter().collect(),
                active,
            }
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let agent = || 0..6_u32;
    let framework = || 0..6_u32;
    let shape = || 0..10_usize;
    let refuse = || select(vec![None, Some(0), Some(1), Some(3), Some(20)]);
    prop_oneof![
        6 => (agent(), shape()).prop_map(|(agent, shape)| Step::AddAgent(agent, shape)),
        1 => agent().prop_map(Step::RemoveAgent),
        1 => (agent(), any::<bool>()).prop_map(|(agent, active)| Step::AgentActive(agent, active)),
        1 => (agent(), shape()).prop_map(|(agent, shape)| Step::AgentTotal(agent, shape)),
        6 => (framework(), profiles()).prop_map(|(key, profile)| Step::Framework(key, profile)),
        1 => framework().prop_map(Step::RemoveFramework),
        1 => (framework(), any::<bool>()).prop_map(|(key, on)| Step::FrameworkActive(key, on)),
        1 => (framework(), roles()).prop_map(|(key, roles)| Step::Suppress(key, roles)),
        2 => (framework(), roles()).prop_map(|(key, roles)| Step::Revive(key, roles)),
        20 => (any::<usize>(), refuse()).prop_map(|(at, refuse)| Step::Decline(at, refuse)),
        5 => (any::<usize>(), refuse()).prop_map(|(at, refuse)| Step::Accept(at, refuse)),
        4 => any::<usize>().prop_map(Step::EndTask),
        1 => (framework(), agent(), shape()).prop_map(|(key, agent, shape)| Step::Charge(key, agent, shape)),
        1 => (0..ROLES.len(), 1..5000_i64).prop_map(|(role, weight)| Step::Weight(role, weight)),
        1 => (0..ROLES.len(), prop::option::of(-1..2))
            .prop_map(|(role, priority)| Step::Priority(role, priority)),
        3 => (0..ROLES.len(), 0..QUOTAS.len()).prop_map(|(role, quota)| Step::Quota(role, quota)),
        1 => prop::option::of(0..3_usize).prop_map(Step::Whitelist),
        1 => any::<bool>().prop_map(Step::Region),
        2 => any::<usize>().prop_map(Step::Convert),
        1 => (agent(), 1..ROLES.len()).prop_map(|(agent, role)| Step::Reserve(agent, role)),
        2 => (framework(), 0..ROLES.len(), 0..ASKS.len())
            .prop_map(|(key, role, asks)| Step::Request(key, role, asks)),
        4 => (0..4_u64).prop_map(Step::Pass),
        15 => Just(Step::Run),
    ]
}

/// Both allocators under the same history.
struct World {
    fast: Allocator,
    naive: Naive,
    shapes: Vec<Resources>,
    now: u64,
    offers: Vec<Allocation>,
    tasks: Vec<Allocation>,
}

impl World {
    fn new() -> Self {
        Self {
            fast: Allocator::new(Options::default()),
            naive: Naive::new(Options::default()),
            shapes: shapes(),
            now: 0,
            offers: Vec::new(),
            tasks: Vec::new(),
        }
    }

    fn apply(&mut self, step: &Step) {
        match step.clone() {
            Step::AddAgent(..)
            | Step::RemoveAgent(..)
            | Step::AgentActive(..)
            | Step::Whitelist(..)
            | Step::Region(..)
            | Step::AgentTotal(..) => self.change_agent(step),
            Step::Decline(at, refuse) => {
                if let Some(offer) = pick(&mut self.offers, at) {
                    self.decline(&offer, refuse);
                }
            }
            Step::Accept(at, refuse) => self.accept(at, refuse),
            Step::EndTask(at) => {
                if let Some(task) = pick(&mut self.tasks, at) {
                    self.recover(&task, None);
                }
            }
            Step::Charge(framework, agent, shape) => self.charge(framework, AgentKey(agent), shape),
            Step::Weight(name, weight) => {
                let (name, weight) = (role(ROLES[name]), Quantity::from_millis(weight));
                self.fast.set_weight(&name, weight);
                self.naive.set_weight(&name, weight);
            }
            Step::Priority(name, priority) => {
                self.fast.set_priority(&role(ROLES[name]), priority);
                self.naive.set_priority(&role(ROLES[name]), priority);
            }
            Step::Quota(name, index) => {
                self.fast.set_quota(&role(ROLES[name]), quota(index));
                self.naive.set_quota(&role(ROLES[name]), quota(index));
            }
            Step::Convert(at) => self.convert(at),
            Step::Request(key, name, index) => {
                let (key, name) = (FrameworkKey(key), role(ROLES[name]));
                match asks(index) {
                    Some(asks) => self.fast.request(key, &name, asks),
                    None => self.fast.withdraw_request(key, &name),
                }
                self.naive.request(key, &name, asks(index));
            }
            Step::Reserve(agent, name) => self.reserve(AgentKey(agent), &role(ROLES[name])),
            Step::Pass(span) => self.now += span,
            Step::Run => self.run(),
            _ => self.change_framework(step),
        }
    }

    fn change_agent(&mut self, step: &Step) {
        match *step {
            Step::AddAgent(key, shape) if self.fast.total(AgentKey(key)).is_none() => {
                let profile = shaped(&self.shapes, shape);
                self.fast
                    .add_agent(AgentKey(key), profile.clone(), Vec::new());
                self.naive.add_agent(AgentKey(key), profile);
            }
            Step::RemoveAgent(key) => {
                let key = AgentKey(key);
                self.offers.retain(|offer| offer.agent != key);
                self.tasks.retain(|task| task.agent != key);
                self.fast.remove_agent(key);
                self.naive.remove_agent(key);
            }
            Step::AgentActive(key, active) => {
                self.fast.set_agent_active(AgentKey(key), active);
                self.naive.set_agent_active(AgentKey(key), active);
            }
            Step::AgentTotal(key, shape) => {
                let profile = shaped(&self.shapes, shape);
                self.fast.update_agent(AgentKey(key), profile.clone());
                self.naive.update_agent(AgentKey(key), profile);
            }
            Step::Whitelist(without) => {
                let hosts = (0..3).filter(|host| Some(*host) != without);
                let hosts = hosts.map(|host| Arc::from(format!("host-{host}")));
                let hosts = without.map(|_| hosts.collect::<BTreeSet<Arc<str>>>());
                self.fast.set_whitelist(hosts.clone());
                self.naive.set_whitelist(hosts);
            }
            Step::Region(known) => {
                let region = known.then(|| Arc::from("north"));
                self.fast.set_region(region.clone());
                self.naive.set_region(region);
            }
            _ => {}
        }
    }

    fn change_framework(&mut self, step: &Step) {
        match step {
            Step::Framework(key, profile) => {
                self.fast
                    .update_framework(FrameworkKey(*key), profile.clone());
                self.naive.update_framework(FrameworkKey(*key), profile);
            }
            Step::RemoveFramework(key) => {
                let key = FrameworkKey(*key);
                self.offers.retain(|offer| offer.framework != key);
                self.tasks.retain(|task| task.framework != key);
                self.fast.remove_framework(key);
                self.naive.remove_framework(key);
            }
            Step::FrameworkActive(key, active) => {
                self.fast.set_framework_active(FrameworkKey(*key), *active);
                self.naive.set_framework_active(FrameworkKey(*key), *active);
            }
            Step::Suppress(key, roles) => {
                self.fast.suppress(FrameworkKey(*key), roles);
                self.naive.suppress(FrameworkKey(*key), roles);
            }
            Step::Revive(key, roles) => {
                self.fast.revive(FrameworkKey(*key), roles);
                self.naive.revive(FrameworkKey(*key), roles);
            }
            _ => {}
        }
    }

    fn decline(&mut self, offer: &Allocation, refuse: Option<u64>) {
        let refuse = refuse.and_then(|span| until(self.now + span));
        give_back(&mut self.fast, offer, refuse);
        self.naive
            .return_offer(offer, refuse.map(|filter| filter.until));
    }

    fn recover(&mut self, held: &Allocation, refuse: Option<u64>) {
        let refuse = refuse.and_then(|span| until(self.now + span));
        let Allocation {
            framework,
            role,
            agent,
            resources,
        } = held;
        self.fast
            .recover(*framework, role, *agent, resources, refuse);
        self.naive.recover(held, refuse.map(|filter| filter.until));
    }

    fn accept(&mut self, at: usize, refuse: Option<u64>) {
        let Some(mut offer) = pick(&mut self.offers, at) else {
            return;
        };
        self.fast
            .accept(offer.framework, &offer.role, offer.agent, &offer.resources);
        self.naive.accept(&offer);
        let half = offer.resources.filter(Traits::is_plain);
        let rest = offer.resources.checked_sub(&half).unwrap();
        if half.is_empty() || rest.is_empty() {
            return self.tasks.push(offer);
        }
        self.naive.split(&offer, &half, &rest);
        self.tasks.push(Allocation {
            resources: half,
            ..offer.clone()
        });
        offer.resources = rest;
        self.recover(&offer, refuse);
    }

    fn convert(&mut self, at: usize) {
        let Some(mut offer) = pick(&mut self.offers, at) else {
            return;
        };
        if let Some(conversion) = conversion(&offer.resources, &offer.role) {
            let (framework, agent) = (offer.framework, offer.agent);
            let conversions = std::slice::from_ref(&conversion);
            let done = self
                .fast
                .convert_held(framework, &offer.role, agent, conversions);
            if done.is_ok() {
                self.naive.convert_held(&offer, &conversion);
                offer.resources.apply(&conversion).unwrap();
            }
        }
        self.offers.push(offer);
    }

    fn reserve(&mut self, agent: AgentKey, role: &Role) {
        let free = self.naive.free(agent).unwrap_or_default();
        if let Some(conversion) = conversion(&free, role) {
            let done = self
                .fast
                .convert_free(agent, std::slice::from_ref(&conversion));
            assert_eq!(done.is_ok(), self.naive.convert_free(agent, &conversion));
        }
    }

    fn charge(&mut self, framework: u32, agent: AgentKey, shape: usize) {
        if self.fast.total(agent).is_none() {
            return;
        }
        let task = Allocation {
            framework: FrameworkKey(framework),
            role: role(ROLES[framework as usize % ROLES.len()]),
            agent,
            resources: self.shapes[shape].clone(),
        };
        self.fast
            .charge(task.framework, &task.role, agent, &task.resources);
        self.naive.charge(&task);
        self.tasks.push(task);
    }

    fn run(&mut self) {
        let now = seconds(self.now);
        let due = self.fast.next_expiry().is_some_and(|time| time <= now);
        let nothing_to_do = !due && !self.fast.needs_run();
        let made = self.fast.allocate(now);
        assert_eq!(made, self.naive.allocate(now));
        let known: BTreeSet<Role> = self
            .fast
            .role_shares()
            .into_iter()
            .map(|it| it.role)
            .collect();
        assert_eq!(known, self.naive.role_names());
        assert!(
            !nothing_to_do || made.is_empty(),
            "offers though nothing changed: {made:?}"
        );
        self.offers.extend(made);
    }
}

/// What is reserved to the role becomes unreserved; or else a CPU of what is unreserved, if there
/// is as much, is reserved to it.
fn conversion(resources: &Resources, role: &Role) -> Option<Conversion> {
    let cpus =
        |traits: &Traits, quantity| Resources::from_item(traits, "cpus", &Value::Scalar(quantity));
    let plain = Traits::plain();
    let reserved = Traits::reserved(role.clone());
    if role.is_default() {
        return None;
    }
    let here = resources.filter(|traits| *traits == reserved).cpus();
    if here.is_positive() {
        return Some(Conversion {
            consumed: cpus(&reserved, here),
            converted: cpus(&plain, here),
        });
    }
    let one = Quantity::from_units(1);
    let enough = resources.filter(Traits::is_plain).cpus() >= one;
    enough.then(|| Conversion {
        consumed: cpus(&plain, one),
        converted: cpus(&reserved, one),
    })
}

fn pick(from: &mut Vec<Allocation>, at: usize) -> Option<Allocation> {
    (!from.is_empty()).then(|| from.swap_remove(at % from.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories()))]

    #[test]
    fn the_offers_are_those_of_the_naive_allocator(history in vec(steps(), 1..120)) {
        let mut world = World::new();
        for step in &history {
            world.apply(step);
            prop_assert_eq!(world.fast.check(), Ok(()), "after {:?}", step);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_same_history_makes_the_same_offers(history in vec(steps(), 1..120)) {
        let mut worlds = [World::new(), World::new()];
        for step in &history {
            worlds.iter_mut().for_each(|world| world.apply(step));
            let [one, two] = &worlds;
            prop_assert_eq!(&one.offers, &two.offers);
            prop_assert_eq!(one.fast.next_expiry(), two.fast.next_expiry());
        }
    }
}

/// Whether a client would be offered something of an agent if nobody else were in play.
fn would_be_offered(fast: &Allocator, slot: u32, key: u32, now: Time) -> bool {
    let mut contest = fast.contest.clone();
    let others: Vec<u32> = contest.clients().iter().map(|(slot, _)| slot).collect();
    for other in others.into_iter().filter(|other| *other != slot) {
        contest.set_state(other, ClientState::default());
    }
    contest.settle();
    [Stage::Guarantees, Stage::Shares].into_iter().any(|stage| {
        let court = Court {
            contest: &contest,
            options: &fast.options,
            stage,
        };
        let mut agent = fast.agents.get(key).unwrap().clone();
        agent.choose(court, now).is_some()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_explained_is_what_would_be_done(history in vec(steps(), 1..80), late in 0..4_u64) {
        let mut world = World::new();
        history.iter().for_each(|step| world.apply(step));
        let now = seconds(world.now + late);
        let in_play = world.fast.contest.clients().iter();
        let in_play = in_play.filter(|(_, client)| client.state.in_play());
        for (slot, client) in in_play {
            for (key, _) in world.fast.agents.iter() {
                let reason = world.fast.reason(slot, AgentKey(key), now).unwrap();
                let offered = would_be_offered(&world.fast, slot, key, now);
                prop_assert_eq!(
                    reason == Reason::NobodyElse, offered,
                    "{} on agent {}: {}", client.framework, key, reason
                );
            }
        }
    }
}
