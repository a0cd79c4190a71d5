//! Gangs: all of a gang is offered at once, or nothing of it.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tepui_model::{Kind, Quota};

use super::*;
use crate::{
    Ask, GangKey,
    explain::{Query, Reason},
};

/// Copies of an ask that belong to a gang.
fn gang(name: &str, what: &str, count: u32) -> Ask {
    Ask {
        gang: Some(Arc::from(name)),
        ..Ask::new(parse(what), count)
    }
}

fn ask_for(allocator: &mut Allocator, framework: u32, name: &str, asks: Vec<Ask>) {
    allocator.request(FrameworkKey(framework), &role(name), asks);
    allocator.check().unwrap();
}

/// A task of a framework in role `z` on an agent, which leaves that much less.
fn occupy(allocator: &mut Allocator, agent: u32, what: &str) {
    let task = parse(what);
    allocator.charge(FrameworkKey(99), &role("z"), AgentKey(agent), &task);
}

fn vacate(allocator: &mut Allocator, agent: u32, what: &str) {
    let task = parse(what);
    allocator.recover(FrameworkKey(99), &role("z"), AgentKey(agent), &task, None);
}

fn offered(made: &[Allocation]) -> Vec<(u32, u32, String)> {
    let offer = |it: &Allocation| (it.framework.0, it.agent.0, it.resources.to_string());
    made.iter().map(offer).collect()
}

const FOUR: &str = "cpus:4;mem:400";

#[test]
fn a_gang_that_fits_is_offered_at_once_and_the_rest_goes_to_others() {
    let mut allocator = cluster(&[FOUR; 2], &["a", "b"]);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:3;mem:300", 2)]);
    let made = run(&mut allocator, seconds(0));
    let (gangs, alone): (Vec<_>, Vec<_>) = made.into_iter().partition(|it| it.gang.is_some());
    let big = "cpus:3;mem:300".to_owned();
    assert_eq!(offered(&gangs), [(0, 0, big.clone()), (0, 1, big)]);
    assert_eq!(gangs[0].gang, gangs[1].gang);
    assert_eq!(frameworks(&alone), [1, 1]);
}

#[test]
fn nothing_of_a_gang_is_offered_before_all_of_it_fits() {
    let mut allocator = cluster(&[FOUR; 2], &["a"]);
    occupy(&mut allocator, 1, "cpus:2");
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:3", 2)]);
    assert!(run(&mut allocator, seconds(0)).is_empty());
    let why = allocator.explain(&Query::Framework(FrameworkKey(0)), seconds(0));
    let reason = why.waiting[0].reasons[0].reason.to_string();
    assert_eq!(reason, "1 of gang 'g' find no place");
    vacate(&mut allocator, 1, "cpus:2");
    assert_eq!(run(&mut allocator, seconds(1)).len(), 2);
}

#[test]
fn a_gang_collects_what_becomes_free_before_others_take_it() {
    let mut allocator = cluster(&[FOUR; 2], &["a", "b"]);
    occupy(&mut allocator, 0, FOUR);
    occupy(&mut allocator, 1, FOUR);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4;mem:400", 2)]);
    run(&mut allocator, seconds(0));
    vacate(&mut allocator, 0, FOUR);
    assert!(
        run(&mut allocator, seconds(1)).is_empty(),
        "it is set aside"
    );
    let query = Query::Framework(FrameworkKey(1));
    let why = allocator.explain(&query, seconds(1));
    let held = Reason::HeldFor {
        framework: FrameworkKey(0),
    };
    let mut reasons = why.waiting[0].reasons.iter();
    assert!(reasons.any(|it| it.reason == held), "{why:?}");
    vacate(&mut allocator, 1, FOUR);
    assert_eq!(frameworks(&run(&mut allocator, seconds(2))), [0, 0]);
    assert_eq!(allocator.holds().count(), 0);
}

#[test]
fn what_was_collected_in_vain_is_given_back_and_nobody_collects_for_as_long() {
    let mut allocator = cluster(&[FOUR; 2], &["a", "b"]);
    occupy(&mut allocator, 1, FOUR);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4", 2)]);
    assert_eq!(
        offered(&run(&mut allocator, seconds(0))),
        [(1, 0, "mem:400".to_owned())]
    );
    assert_eq!(allocator.next_expiry(), Some(seconds(60)));
    assert_eq!(
        offered(&run(&mut allocator, seconds(60))),
        [(1, 0, "cpus:4".to_owned())]
    );
    // It does not collect again before the others had as long for themselves.
    assert_eq!(allocator.holds().count(), 0);
    let cpus = parse("cpus:4");
    allocator.recover(FrameworkKey(1), &role("b"), AgentKey(0), &cpus, until(1000));
    run(&mut allocator, seconds(61));
    assert_eq!(allocator.holds().count(), 0);
    assert_eq!(allocator.next_expiry(), Some(seconds(120)));
    run(&mut allocator, seconds(120));
    assert_eq!(allocator.holds().count(), 2);
}

