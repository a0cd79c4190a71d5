//! Who is taken, and who is asked whether it helps.

use tepui_model::{AgentKey, FrameworkKey, Quantity, Quota, Role, Time, Traits, Value};

use super::*;
use crate::{
    AgentProfile, Allocator, Ask, Constraints, Filter, FrameworkProfile, Options, RegexLimits,
    tests::constraints::{rack_is, wire_groups},
};

fn parse(text: &str) -> Resources {
    Resources::parse(text, &Role::default()).unwrap()
}

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

/// One that yields to a priority of 5.
fn holding(id: u64, priority: i32, resources: &str) -> Holding {
    Holding {
        id,
        framework: FrameworkKey(1),
        role: role("low"),
        yields: priority < 5,
        rank: (priority, 0),
        resources: parse(resources),
        budget: None,
    }
}

fn chosen(wanted: &str, holdings: &[Holding], budgets: &[(u64, u32)]) -> Option<Vec<u64>> {
    let budgets = budgets.iter().copied().collect();
    let enough = |freed: &[&Holding]| {
        let mut free = parse("cpus:1");
        freed.iter().for_each(|holding| free += &holding.resources);
        free.contains(&parse(wanted))
    };
    victims(holdings, &budgets, enough)
}

#[test]
fn the_lowest_priority_goes_first_and_nobody_who_is_not_needed() {
    let holdings = [
        holding(1, 3, "cpus:2"),
        holding(2, 1, "cpus:1"),
        holding(3, 5, "cpus:9"),
    ];
    assert_eq!(chosen("cpus:1", &holdings, &[]), Some(vec![]));
    assert_eq!(chosen("cpus:2", &holdings, &[]), Some(vec![2]));
    let spared = chosen("cpus:3", &holdings, &[]);
    assert_eq!(spared, Some(vec![1]), "2 is not needed");
    assert_eq!(chosen("cpus:4", &holdings, &[]), Some(vec![2, 1]));
    let equals = chosen("cpus:5", &holdings, &[]);
    assert_eq!(equals, None, "its equals are safe");
}

#[test]
fn revocable_holdings_go_before_regular_ones() {
    let revocable = Traits {
        revocable: true,
        ..Traits::plain()
    };
    let mut high = holding(1, 9, "cpus:3");
    let one = Value::Scalar(Quantity::from_units(1));
    high.resources.insert(&revocable, "mem", &one);
    let holdings = [holding(2, 0, "cpus:3"), high];
    assert_eq!(chosen("cpus:4", &holdings, &[]), Some(vec![1]));
}

#[test]
fn a_budget_is_never_overdrawn() {
    let budgeted = |id| Holding {
        budget: Some(7),
        ..holding(id, 0, "cpus:1")
    };
    let holdings = [budgeted(1), budgeted(2), holding(3, 1, "cpus:1")];
    assert_eq!(chosen("cpus:3", &holdings, &[(7, 1)]), Some(vec![1, 3]));
    assert_eq!(chosen("cpus:4", &holdings, &[(7, 1)]), None);
    assert_eq!(chosen("cpus:2", &holdings, &[]), Some(vec![3]));
}

const ASKER: FrameworkKey = FrameworkKey(0);
const AGENT: AgentKey = AgentKey(0);

/// An agent of 4 CPUs that a task of another role fills.
fn full(profile: FrameworkProfile) -> Allocator {
    let mut allocator = Allocator::new(Options::default());
    let used = vec![(FrameworkKey(1), role("low"), parse("cpus:4;mem:400"))];
    let agent = AgentProfile::new(parse("cpus:4;mem:400"));
    allocator.add_agent(AGENT, agent, used);
    allocator.add_framework(ASKER, profile);
    allocator.request(ASKER, &role("high"), vec![ask()]);
    allocator
}

fn profile() -> FrameworkProfile {
    FrameworkProfile {
        roles: vec![role("high")],
        active: true,
        ..FrameworkProfile::default()
    }
}

fn ask() -> Ask {
    Ask::new(parse("cpus:2;mem:100"), 1)
}

