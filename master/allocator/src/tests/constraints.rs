//! Constraints, minimums and lists of hosts: who is offered which agents.

use std::sync::Arc;

use tepui_model::Attributes;
use tepui_proto::v1::scheduler::{
    AttributeConstraint,
    attribute_constraint::{
        Predicate, Selector,
        predicate::{self, TextEquals},
        selector,
    },
    offer_constraints::{RoleConstraints, role_constraints::Group},
};

use super::*;
use crate::{Constraints, RegexLimits};

pub(crate) fn rack_is(rack: &str) -> AttributeConstraint {
    let text = TextEquals {
        value: rack.to_owned(),
    };
    AttributeConstraint {
        selector: Selector {
            selector: Some(selector::Selector::AttributeName("rack".to_owned())),
        },
        predicate: Predicate {
            predicate: Some(predicate::Predicate::TextEquals(text)),
        },
    }
}

pub(crate) fn wire_groups(groups: Vec<Vec<AttributeConstraint>>) -> RoleConstraints {
    let group = |attribute_constraints| Group {
        attribute_constraints,
    };
    RoleConstraints {
        groups: groups.into_iter().map(group).collect(),
    }
}

fn in_rack(rack: &str) -> AgentProfile {
    AgentProfile {
        hostname: Arc::from(format!("host-{rack}")),
        attributes: Attributes::parse(&format!("rack:{rack}")).unwrap(),
        ..agent("cpus:4;mem:100")
    }
}

fn wants_rack(rack: &str) -> FrameworkProfile {
    let wire = wire_groups(vec![vec![rack_is(rack)]]);
    let constraints = Constraints::parse(&Role::default(), &wire, &RegexLimits::default()).unwrap();
    FrameworkProfile {
        constraints: [(Role::default(), Arc::new(constraints))].into(),
        ..profile(&["*"])
    }
}

fn offered(made: &[Allocation]) -> Vec<(u32, u32)> {
    let pair = |offer: &Allocation| (offer.framework.0, offer.agent.0);
    let mut pairs: Vec<_> = made.iter().map(pair).collect();
    pairs.sort_unstable();
    pairs
}

#[test]
fn a_framework_is_offered_what_its_constraints_admit_only() {
    let mut allocator = cluster(&[], &[]);
    allocator.add_framework(FrameworkKey(0), wants_rack("r1"));
    for (key, rack) in ["r1", "r2", "r1"].into_iter().enumerate() {
        allocator.add_agent(AgentKey(key as u32), in_rack(rack), Vec::new());
    }
    let made = run(&mut allocator, seconds(0));
    assert_eq!(offered(&made), [(0, 0), (0, 2)]);
    // Other constraints, other agents.
    allocator.update_framework(FrameworkKey(0), wants_rack("r2"));
    assert_eq!(offered(&run(&mut allocator, seconds(1))), [(0, 1)]);
    // An agent that is moved to the rack.
    give_back(&mut allocator, &made[0], None);
    assert!(run(&mut allocator, seconds(2)).is_empty());
    allocator.update_agent(made[0].agent, in_rack("r2"));
    assert_eq!(run(&mut allocator, seconds(3)).len(), 1);
}

#[test]
fn a_framework_may_want_more_or_less_than_the_minimum() {
    let mut allocator = cluster(&["cpus:1;mem:16", "mem:8"], &[]);
    let wants = |minimum: &str| FrameworkProfile {
        minimums: [(Role::default(), minimum.parse().unwrap())].into(),
        ..profile(&["*"])
    };
    allocator.add_framework(FrameworkKey(0), wants("cpus:2"));
    assert!(run(&mut allocator, seconds(0)).is_empty());
    allocator.add_framework(FrameworkKey(1), wants(""));
    let made = run(&mut allocator, seconds(1));
    assert_eq!(offered(&made), [(1, 0), (1, 1)]);
}

#[test]
fn only_hosts_of_the_whitelist_are_offered() {
    let mut allocator = cluster(&[], &["*"]);
    for (key, rack) in ["r1", "r2"].into_iter().enumerate() {
        allocator.add_agent(AgentKey(key as u32), in_rack(rack), Vec::new());
    }
    let hosts = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    allocator.set_whitelist(Some(hosts(&["host-r2"])));
    assert_eq!(offered(&run(&mut allocator, seconds(0))), [(0, 1)]);
    allocator.set_whitelist(Some(hosts(&[])));
    assert!(run(&mut allocator, seconds(1)).is_empty());
    allocator.set_whitelist(None);
    assert_eq!(offered(&run(&mut allocator, seconds(2))), [(0, 0)]);
}
