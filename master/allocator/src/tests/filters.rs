//! Filters, suppression and revival: who is not offered what.

use super::*;
use crate::Ask;

#[test]
fn a_refused_offer_is_not_made_again_before_its_filter_ends() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    let made = run(&mut allocator, seconds(0));
    give_back(&mut allocator, &made[0], until(5));
    assert!(allocator.needs_run());
    assert!(run(&mut allocator, seconds(1)).is_empty());
    assert!(!allocator.needs_run());
    assert_eq!(allocator.next_expiry(), Some(seconds(5)));
    assert!(run(&mut allocator, Time::from_micros(4_999_999)).is_empty());
    assert_eq!(run(&mut allocator, seconds(5)), made);
    assert_eq!(allocator.next_expiry(), None);
}

#[test]
fn a_filter_blocks_what_is_contained_in_the_refused_only() {
    let mut allocator = Allocator::new(Options::default());
    let (framework, task) = (FrameworkKey(0), parse("cpus:1;mem:64"));
    let held = vec![(framework, Role::default(), task.clone())];
    allocator.add_agent(AgentKey(0), agent("cpus:4;mem:256"), held);
    allocator.add_framework(framework, profile(&["*"]));
    let made = run(&mut allocator, seconds(0));
    give_back(&mut allocator, &made[0], until(100));
    // A task takes some of it: the rest is contained in what was refused.
    allocator.charge(framework, &Role::default(), AgentKey(0), &task);
    assert!(run(&mut allocator, seconds(1)).is_empty());
    // It ends: as much is free as was refused.
    allocator.recover(framework, &Role::default(), AgentKey(0), &task, None);
    assert!(run(&mut allocator, seconds(2)).is_empty());
    // The other one ends too: more is free than was refused.
    allocator.recover(framework, &Role::default(), AgentKey(0), &task, None);
    let made = run(&mut allocator, seconds(3));
    assert_eq!(made[0].resources, parse("cpus:4;mem:256"));
}

#[test]
fn a_filter_is_of_one_framework_one_role_and_one_agent() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 2], &[]);
    allocator.add_framework(FrameworkKey(0), profile(&["a", "b"]));
    let mut refused = BTreeSet::new();
    for now in 0..10 {
        for offer in run(&mut allocator, seconds(now)) {
            give_back(&mut allocator, &offer, until(100));
            refused.insert((offer.role.to_string(), offer.agent.0));
        }
    }
    let pairs = [("a", 0), ("a", 1), ("b", 0), ("b", 1)];
    assert_eq!(
        refused,
        pairs.map(|(role, agent)| (role.to_owned(), agent)).into()
    );
    assert_eq!(allocator.refusals(), 4);
}

#[test]
fn a_revived_framework_is_offered_what_it_refused_in_that_role() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 3], &[]);
    allocator.add_framework(FrameworkKey(0), profile(&["a", "b"]));
    for now in 0..10 {
        for offer in run(&mut allocator, seconds(now)) {
            give_back(&mut allocator, &offer, until(100));
        }
    }
    allocator.revive(FrameworkKey(0), &[role("b")]);
    let made = run(&mut allocator, seconds(10));
    assert_eq!(made.len(), 3);
    assert!(made.iter().all(|offer| offer.role == role("b")));
    made.iter()
        .for_each(|offer| give_back(&mut allocator, offer, until(100)));
    allocator.revive(FrameworkKey(0), &[]);
    assert_eq!(run(&mut allocator, seconds(11)).len(), 3);
}

#[test]
fn a_suppressed_role_gets_no_offers_until_it_is_revived() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &[]);
    allocator.add_framework(FrameworkKey(0), profile(&["a", "b"]));
    allocator.suppress(FrameworkKey(0), &[role("a")]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(made[0].role, role("b"));
    allocator.suppress(FrameworkKey(0), &[]);
    give_back(&mut allocator, &made[0], None);
    assert!(run(&mut allocator, seconds(1)).is_empty());
    allocator.revive(FrameworkKey(0), &[role("a")]);
    assert_eq!(run(&mut allocator, seconds(2))[0].role, role("a"));
}