#[test]
fn a_gang_larger_than_the_cluster_collects_nothing() {
    let mut allocator = cluster(&[FOUR; 2], &["a", "b"]);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4", 3)]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [1, 1]);
    assert_eq!(allocator.holds().count(), 0);
}

#[test]
fn a_gang_is_offered_no_more_than_the_limit_of_its_role() {
    let mut allocator = cluster(&[FOUR; 2], &["a"]);
    let quota = |cpus: i64| Quota {
        limits: [(Kind::Cpus, Quantity::from_units(cpus))]
            .into_iter()
            .collect(),
        ..Quota::default()
    };
    allocator.set_quota(&role("a"), quota(5));
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:3", 2)]);
    assert!(run(&mut allocator, seconds(0)).is_empty());
    assert_eq!(allocator.holds().count(), 0, "each part would be allowed");
    let why = allocator.explain(&Query::Framework(FrameworkKey(0)), seconds(0));
    let reason = why.waiting[0].reasons[0].reason.to_string();
    assert_eq!(reason, "all of gang 'g' together is more than it may have");
    allocator.set_quota(&role("a"), quota(6));
    assert_eq!(run(&mut allocator, seconds(1)).len(), 2);
}

#[test]
fn an_agent_that_the_framework_refused_is_not_for_its_gang_before_the_filter_ends() {
    let mut allocator = cluster(&[FOUR; 2], &["a"]);
    let made = run(&mut allocator, seconds(0));
    give_back(&mut allocator, &made[0], until(9));
    give_back(&mut allocator, &made[1], None);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:3", 2)]);
    assert!(run(&mut allocator, seconds(1)).is_empty());
    assert_eq!(allocator.next_expiry(), Some(seconds(9)));
    assert_eq!(run(&mut allocator, seconds(9)).len(), 2);
}

#[test]
fn a_gang_whose_offers_are_over_goes_to_the_end_of_the_queue() {
    let mut allocator = cluster(&[FOUR], &["a", "b"]);
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4", 1)]);
    ask_for(&mut allocator, 1, "b", vec![gang("g", "cpus:4", 1)]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [0]);
    give_back(&mut allocator, &made[0], None);
    allocator.return_gang(made[0].gang.unwrap());
    let made = run(&mut allocator, seconds(1));
    assert_eq!(frameworks(&made), [1]);
    allocator.serve_gang(made[0].gang.unwrap());
    give_back(&mut allocator, &made[0], None);
    assert_eq!(frameworks(&run(&mut allocator, seconds(2))), [0]);
}

#[test]
fn a_role_of_higher_priority_has_its_gang_placed_first() {
    let mut allocator = cluster(&[FOUR], &["a", "b"]);
    allocator.set_priority(&role("b"), Some(1));
    ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4", 1)]);
    ask_for(&mut allocator, 1, "b", vec![gang("g", "cpus:4", 1)]);
    assert_eq!(frameworks(&run(&mut allocator, seconds(0))), [1]);
}

#[test]
fn a_gang_asked_for_again_keeps_what_it_has_collected() {
    let mut allocator = cluster(&[FOUR; 2], &["a"]);
    occupy(&mut allocator, 1, FOUR);
    let asks = vec![gang("g", "cpus:4", 2)];
    ask_for(&mut allocator, 0, "a", asks.clone());
    run(&mut allocator, seconds(0));
    let held: Vec<_> = allocator.holds().map(|hold| hold.key).collect();
    ask_for(&mut allocator, 0, "a", asks);
    run(&mut allocator, seconds(1));
    let still: Vec<_> = allocator.holds().map(|hold| hold.key).collect();
    assert_eq!((held.len(), held), (2, still));
    // Another one in its place has nothing yet, and nothing is left of the first.
    ask_for(&mut allocator, 0, "a", vec![gang("g", "mem:300", 3)]);
    assert_eq!(allocator.holds().count(), 0);
}

#[test]
fn a_gang_goes_with_its_framework_and_leaves_nothing_set_aside() {
    type Leave = fn(&mut Allocator);
    let leaves: [Leave; 4] = [
        |it| it.remove_framework(FrameworkKey(0)),
        |it| it.set_framework_active(FrameworkKey(0), false),
        |it| it.withdraw_request(FrameworkKey(0), &role("a")),
        |it| it.suppress(FrameworkKey(0), &[]),
    ];
    for leave in leaves {
        let mut allocator = cluster(&[FOUR; 2], &["a", "b"]);
        occupy(&mut allocator, 1, FOUR);
        ask_for(&mut allocator, 0, "a", vec![gang("g", "cpus:4", 2)]);
        run(&mut allocator, seconds(0));
        assert_eq!(allocator.holds().count(), 2);
        leave(&mut allocator);
        run(&mut allocator, seconds(1));
        assert_eq!(allocator.holds().count(), 0);
    }
}

