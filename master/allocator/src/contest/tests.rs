//! The order in which clients are served, and who is found first in it.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::options::Options;

fn cpus(count: i64) -> Scalars {
    [(Kind::Cpus, Quantity::from_units(count))]
        .into_iter()
        .collect()
}

fn load(count: i64) -> Load {
    Load::of(&Resources::from(cpus(count)))
}

/// Clients that hold so many CPUs of a thousand, spread over three roles.
fn contest(held: &[i64]) -> Contest {
    let mut contest = Contest::new(&Options::default());
    contest.grow(&Resources::from(cpus(1000)));
    let roles = ["a", "b", "c"].map(|name| Role::new(name).unwrap());
    for (key, held) in (0..).zip(held) {
        let slot = contest.enlist(FrameworkKey(key), &roles[key as usize % 3]);
        let state = ClientState {
            subscribed: true,
            active: true,
            ..ClientState::default()
        };
        contest.set_state(slot, state);
        contest.take(slot, &load(*held), true);
    }
    contest.settle();
    contest
}

fn order(contest: &Contest) -> Vec<u32> {
    contest.in_order().collect()
}

#[test]
fn changes_one_by_one_lead_to_the_order_made_at_once() {
    let mut contest = contest(&[5, 3, 8, 1, 1, 0, 4]);
    contest.give_back(0, &load(5), true);
    contest.take(4, &load(9), false);
    contest.serve(5);
    contest.set_state(2, ClientState::default());
    contest.settle();
    let mut anew = contest.clone();
    anew.rebuild();
    assert_eq!(order(&contest), order(&anew));
    assert_eq!(
        contest.role(2).map(|node| node.allocated.clone()),
        Some(cpus(8))
    );
}

#[test]
fn a_retired_client_leaves_nothing_behind() {
    let mut contest = contest(&[5, 3]);
    contest.give_back(1, &load(3), true);
    contest.retire(1);
    assert!(contest.client(1).is_some(), "it still has its role");
    contest.set_state(1, ClientState::default());
    contest.retire(1);
    assert!(contest.client(1).is_none());
    assert_eq!(contest.roles().count(), 1);
    // Its place is given to another before the order is brought up to date.
    let slot = contest.enlist(FrameworkKey(9), &Role::default());
    assert_eq!(slot, 1);
    contest.settle();
    assert_eq!(order(&contest), [0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_first_is_found_however_many_are_passed_over(
        held in vec(0..4_i64, 1..200), chance in 0..=100_u32, seed in vec(0..100_u32, 200),
    ) {
        let contest = contest(&held);
        let mut passed_over = Slots::new();
        // From "nobody has seen it" to "everybody has".
        let seen = (0..).zip(seed).filter(|(_, draw)| *draw < chance);
        for (slot, _) in seen {
            passed_over.insert(slot);
        }
        let plainly = contest.in_order().find(|slot| !passed_over.contains(*slot));
        prop_assert_eq!(contest.first_without(&passed_over), plainly);
    }
}
