//! The comparison with the naive allocator sees what it must see: a fast one that is told something
//! else, and so does what it must not, is caught.

use tepui_model::Quota;

use super::{reference::Naive, *};

/// Four agents, and one framework in each of two roles.
struct Pair {
    fast: Allocator,
    naive: Naive,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            fast: Allocator::new(Options::default()),
            naive: Naive::new(Options::default()),
        };
        for key in 0..4 {
            pair.fast
                .add_agent(AgentKey(key), agent("cpus:4;mem:400"), Vec::new());
            pair.naive.add_agent(AgentKey(key), agent("cpus:4;mem:400"));
        }
        for (key, name) in [(0, "a"), (1, "b")] {
            pair.fast.add_framework(FrameworkKey(key), profile(&[name]));
            pair.naive
                .update_framework(FrameworkKey(key), &profile(&[name]));
        }
        pair
    }

    fn are_alike(mut self) -> bool {
        self.fast.allocate(seconds(0)) == self.naive.allocate(seconds(0))
    }
}

#[test]
fn two_that_are_told_the_same_are_alike() {
    let mut pair = Pair::new();
    let quota = Quota {
        guarantees: parse("cpus:8").scalars(),
        ..Quota::default()
    };
    pair.fast.set_weight(&role("a"), Quantity::from_units(3));
    pair.naive.set_weight(&role("a"), Quantity::from_units(3));
    pair.fast.set_quota(&role("b"), quota.clone());
    pair.naive.set_quota(&role("b"), quota);
    assert!(pair.are_alike());
}

#[test]
fn an_order_that_is_not_that_of_shares_is_noticed() {
    // Invariant I5: the fast one believes that one role may have three times as much.
    let mut pair = Pair::new();
    pair.fast.set_weight(&role("b"), Quantity::from_units(3));
    assert!(!pair.are_alike());
}

#[test]
fn an_offer_above_a_limit_is_noticed() {
    // Invariant I4: the fast one knows of no limit.
    let mut pair = Pair::new();
    let limits = [(tepui_model::Kind::Cpus, Quantity::from_units(4))];
    pair.naive.set_quota(
        &role("a"),
        Quota {
            limits: limits.into_iter().collect(),
            ..Quota::default()
        },
    );
    assert!(!pair.are_alike());
}

#[test]
fn an_offer_of_what_is_guaranteed_to_another_is_noticed() {
    // Invariant I4: the fast one keeps nothing for the role.
    let mut pair = Pair::new();
    let quota = Quota {
        guarantees: parse("cpus:16").scalars(),
        ..Quota::default()
    };
    pair.naive.set_quota(&role("b"), quota);
    assert!(!pair.are_alike());
}
