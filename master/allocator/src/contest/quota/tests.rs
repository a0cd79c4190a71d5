//! Promises in the tree: what is needed, claimed and allowed.

use tepui_model::{FrameworkKey, Limits, Resources};

use super::*;
use crate::{contest::Load, options::Options};

fn scalars(text: &str) -> Scalars {
    let resources = Resources::parse(text, &Role::default()).unwrap();
    resources.scalars()
}

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

fn guarantee(text: &str) -> Quota {
    Quota {
        guarantees: scalars(text),
        limits: Limits::new(),
    }
}

fn limit(text: &str) -> Quota {
    Quota {
        guarantees: Scalars::new(),
        limits: scalars(text).iter().collect(),
    }
}

/// A contest with a client in each of these roles, which holds that much; nothing else is free
/// but `available`.
fn contest(held: &[(&str, &str)], available: &str) -> Contest {
    let mut contest = Contest::new(&Options::default());
    for (name, held) in held {
        let slot = contest.enlist(FrameworkKey(0), &role(name));
        let held = Resources::from(scalars(held));
        contest.take(slot, &Load::of(&held), true);
    }
    contest.change_available(&Scalars::new(), &scalars(available));
    contest
}

fn allowance(contest: &Contest, name: &str, stage: Stage, open: &str) -> Option<String> {
    let slot = contest.names[&role(name)];
    match contest.allowance(slot, stage, &scalars(open)) {
        Allowance::All => Some(open.to_owned()),
        Allowance::Part { scalars, .. } => Some(scalars.to_string()),
        Allowance::NoClaim => None,
    }
}

#[test]
fn a_guarantee_of_a_role_is_for_all_below_it_and_not_needed_twice() {
    let mut contest = contest(&[("a/b", "cpus:1"), ("a/c", "cpus:2")], "cpus:50");
    contest.set_quota(&role("a"), guarantee("cpus:10"));
    contest.set_quota(&role("a/b"), guarantee("cpus:4"));
    assert_eq!(*contest.required(), scalars("cpus:7"));
    assert_eq!(contest.surplus(), scalars("cpus:43"));
    // The other role may have what its sibling was not promised itself.
    let claims = |contest: &Contest, name: &str| {
        let slot = contest.names[&role(name)];
        contest.claim(slot).to_string()
    };
    assert_eq!(claims(&contest, "a/b"), "cpus:7");
    assert_eq!(claims(&contest, "a/c"), "cpus:4");
    // A larger promise below is kept all the same.
    contest.set_quota(&role("a/b"), guarantee("cpus:20"));
    assert_eq!(*contest.required(), scalars("cpus:19"));
    assert_eq!(claims(&contest, "a/c"), "");
    contest.set_quota(&role("a"), Quota::default());
    contest.set_quota(&role("a/b"), Quota::default());
    assert_eq!(*contest.required(), Scalars::new());
    assert!(!contest.has_quotas());
}

#[test]
fn limits_hold_for_a_role_and_all_above_it() {
    let mut contest = contest(&[("a/b", "cpus:1"), ("a/c", "cpus:2")], "cpus:50");
    contest.set_quota(&role("a"), limit("cpus:5"));
    contest.set_quota(&role("a/b"), limit("cpus:4;mem:10"));
    let allowed = |name| allowance(&contest, name, Stage::Shares, "cpus:8;mem:30").unwrap();
    assert_eq!(allowed("a/b"), "cpus:2;mem:10");
    assert_eq!(allowed("a/c"), "cpus:2;mem:30");
}

#[test]
fn fair_share_leaves_what_guarantees_need() {
    let mut contest = contest(&[("a", "cpus:1"), ("b", "cpus:1")], "cpus:10;mem:100");
    contest.set_quota(&role("a"), guarantee("cpus:7"));
    let in_second =
        |contest: &Contest, name| allowance(contest, name, Stage::Shares, "cpus:8;mem:30");
    assert_eq!(in_second(&contest, "b").unwrap(), "cpus:4;mem:30");
    assert_eq!(in_second(&contest, "a").unwrap(), "cpus:4;mem:30");
    let in_first = |name, open| allowance(&contest, name, Stage::Guarantees, open);
    assert_eq!(in_first("a", "cpus:8;mem:30").unwrap(), "cpus:8;mem:30");
    assert_eq!(in_first("a", "cpus:12").unwrap(), "cpus:10");
    assert_eq!(in_first("a", "mem:30"), None, "nothing that was promised");
    assert_eq!(in_first("b", "cpus:8;mem:30"), None);
}
