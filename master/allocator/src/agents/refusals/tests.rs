//! Refusals: which offers they cover, and what they take to remember.

use tepui_model::Role;

use super::*;

fn parse(text: &str) -> Resources {
    Resources::parse(text, &Role::default()).unwrap()
}

fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}

fn covering(refusals: &Refusals, offer: &str) -> Vec<(u32, Time)> {
    let offer = parse(offer);
    refusals
        .covering(&offer)
        .map(|refusal| (refusal.client, refusal.until))
        .collect()
}

#[test]
fn a_refusal_covers_what_is_contained_in_it_only() {
    let mut refusals = Refusals::new();
    refusals.insert(7, &parse("cpus:4;mem:100"), at(50));
    assert_eq!(covering(&refusals, "cpus:4;mem:100"), [(7, at(50))]);
    assert_eq!(covering(&refusals, "cpus:1"), [(7, at(50))]);
    assert_eq!(covering(&refusals, "cpus:4;mem:101"), []);
    assert_eq!(covering(&refusals, "cpus:1;ports:[1-2]"), []);
}

#[test]
fn refusals_of_one_client_stand_beside_each_other() {
    let mut refusals = Refusals::new();
    refusals.insert(7, &parse("cpus:4"), at(50));
    refusals.insert(7, &parse("mem:100"), at(60));
    assert_eq!(covering(&refusals, "cpus:4"), [(7, at(50))]);
    assert_eq!(covering(&refusals, "mem:100"), [(7, at(60))]);
    assert_eq!(covering(&refusals, "cpus:4;mem:100"), []);
}

#[test]
fn a_refusal_that_another_outlasts_and_covers_is_dropped() {
    let mut refusals = Refusals::new();
    refusals.insert(7, &parse("cpus:4"), at(50));
    refusals.insert(7, &parse("cpus:9"), at(50));
    assert_eq!(
        refusals.iter().count(),
        1,
        "the new one makes the old one pointless"
    );
    refusals.insert(7, &parse("cpus:9"), at(40));
    assert_eq!(
        refusals.iter().count(),
        1,
        "the old one makes the new one pointless"
    );
    refusals.insert(7, &parse("cpus:1"), at(60));
    assert_eq!(covering(&refusals, "cpus:1"), [(7, at(50)), (7, at(60))]);
}

#[test]
fn a_client_keeps_few_refusals_and_loses_the_one_that_ends_first() {
    let mut refusals = Refusals::new();
    for index in 0..=MAX_REFUSALS_PER_CLIENT as u64 {
        refusals.insert(3, &parse(&format!("x{index}:1")), at(100 - index));
    }
    assert_eq!(refusals.iter().count(), MAX_REFUSALS_PER_CLIENT);
    assert_eq!(
        covering(&refusals, &format!("x{MAX_REFUSALS_PER_CLIENT}:1")).len(),
        1
    );
    assert_eq!(
        covering(&refusals, &format!("x{}:1", MAX_REFUSALS_PER_CLIENT - 1)),
        []
    );
}

#[test]
fn equal_amounts_are_kept_once() {
    let mut refusals = Refusals::new();
    for client in 0..1000 {
        refusals.insert(client, &parse("cpus:4;ports:[1-9]"), at(u64::from(client)));
    }
    assert_eq!(refusals.amounts.len(), 1);
    assert_eq!(size_of::<Entry>(), 16);
    for client in 0..1000 {
        assert!(refusals.forget_client(client));
        assert!(!refusals.forget_client(client));
    }
    assert!(refusals.amounts.is_empty());
}

#[test]
fn what_has_ended_stays_known_until_it_is_forgotten() {
    let mut refusals = Refusals::new();
    refusals.insert(1, &parse("cpus:4"), at(50));
    refusals.insert(2, &parse("cpus:4"), at(60));
    assert!(!refusals.may_have_expired(at(49)));
    assert_eq!(refusals.next_end(at(49)), at(50));
    assert!(refusals.may_have_expired(at(50)));
    assert_eq!(refusals.next_end(at(50)), at(60));
    assert_eq!(covering(&refusals, "cpus:1").len(), 2);
    refusals.forget_expired(at(50));
    assert_eq!(covering(&refusals, "cpus:1"), [(2, at(60))]);
    refusals.forget_expired(at(60));
    assert_eq!(refusals.next_end(at(60)), Time::MAX);
    assert!(refusals.amounts.is_empty());
}