/// A cluster with several gangs and a framework that uses whatever it is offered for a while.
struct World {
    allocator: Allocator,
    now: u64,
    /// What ends when.
    ends: Vec<(u64, Allocation)>,
    spans: Vec<u64>,
    started: usize,
    /// How many copies each gang has, by framework.
    sizes: BTreeMap<u32, u32>,
    served: BTreeMap<u32, u64>,
}

const GREEDY: u32 = 0;

impl World {
    fn new(agents: usize, gangs: &[(u32, i64)], spans: Vec<u64>) -> Self {
        let mut allocator = cluster(&vec![FOUR; agents], &["z"]);
        let mut sizes = BTreeMap::new();
        for (framework, (count, cpus)) in (1..).zip(gangs) {
            let copies = (*count).min(agents as u32);
            let name = format!("r{framework}");
            allocator.add_framework(FrameworkKey(framework), profile(&[&name]));
            let what = format!("cpus:{cpus};mem:100");
            allocator.request(
                FrameworkKey(framework),
                &role(&name),
                vec![gang("g", &what, copies)],
            );
            sizes.insert(framework, copies);
        }
        Self {
            allocator,
            now: 0,
            ends: Vec::new(),
            spans,
            started: 0,
            sizes,
            served: BTreeMap::new(),
        }
    }

    /// A second passes.
    fn step(&mut self) {
        self.now += 1;
        let now = self.now;
        let ended: Vec<_> = self.ends.extract_if(.., |(end, _)| *end <= now).collect();
        for (_, task) in ended {
            give_back(&mut self.allocator, &task, None);
        }
        let made = run(&mut self.allocator, seconds(now));
        self.check_whole(&made);
        self.check_one_collector();
        for offer in made {
            self.take(offer);
        }
    }

    fn take(&mut self, offer: Allocation) {
        if let Some(key) = offer.gang {
            self.allocator.serve_gang(key);
            self.served.insert(offer.framework.0, self.now);
        } else {
            assert_eq!(offer.framework.0, GREEDY, "who asks for a gang gets a gang");
        }
        self.allocator
            .accept(offer.framework, &offer.role, offer.agent, &offer.resources);
        let span = self.spans[self.started % self.spans.len()];
        self.started += 1;
        self.ends.push((self.now + span, offer));
    }

    /// Of every gang that something is offered of, all is.
    fn check_whole(&self, made: &[Allocation]) {
        let mut sums: BTreeMap<(GangKey, u32), Quantity> = BTreeMap::new();
        for offer in made {
            if let Some(key) = offer.gang {
                *sums.entry((key, offer.framework.0)).or_default() += offer.resources.memory();
            }
        }
        for ((_, framework), memory) in sums {
            let copies = i64::from(self.sizes[&framework]);
            assert_eq!(memory, Quantity::from_units(copies * 100));
        }
    }

    fn check_one_collector(&self) {
        let collectors: BTreeSet<FrameworkKey> =
            self.allocator.holds().map(|hold| hold.framework).collect();
        assert!(collectors.len() <= 1, "{collectors:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// As tasks take less than a gang may collect for, the first of the queue is served at its
    /// first attempt, and each one after it likewise.
    #[test]
    fn gangs_that_contend_are_all_served_whole_one_after_the_other(
        agents in 1..5_usize,
        gangs in vec((1..6_u32, 1..5_i64), 2..6),
        spans in vec(1..20_u64, 1..7),
    ) {
        let count = gangs.len();
        let mut world = World::new(agents, &gangs, spans);
        let bound = count as u64 * 45;
        while world.served.len() < count && world.now < bound {
            world.step();
        }
        prop_assert_eq!(world.served.len(), count, "by {}: {:?}", world.now, world.served);
    }

    /// However long tasks take: who waits in vain gives back, and the others have their turn.
    #[test]
    fn a_gang_that_cannot_be_served_never_blocks_the_cluster_for_ever(
        agents in 2..5_usize,
        gangs in vec((2..6_u32, 1..5_i64), 1..5),
        span in 100..1000_u64,
    ) {
        let mut world = World::new(agents, &gangs, vec![span, 30]);
        let mut idle = 0;
        for _ in 0..1000 {
            let served = world.served.len();
            world.step();
            let in_vain = world.allocator.holds().count() > 0 && world.served.len() == served;
            idle = if in_vain { idle + 1 } else { 0 };
            prop_assert!(idle <= 60, "something is set aside in vain for {idle} s");
        }
    }
}