#[test]
fn a_framework_suppressed_from_the_start_gets_nothing() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &[]);
    let suppressed = BTreeSet::from([role("a")]);
    let suppressed = FrameworkProfile {
        suppressed,
        ..profile(&["a"])
    };
    allocator.add_framework(FrameworkKey(0), suppressed);
    assert!(run(&mut allocator, seconds(0)).is_empty());
    allocator.update_framework(FrameworkKey(0), profile(&["a"]));
    assert_eq!(run(&mut allocator, seconds(1)).len(), 1);
}

#[test]
fn a_framework_that_is_away_gets_nothing_and_comes_back_without_filters() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    let made = run(&mut allocator, seconds(0));
    give_back(&mut allocator, &made[0], until(100));
    allocator.set_framework_active(FrameworkKey(0), false);
    assert!(run(&mut allocator, seconds(1)).is_empty());
    assert_eq!(allocator.refusals(), 0);
    allocator.set_framework_active(FrameworkKey(0), true);
    assert_eq!(run(&mut allocator, seconds(2)), made);
}

#[test]
fn an_inactive_agent_is_not_offered() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    allocator.set_agent_active(AgentKey(0), false);
    assert!(run(&mut allocator, seconds(0)).is_empty());
    allocator.set_agent_active(AgentKey(0), true);
    assert_eq!(run(&mut allocator, seconds(0)).len(), 1);
}

#[test]
fn a_role_given_up_takes_its_filters_along() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["a"]);
    let made = run(&mut allocator, seconds(0));
    give_back(&mut allocator, &made[0], until(100));
    allocator.update_framework(FrameworkKey(0), profile(&[]));
    assert!(run(&mut allocator, seconds(1)).is_empty());
    assert!(allocator.role_shares().is_empty());
    allocator.update_framework(FrameworkKey(0), profile(&["a"]));
    assert_eq!(run(&mut allocator, seconds(2)), made);
}

#[test]
fn only_a_framework_that_knows_gpus_is_offered_an_agent_with_gpus() {
    let mut allocator = cluster(&["cpus:4;mem:100;gpus:1"], &["*"]);
    assert!(run(&mut allocator, seconds(0)).is_empty());
    let capabilities = Capabilities::NONE.with(tepui_model::Capability::GpuResources);
    let knows = FrameworkProfile {
        capabilities,
        ..profile(&["*"])
    };
    allocator.update_framework(FrameworkKey(0), knows);
    assert_eq!(run(&mut allocator, seconds(0)).len(), 1);
}

/// Found by a random history. What was refused was in the way of another ask until it was offered
/// elsewhere; nothing changed on the agent itself.
#[test]
fn an_ask_is_offered_once_the_refused_one_before_it_is_offered_elsewhere() {
    let options = Options {
        placement: crate::Placement::BinPack,
        ..Options::default()
    };
    let mut allocator = cluster_with(options, &["cpus:2;mem:200;ports:[1-9]"], &["*"]);
    let first = Ask {
        priority: 2,
        ..Ask::new(parse("cpus:1;mem:64"), 1)
    };
    let second = Ask::new(parse("cpus:2;ports:[2-3]"), 1);
    let asks = vec![first.clone(), second.clone()];
    allocator.request(FrameworkKey(0), &Role::default(), asks);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(made[0].resources, first.resources);
    give_back(&mut allocator, &made[0], until(100));
    allocator.add_agent(AgentKey(1), agent("cpus:4;mem:100"), Vec::new());
    let made = run(&mut allocator, seconds(1));
    assert_eq!((made.len(), made[0].agent), (1, AgentKey(1)));
    assert!(allocator.needs_run());
    let made = run(&mut allocator, seconds(2));
    assert_eq!((made.len(), made[0].agent), (1, AgentKey(0)));
    assert_eq!(made[0].resources, second.resources);
    assert!(!allocator.needs_run());
}
