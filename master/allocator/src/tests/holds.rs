//! Holds: what is set aside for one is offered to nobody else.

use tepui_model::Limits;

use super::*;
use crate::{
    Ask, HoldKey, HoldRefused,
    explain::{Query, Reason},
    limits::MAX_HOLDS,
};

const AGENT: AgentKey = AgentKey(0);

/// Sets resources of agent 0 aside for a framework in its role.
fn hold(allocator: &mut Allocator, framework: u32, name: &str, what: &str, end: u64) -> HoldKey {
    let framework = FrameworkKey(framework);
    let held = allocator.hold(AGENT, framework, &role(name), &parse(what), seconds(end));
    allocator.check().unwrap();
    held.unwrap()
}

/// Runs once: who is offered what.
fn offered(allocator: &mut Allocator, now: u64) -> Vec<(u32, String)> {
    let made = run(allocator, seconds(now));
    let offer = |offer: &Allocation| (offer.framework.0, offer.resources.to_string());
    made.iter().map(offer).collect()
}

fn of(framework: u32, resources: &str) -> (u32, String) {
    (framework, resources.to_owned())
}

/// An agent of 4 CPUs, and two frameworks, of which the second has it all and a CPU more set aside
/// until second 7, so that it is offered nothing.
fn kept_for_nothing() -> (Allocator, HoldKey) {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b"]);
    let asks = vec![Ask::new(parse("cpus:5"), 1)];
    allocator.request(FrameworkKey(1), &role("b"), asks);
    let key = hold(&mut allocator, 1, "b", "cpus:5;mem:400", 7);
    (allocator, key)
}

#[test]
fn what_is_held_is_offered_to_its_client_only_and_the_rest_to_others() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b"]);
    hold(&mut allocator, 1, "b", "cpus:3;mem:100", 9);
    let expected = [of(0, "cpus:1;mem:300"), of(1, "cpus:3;mem:100")];
    assert_eq!(offered(&mut allocator, 0), expected);
}

#[test]
fn what_becomes_free_later_is_held_too() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b"]);
    let made = run(&mut allocator, seconds(0));
    hold(&mut allocator, 1, "b", "cpus:4;mem:400", 9);
    let whole = made[0].resources.clone();
    allocator.accept(FrameworkKey(0), &role("a"), AGENT, &whole);
    let task = parse("cpus:3;mem:300");
    allocator.recover(FrameworkKey(0), &role("a"), AGENT, &task, None);
    assert_eq!(offered(&mut allocator, 1), [of(1, "cpus:3;mem:300")]);
    // That did not cover the hold: it stands until its time.
    assert_eq!(allocator.holds().count(), 1);
}

#[test]
fn an_offer_that_covers_a_hold_spends_it() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a"]);
    let (first, second) = ("cpus:1;mem:10", "cpus:3;mem:380");
    hold(&mut allocator, 0, "a", first, 9);
    hold(&mut allocator, 0, "a", second, 9);
    hold(&mut allocator, 0, "a", second, 9);
    run(&mut allocator, seconds(0));
    let left: Vec<Resources> = allocator.holds().map(|hold| hold.resources).collect();
    assert_eq!(left, [parse(second)], "nothing is left of it for the third");
}

#[test]
fn a_hold_ends_at_its_time_and_others_are_served_at_once() {
    let (mut allocator, _) = kept_for_nothing();
    assert!(run(&mut allocator, seconds(6)).is_empty());
    assert!(!allocator.needs_run());
    assert_eq!(allocator.next_expiry(), Some(seconds(7)));
    assert_eq!(offered(&mut allocator, 7), [of(0, "cpus:4;mem:400")]);
    assert_eq!(allocator.next_expiry(), None);
}

#[test]
fn a_released_hold_is_over_and_cannot_be_released_again() {
    let (mut allocator, key) = kept_for_nothing();
    assert!(run(&mut allocator, seconds(0)).is_empty());
    assert!(allocator.release_hold(key));
    assert!(!allocator.release_hold(key));
    assert_eq!(frameworks(&run(&mut allocator, seconds(0))), [0]);
}

