//! Optimistic offers: shown to several, charged to one.

use super::*;
use crate::{View, explain::Query, limits::MAX_VIEWS};

fn optimist(name: &str) -> FrameworkProfile {
    FrameworkProfile {
        optimistic: true,
        ..profile(&[name])
    }
}

/// An allocator with optimistic frameworks in these roles.
fn optimists(agents: &[&str], names: &[&str]) -> Allocator {
    let mut allocator = cluster(agents, &[]);
    for (key, name) in (0..).zip(names) {
        allocator.add_framework(FrameworkKey(key), optimist(name));
    }
    allocator
}

fn viewers(offer: &Allocation) -> Vec<u32> {
    offer.views.iter().map(|view| view.framework.0).collect()
}

#[test]
fn an_offer_is_shown_to_other_optimists_and_charged_to_one() {
    let mut allocator = optimists(&["cpus:4;mem:400"], &["a", "b"]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [0]);
    assert_eq!(viewers(&made[0]), [1]);
    assert_eq!(made[0].views[0].resources, made[0].resources);
    let shares = allocator.role_shares();
    let shares: Vec<f64> = shares.iter().map(|it| it.share).collect();
    assert_eq!(shares, [1.0, 0.0], "who looks is not charged");
}

#[test]
fn pessimists_are_shown_nothing_of_others_and_lose_nothing() {
    let all = ["a", "b", "c"];
    let agents = ["cpus:4;mem:400"; 6];
    let plain = cluster(&agents, &all).allocate(seconds(0));
    let mut allocator = cluster(&agents, &[]);
    allocator.add_framework(FrameworkKey(0), optimist("a"));
    allocator.add_framework(FrameworkKey(1), profile(&["b"]));
    allocator.add_framework(FrameworkKey(2), optimist("c"));
    let mut made = run(&mut allocator, seconds(0));
    for offer in &mut made {
        let others: &[u32] = match offer.framework.0 {
            0 => &[2],
            1 => &[],
            _ => &[0],
        };
        assert_eq!(viewers(offer), others);
        offer.views.clear();
    }
    assert_eq!(made, plain, "the same offers as if nobody looked");
}

#[test]
fn a_viewer_sees_its_own_part_only() {
    let mut allocator = cluster(&["cpus:4;mem:400;cpus(a):2"], &[]);
    allocator.add_framework(FrameworkKey(0), optimist("a"));
    allocator.add_framework(FrameworkKey(1), optimist("b"));
    let made = run(&mut allocator, seconds(0));
    let parts: Vec<_> = made
        .iter()
        .flat_map(|offer| &offer.views)
        .map(|view| (view.framework.0, view.resources.clone()))
        .collect();
    assert_eq!(parts, [(1, parse("cpus:4;mem:400"))]);
}

#[test]
fn what_a_viewer_accepts_is_charged_to_it_and_the_rest_is_free() {
    let mut allocator = optimists(&["cpus:4;mem:400;cpus(a):2"], &["a", "b"]);
    let made = run(&mut allocator, seconds(0));
    let (lead, view) = (&made[0], &made[0].views[0]);
    allocator.pass_on(
        lead.agent,
        ((lead.framework, &lead.role), &lead.resources),
        ((view.framework, &view.role), &view.resources),
    );
    allocator.check().unwrap();
    let held = allocator.allocated(lead.agent);
    assert_eq!(held, [(view.framework, role("b"), view.resources.clone())]);
    assert_eq!(frameworks(&run(&mut allocator, seconds(1))), [0]);
}

#[test]
fn a_view_that_was_refused_is_not_shown_before_its_filter_ends() {
    let mut allocator = optimists(&["cpus:4;mem:400"], &["a", "b"]);
    let made = run(&mut allocator, seconds(0));
    let View {
        framework,
        role,
        resources,
    } = &made[0].views[0];
    let filter = until(9).unwrap();
    allocator.refuse(*framework, role, made[0].agent, resources, filter);
    allocator.check().unwrap();
    let why = allocator.explain(&Query::Framework(*framework), seconds(0));
    assert_eq!(why.waiting.len(), 1);
    give_back(&mut allocator, &made[0], None);
    let made = run(&mut allocator, seconds(1));
    assert!(made[0].views.is_empty());
}

#[test]
fn a_role_with_a_quota_is_shown_nothing_that_is_not_charged_to_it() {
    let quota = |text: &str| tepui_model::Quota {
        limits: [(tepui_model::Kind::Cpus, text.parse().unwrap())]
            .into_iter()
            .collect(),
        ..tepui_model::Quota::default()
    };
    let mut allocator = optimists(&["cpus:4;mem:400"; 2], &["a", "b"]);
    allocator.set_quota(&role("b"), quota("5"));
    let made = run(&mut allocator, seconds(0));
    for offer in &made {
        let others: &[u32] = if offer.framework.0 == 1 { &[0] } else { &[] };
        assert_eq!(viewers(offer), others);
    }
    let mut allocator = optimists(&["cpus:4;mem:400"; 2], &["a", "b"]);
    let guarantee = tepui_model::Quota {
        guarantees: parse("cpus:1").scalars(),
        ..tepui_model::Quota::default()
    };
    allocator.set_quota(&role("c"), guarantee);
    let made = run(&mut allocator, seconds(0));
    assert!(made.iter().all(|offer| offer.views.is_empty()));
}

#[test]
fn an_offer_is_shown_to_a_bounded_number() {
    let names = ["a"; MAX_VIEWS + 5];
    let mut allocator = optimists(&["cpus:4;mem:400"], &names);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(made[0].views.len(), MAX_VIEWS);
}
