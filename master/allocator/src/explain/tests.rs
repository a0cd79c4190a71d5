//! Explanations name what is in the way, and never disagree with what is offered.

use tepui_model::{Limits, Quota, Resources};

use super::*;
use crate::{AgentProfile, Allocation, Ask, Filter, FrameworkProfile, Options};

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

fn parse(text: &str) -> Resources {
    Resources::parse(text, &Role::default()).unwrap()
}

fn cluster(agents: &[&str], frameworks: &[&str]) -> Allocator {
    let mut allocator = Allocator::new(Options::default());
    for (key, name) in (0..).zip(frameworks) {
        let profile = FrameworkProfile {
            roles: vec![role(name)],
            active: true,
            ..FrameworkProfile::default()
        };
        allocator.add_framework(FrameworkKey(key), profile);
    }
    for (key, total) in (0..).zip(agents) {
        let profile = AgentProfile::new(parse(total));
        allocator.add_agent(AgentKey(key), profile, Vec::new());
    }
    allocator
}

/// Why framework 0 waits: each reason in words, and on how many agents.
fn why(allocator: &Allocator, now: u64) -> Vec<(String, usize)> {
    let query = Query::Framework(FrameworkKey(0));
    let explanation = allocator.explain(&query, Time::from_micros(now));
    let [waiting] = explanation.waiting.as_slice() else {
        panic!("one role, not {explanation:?}");
    };
    let words = |count: &Count| (count.reason.to_string(), count.agents.len());
    waiting.reasons.iter().map(words).collect()
}

fn one(text: &str, agents: usize) -> Vec<(String, usize)> {
    vec![(text.to_owned(), agents)]
}

#[test]
fn what_is_refused_is_named_with_the_refusal_that_ends_first() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 3], &["*"]);
    for offer in allocator.allocate(Time::ZERO) {
        let until = Time::from_micros(100 - u64::from(offer.agent.0));
        let Allocation {
            framework,
            role,
            agent,
            resources,
            ..
        } = offer;
        allocator.return_offer(framework, &role, agent, &resources, Some(Filter { until }));
    }
    assert_eq!(
        why(&allocator, 0),
        one("refused 'cpus:4;mem:100' until 98 us", 3)
    );
    assert_eq!(
        why(&allocator, 98)[1],
        ("offered when those before it have been asked".to_owned(), 1)
    );
}

#[test]
fn agents_that_are_away_or_in_use_are_counted() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 3], &["*"]);
    allocator.set_agent_active(AgentKey(1), false);
    allocator.allocate(Time::ZERO);
    let reasons = why(&allocator, 0);
    assert_eq!(reasons[0], ("nothing is free".to_owned(), 2));
    assert_eq!(reasons[1], ("the agent is inactive".to_owned(), 1));
}

#[test]
fn limits_and_guarantees_of_others_are_named() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["a/b", "c"]);
    let mut limits: Limits = parse("mem:10").scalars().iter().collect();
    limits.set(tepui_model::Kind::Cpus, tepui_model::Quantity::ZERO);
    let limit = Quota {
        limits,
        ..Quota::default()
    };
    allocator.set_quota(&role("a"), limit);
    assert_eq!(
        why(&allocator, 0),
        one("the limit of role a leaves no 'cpus:4;mem:90'", 1)
    );
    allocator.set_quota(&role("a"), Quota::default());
    let guarantee = Quota {
        guarantees: parse("cpus:9;mem:900").scalars(),
        ..Quota::default()
    };
    allocator.set_quota(&role("c"), guarantee);
    assert_eq!(
        why(&allocator, 0),
        one("'cpus:4;mem:100' is kept for guarantees of others", 1)
    );
}

