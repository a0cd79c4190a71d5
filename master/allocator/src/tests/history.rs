//! Random histories: the incremental allocator makes the offers of the naive one, the same ones
//! when told the same, and loses no resource.

mod steps;

use std::{env, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tepui_model::{Conversion, Traits, Value};

use self::steps::{ROLES, Step, asks, quota, shaped, shapes, steps};
use super::{
    reference::{Naive, Name},
    *,
};
use crate::{
    HoldKey, HoldView, View,
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

/// Both allocators under the same history.
struct World {
    fast: Allocator,
    naive: Naive,
    shapes: Vec<Resources>,
    now: u64,
    offers: Vec<Allocation>,
    tasks: Vec<Allocation>,
    /// The holds that were made, and their numbers with the naive one.
    holds: Vec<(HoldKey, u64)>,
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
            holds: Vec::new(),
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
                    self.leave(offer, refuse);
                }
            }
            Step::DeclineView(at, refuse) => self.decline_view(at, refuse),
            Step::TakeView(at) => self.take_view(at),
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
            Step::Hold(agent, key, name, shape, span) => {
                let client = (FrameworkKey(key), role(ROLES[name]));
                self.hold(AgentKey(agent), client, shape, span);
            }
            Step::ReleaseHold(at) => self.release_hold(at),
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
                self.forget_views(key);
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
            ..
        } = held;
        self.fast
            .recover(*framework, role, *agent, resources, refuse);
        self.naive.recover(held, refuse.map(|filter| filter.until));
    }

    /// A framework is shown nothing any longer, and what it holds for others is theirs.
    fn forget_views(&mut self, key: FrameworkKey) {
        for at in 0..self.offers.len() {
            let (agent, views) = (self.offers[at].agent, &mut self.offers[at].views);
            let gone: Vec<View> = views.extract_if(.., |it| it.framework == key).collect();
            for view in gone {
                self.end_view(agent, &view, None);
            }
        }
        let holds = |offer: &mut Allocation| offer.framework == key && !offer.views.is_empty();
        let held: Vec<Allocation> = self.offers.extract_if(.., holds).collect();
        for offer in held {
            self.leave(offer, None);
        }
    }

    /// An offer that is over for its holder stays with the first of the others.
    fn leave(&mut self, offer: Allocation, refuse: Option<u64>) {
        let Some((first, others)) = offer.views.split_first() else {
            return self.decline(&offer, refuse);
        };
        let lead = View {
            framework: offer.framework,
            role: offer.role.clone(),
            resources: offer.resources.clone(),
        };
        self.end_view(offer.agent, &lead, refuse);
        self.pass_on(&offer, first, others);
    }

    fn decline_view(&mut self, at: usize, refuse: Option<u64>) {
        let Some(mut offer) = pick(&mut self.offers, at) else {
            return;
        };
        if let Some(view) = offer.views.pop() {
            self.end_view(offer.agent, &view, refuse);
        }
        self.offers.push(offer);
    }

    fn take_view(&mut self, at: usize) {
        let Some(mut offer) = pick(&mut self.offers, at) else {
            return;
        };
        let Some(view) = offer.views.pop() else {
            return self.offers.push(offer);
        };
        let lead = View {
            framework: offer.framework,
            role: offer.role.clone(),
            resources: offer.resources.clone(),
        };
        for other in offer.views.iter().chain([&lead]) {
            self.end_view(offer.agent, other, None);
        }
        self.pass_on(&offer, &view, &[]);
        let at = self.offers.len() - 1;
        self.accept(at, None);
    }

    /// What an offer holds is held by one of those who are shown it.
    fn pass_on(&mut self, offer: &Allocation, to: &View, others: &[View]) {
        let giver = ((offer.framework, &offer.role), &offer.resources);
        let taker = ((to.framework, &to.role), &to.resources);
        self.fast.pass_on(offer.agent, giver, taker);
        self.naive.pass_on(offer, to);
        // What is not in what is held now is free, and no longer shown.
        let (views, gone): (Vec<View>, Vec<View>) = others
            .iter()
            .cloned()
            .partition(|view| to.resources.contains(&view.resources));
        for view in gone {
            self.end_view(offer.agent, &view, None);
        }
        self.offers.push(Allocation {
            framework: to.framework,
            role: to.role.clone(),
            resources: to.resources.clone(),
            agent: offer.agent,
            gang: None,
            views,
        });
    }

    fn end_view(&mut self, agent: AgentKey, view: &View, refuse: Option<u64>) {
        let refuse = refuse.and_then(|span| until(self.now + span));
        let View {
            framework,
            role,
            resources,
        } = view;
        self.fast.reopen(*framework, role, agent, resources);
        if let Some(filter) = refuse {
            self.fast.refuse(*framework, role, agent, resources, filter);
        }
        self.naive
            .end_view(agent, view, refuse.map(|filter| filter.until));
    }

    fn accept(&mut self, at: usize, refuse: Option<u64>) {
        let Some(mut offer) = pick(&mut self.offers, at) else {
            return;
        };
        for view in std::mem::take(&mut offer.views) {
            self.end_view(offer.agent, &view, None);
        }
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
        for view in std::mem::take(&mut offer.views) {
            self.end_view(offer.agent, &view, None);
        }
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

    fn hold(&mut self, agent: AgentKey, client: Name, shape: usize, span: u64) {
        let (resources, until) = (self.shapes[shape].clone(), seconds(self.now + span));
        let (framework, role) = &client;
        let made = self.fast.hold(agent, *framework, role, &resources, until);
        let number = self.naive.hold(agent, client, &resources, until);
        assert_eq!(made.is_ok(), number.is_some());
        self.holds.extend(made.ok().zip(number));
    }

    fn release_hold(&mut self, at: usize) {
        if let Some((key, number)) = self.holds.get(at % self.holds.len().max(1)) {
            self.fast.release_hold(*key);
            self.naive.release_hold(*number);
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
            gang: None,
            views: Vec::new(),
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
        let number = |view: HoldView| {
            let mut holds = self.holds.iter();
            holds.find(|(key, _)| *key == view.key).unwrap().1
        };
        let held: Vec<u64> = self.fast.holds().map(number).collect();
        assert_eq!(held, self.naive.hold_numbers());
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

/// The role's reservation had met its guarantee, and the cluster as a whole is what it was.
#[test]
fn what_is_unreserved_under_a_guarantee_is_offered() {
    let mut world = World::new();
    let profile = FrameworkProfile {
        roles: [role("a/c")].into(),
        active: true,
        ..FrameworkProfile::default()
    };
    for step in [
        Step::AddAgent(5, 2),
        Step::Framework(0, profile),
        Step::Quota(1, 2),
        Step::Run,
        Step::Decline(0, Some(1)),
        Step::Run,
        Step::Reserve(5, 1),
    ] {
        world.apply(&step);
    }
    assert!(world.offers.is_empty(), "it was refused");
    world.apply(&Step::Run);
    let offered = &world.offers[0].resources;
    assert_eq!(*offered, parse("cpus:3;mem:10;mem(a):50"));
}

/// The guarantee's own stage of that run had passed when the rest of the agent was shared out.
#[test]
fn what_shares_leave_is_offered_to_who_has_a_guarantee_and_refused_more() {
    let mut world = World::new();
    let profile = FrameworkProfile {
        roles: [role("a"), role("a/f")].into(),
        active: true,
        ..FrameworkProfile::default()
    };
    for step in [
        Step::Framework(4, profile),
        Step::Quota(6, 6),
        Step::Request(4, 6, 2),
        Step::AddAgent(0, 9),
        Step::Run,
        Step::Decline(0, Some(1)),
        Step::Run,
        Step::Run,
    ] {
        world.apply(&step);
    }
    let offered: Vec<_> = world.offers.iter().map(|it| &it.resources).collect();
    assert_eq!(offered, [&parse("cpus(a):1"), &parse("cpus:3;mem:60")]);
}
