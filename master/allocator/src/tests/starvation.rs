//! Nobody starves behind frameworks that want nothing, and nobody is asked for nothing.

use proptest::prelude::*;

use super::*;

/// Framework 0 holds most of the cluster and wants more; the others hold nothing, want nothing,
/// and decline with filters that end at once. Counts the offers until framework 0 gets one.
fn offers_before_the_hungry(idle: usize, life: u64, roles: &[&str]) -> usize {
    let mut allocator = Allocator::new(Options::default());
    let held = vec![(FrameworkKey(0), Role::default(), parse("cpus:6;mem:600"))];
    allocator.add_agent(AgentKey(0), agent("cpus:8;mem:800"), held);
    let hungry = ["*"].iter();
    for (key, name) in (0..).zip(hungry.chain(roles.iter().cycle().take(idle))) {
        allocator.add_framework(FrameworkKey(key), profile(&[name]));
    }
    for now in 0..10_000 {
        let made = run(&mut allocator, seconds(now));
        match made.first() {
            Some(offer) if offer.framework == FrameworkKey(0) => return now as usize,
            Some(offer) => give_back(&mut allocator, offer, until(now + life)),
            None => {}
        }
    }
    usize::MAX
}

#[test]
fn a_hungry_framework_waits_for_one_round_of_the_others_at_most() {
    // Their filters last shorter than a round takes: in order of shares alone they would be
    // asked again and again.
    for life in [0, 1, 3, 19, 25] {
        assert_eq!(
            offers_before_the_hungry(20, life, &["*"]),
            20,
            "filters of {life} s"
        );
        let tree = ["a", "a/b", "a/b/c", "d", "a/e"];
        assert_eq!(
            offers_before_the_hungry(20, life, &tree),
            20,
            "filters of {life} s in a tree of roles"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_hungry_framework_waits_for_one_round_whatever_the_others_refuse(
        idle in 1..40_usize,
        life in 0..60_u64,
        roles in proptest::sample::subsequence(vec!["*", "a", "a/b", "a/b/c", "d", "a/e"], 1..6),
    ) {
        let waited = offers_before_the_hungry(idle, life, &roles);
        prop_assert!(waited <= idle, "{waited} offers to {idle} others came first");
    }
}

#[test]
fn what_everybody_refused_goes_round_again_when_filters_end() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*", "*", "*"]);
    let mut order = Vec::new();
    for now in 0..9 {
        for offer in run(&mut allocator, seconds(now)) {
            order.push(offer.framework.0);
            give_back(&mut allocator, &offer, until(now + 1));
        }
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn an_agent_that_everybody_refused_is_left_alone_until_something_changes() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 10], &["*"; 5]);
    for now in 0..5 {
        for offer in run(&mut allocator, seconds(now)) {
            give_back(
                &mut allocator,
                &offer,
                until(1_000 + u64::from(offer.agent.0)),
            );
        }
    }
    assert!(run(&mut allocator, seconds(5)).is_empty());
    assert!(!allocator.needs_run());
    assert_eq!(allocator.next_expiry(), Some(seconds(1_000)));
    let made = run(&mut allocator, seconds(1_003));
    let agents: BTreeSet<_> = made.iter().map(|offer| offer.agent.0).collect();
    assert_eq!(agents, BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(allocator.next_expiry(), Some(seconds(1_004)));
}

#[test]
fn a_new_framework_is_offered_what_all_others_refused() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 10], &["*"]);
    for offer in run(&mut allocator, seconds(0)) {
        give_back(&mut allocator, &offer, until(1_000));
    }
    allocator.add_framework(FrameworkKey(1), profile(&["*"]));
    assert!(allocator.needs_run());
    assert_eq!(frameworks(&run(&mut allocator, seconds(1))), [1; 10]);
}