#[test]
fn reservations_gpus_and_minimums_are_named() {
    let allocator = cluster(&["cpus(x):4;mem(x/y):9"], &["a"]);
    assert_eq!(
        why(&allocator, 0),
        one("what is free is reserved to x, x/y", 1)
    );
    // The little that is not reserved would not be offered by itself.
    let allocator = cluster(&["cpus(x):4;disk:9"], &["a"]);
    assert_eq!(why(&allocator, 0), one("what is free is reserved to x", 1));
    let allocator = cluster(&["cpus:4;gpus:1"], &["a"]);
    assert_eq!(
        why(&allocator, 0),
        one("the agent is kept for frameworks with GPU_RESOURCES", 1)
    );
    let allocator = cluster(&["mem:31", "mem:9"], &["a"]);
    assert_eq!(
        why(&allocator, 0),
        one("'mem:31' is too little for an offer", 2)
    );
}

#[test]
fn the_ask_that_comes_closest_is_named_with_what_it_lacks() {
    let mut allocator = cluster(&["cpus:4;mem:100", "cpus:7;mem:100"], &["a"]);
    let ask = Ask::new(parse("cpus:8;mem:50"), 1);
    allocator.request(FrameworkKey(0), &role("a"), vec![ask]);
    assert!(allocator.allocate(Time::ZERO).is_empty());
    assert_eq!(
        why(&allocator, 0),
        one("'cpus:8;mem:50' does not fit by 'cpus:1'", 2)
    );
    allocator.request(FrameworkKey(0), &role("a"), Vec::new());
    assert_eq!(
        why(&allocator, 0),
        one("all that it asked for has been offered", 2)
    );
}

#[test]
fn who_is_idle_has_no_other_reason_and_who_is_ahead_is_named() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["a", "b"]);
    allocator.suppress(FrameworkKey(0), &[]);
    let explanation = allocator.explain(&Query::Agent(AgentKey(0)), Time::ZERO);
    let [first, last] = explanation.waiting.as_slice() else {
        panic!("two frameworks, not {explanation:?}");
    };
    assert_eq!((first.framework, first.idle), (FrameworkKey(1), None));
    assert_eq!(first.reasons[0].reason, Reason::NobodyElse);
    assert_eq!(last.idle, Some(Idle::Suppressed));
    allocator.revive(FrameworkKey(0), &[]);
    let explanation = allocator.explain(&Query::Role(role("b")), Time::ZERO);
    assert_eq!(explanation.waiting[0].ahead, [(FrameworkKey(0), role("a"))]);
    assert_eq!(explanation.waiting[0].ahead_count, 1);
}

#[test]
fn no_more_than_the_limit_is_explained_at_once() {
    let names = vec!["*"; MAX_CLIENTS_EXPLAINED + 3];
    let allocator = cluster(&["cpus:4;mem:100"], &names);
    let explanation = allocator.explain(&Query::Role(Role::default()), Time::ZERO);
    assert_eq!(explanation.waiting.len(), MAX_CLIENTS_EXPLAINED);
    assert_eq!(explanation.left_out, 3);
    assert_eq!(explanation.waiting.last().unwrap().ahead.len(), MAX_AHEAD);
}

#[test]
fn who_is_behind_hears_by_how_much() {
    let mut allocator = cluster(&["cpus:8;mem:100", "cpus:2;mem:100"], &["a", "b"]);
    let made = allocator.allocate(Time::ZERO);
    assert_eq!(made.len(), 2, "each has one of the agents");
    let large = if made[0].resources.cpus() > made[1].resources.cpus() {
        &made[0]
    } else {
        &made[1]
    };
    let waiting = |framework| {
        let explanation = allocator.explain(&Query::Framework(framework), Time::ZERO);
        explanation.waiting[0].clone()
    };
    let behind = waiting(large.framework);
    let lead = behind.why_behind.unwrap();
    assert_eq!(behind.ahead_count, 1);
    assert_eq!(lead.other.role, Some(large.role.clone()));
    assert_eq!((lead.first.share, lead.other.share), (0.5, 0.8));
    let first = made.iter().find(|made| made.framework != large.framework);
    assert_eq!(waiting(first.unwrap().framework).why_behind, None);
}