fn tried(allocator: &Allocator) -> Option<Vec<u64>> {
    let (role, ask) = (role("high"), ask());
    let wanted = Wanted {
        framework: ASKER,
        role: &role,
        ask: &ask,
        agent: AGENT,
    };
    let holdings = [
        holding(3, 0, "cpus:2;mem:200"),
        holding(4, 0, "cpus:2;mem:200"),
    ];
    let mut trial = allocator.trial(Time::from_micros(5));
    let first = trial.victims(wanted, &holdings, &Budgets::new());
    let again = trial.victims(wanted, &holdings, &Budgets::new());
    assert_eq!(first, again, "a trial changes nothing");
    first
}

#[test]
fn a_task_ends_only_for_somebody_who_would_be_offered_its_room() {
    assert_eq!(tried(&full(profile())), Some(vec![3]));
    let mut asks_no_more = full(profile());
    asks_no_more.request(ASKER, &role("high"), Vec::new());
    assert_eq!(tried(&asks_no_more), None);
    let mut inactive = full(profile());
    inactive.set_agent_active(AGENT, false);
    assert_eq!(tried(&inactive), None);
    let mut suppressed = full(profile());
    suppressed.suppress(ASKER, &[]);
    assert_eq!(tried(&suppressed), None);
}

#[test]
fn a_refusal_of_the_agent_counts_until_it_ends() {
    let mut allocator = full(profile());
    let (taken, high) = (parse("cpus:4;mem:400"), role("high"));
    allocator.charge(ASKER, &high, AGENT, &taken);
    let until = Time::from_micros(9);
    allocator.recover(ASKER, &high, AGENT, &taken, Some(Filter { until }));
    assert_eq!(tried(&allocator), None);
    allocator.revive(ASKER, &[]);
    allocator.request(ASKER, &high, vec![ask()]);
    assert_eq!(tried(&allocator), Some(vec![3]));
}

#[test]
fn constraints_of_who_asks_count() {
    let wire = wire_groups(vec![vec![rack_is("r1")]]);
    let constraints = Constraints::parse(&role("high"), &wire, &RegexLimits::default()).unwrap();
    let constraints = [(role("high"), std::sync::Arc::new(constraints))].into();
    let picky = FrameworkProfile {
        constraints,
        ..profile()
    };
    assert_eq!(tried(&full(picky)), None);
}

fn limited(name: &str, cpus: &str) -> Allocator {
    let mut allocator = full(profile());
    let limits = parse(cpus).scalars().iter().collect();
    let quota = Quota {
        limits,
        ..Quota::default()
    };
    allocator.set_quota(&role(name), quota);
    allocator
}

#[test]
fn the_limit_of_who_asks_counts() {
    assert_eq!(tried(&limited("high", "cpus:1")), None);
    assert_eq!(tried(&limited("high", "cpus:2")), Some(vec![3]));
}

#[test]
fn what_is_set_aside_for_another_does_not_help() {
    let mut allocator = full(profile());
    allocator.add_framework(FrameworkKey(2), profile());
    let until = Time::from_micros(99);
    let all = parse("cpus:4;mem:400");
    let held = allocator.hold(AGENT, FrameworkKey(2), &role("high"), &all, until);
    assert_eq!(tried(&allocator), None);
    allocator.release_hold(held.unwrap());
    assert_eq!(tried(&allocator), Some(vec![3]));
}

#[test]
fn room_that_is_made_for_one_is_not_counted_for_another() {
    let mut allocator = full(profile());
    let (high, ask) = (role("high"), Ask::new(parse("cpus:2;mem:100"), 2));
    allocator.request(ASKER, &high, vec![ask.clone()]);
    let wanted = Wanted {
        framework: ASKER,
        role: &high,
        ask: &ask,
        agent: AGENT,
    };
    let [one, two] = [3, 4].map(|id| holding(id, 0, "cpus:2;mem:200"));
    let mut trial = allocator.trial(Time::ZERO);
    trial.assume_freed(AGENT, &one);
    assert!(trial.serves(wanted, &[]));
    trial.assume_promised(wanted);
    assert!(!trial.serves(wanted, &[]), "the room is the first copy's");
    assert!(trial.serves(wanted, &[&two]));
    let limits = parse("cpus:3").scalars().iter().collect();
    let quota = Quota {
        limits,
        ..Quota::default()
    };
    allocator.set_quota(&high, quota);
    let mut trial = allocator.trial(Time::ZERO);
    trial.assume_freed(AGENT, &one);
    trial.assume_promised(wanted);
    assert!(
        !trial.serves(wanted, &[&two]),
        "one is all that it may have"
    );
}