#[test]
fn a_hold_goes_with_its_agent_and_with_its_client() {
    type Leave = fn(&mut Allocator);
    let leaves: [Leave; 5] = [
        |it| it.remove_agent(AGENT),
        |it| it.remove_framework(FrameworkKey(1)),
        |it| it.set_framework_active(FrameworkKey(1), false),
        |it| it.suppress(FrameworkKey(1), &[]),
        |it| it.update_framework(FrameworkKey(1), profile(&["c"])),
    ];
    for leave in leaves {
        let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b"]);
        hold(&mut allocator, 1, "b", "cpus:4;mem:400", 7);
        leave(&mut allocator);
        allocator.check().unwrap();
        assert_eq!(allocator.holds().count(), 0);
        assert_eq!(allocator.next_expiry(), None);
    }
}

#[test]
fn the_older_hold_is_filled_first() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b", "c"]);
    hold(&mut allocator, 2, "c", "cpus:3;mem:300", 9);
    hold(&mut allocator, 1, "b", "cpus:3;mem:300", 9);
    let expected = [of(1, "cpus:1;mem:100"), of(2, "cpus:3;mem:300")];
    assert_eq!(offered(&mut allocator, 0), expected);
}

#[test]
fn a_hold_gives_nobody_more_than_its_limit() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a", "b"]);
    let limits: Limits = [(tepui_model::Kind::Cpus, Quantity::from_units(1))]
        .into_iter()
        .collect();
    let quota = tepui_model::Quota {
        limits,
        ..tepui_model::Quota::default()
    };
    allocator.set_quota(&role("b"), quota);
    hold(&mut allocator, 1, "b", "cpus:4;mem:400", 9);
    assert_eq!(offered(&mut allocator, 0), [of(1, "cpus:1;mem:400")]);
}

#[test]
fn who_waits_for_what_is_held_hears_for_whom_it_is() {
    let (mut allocator, _) = kept_for_nothing();
    run(&mut allocator, seconds(0));
    let explanation = allocator.explain(&Query::Framework(FrameworkKey(0)), seconds(1));
    let reason = &explanation.waiting[0].reasons[0].reason;
    let framework = FrameworkKey(1);
    assert_eq!(*reason, Reason::HeldFor { framework });
    assert!(reason.to_string().starts_with("held for "), "{reason}");
}

#[test]
fn what_cannot_be_held_is_refused_with_the_reason() {
    let mut allocator = cluster(&["cpus:4;mem:400"], &["a"]);
    let (framework, cpu, now) = (FrameworkKey(0), parse("cpus:1"), seconds(1));
    let mut refused = |agent, framework, name: &str, what: &Resources| {
        let held = allocator.hold(agent, framework, &role(name), what, now);
        held.unwrap_err()
    };
    let nobody = FrameworkKey(7);
    assert_eq!(
        refused(AGENT, framework, "a", &Resources::new()),
        HoldRefused::Nothing
    );
    assert_eq!(
        refused(AGENT, framework, "b", &cpu),
        HoldRefused::NotInPlay(framework)
    );
    assert_eq!(
        refused(AGENT, nobody, "a", &cpu),
        HoldRefused::NotInPlay(nobody)
    );
    let away = AgentKey(3);
    assert_eq!(
        refused(away, framework, "a", &cpu),
        HoldRefused::NoAgent(away)
    );
    for _ in 0..MAX_HOLDS {
        let held = allocator.hold(AGENT, framework, &role("a"), &cpu, now);
        held.unwrap();
    }
    let more = allocator.hold(AGENT, framework, &role("a"), &cpu, now);
    assert_eq!(more, Err(HoldRefused::TooMany));
    allocator.expire_holds(now);
    assert_eq!(allocator.holds().count(), 0);
}
