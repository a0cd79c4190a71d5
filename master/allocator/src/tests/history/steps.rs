//! What can happen in a history, drawn at random.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{prelude::*, sample::select};
use tepui_model::{
    AgentCapabilities, Attributes, Capability, FaultDomain, Kind, Quantity, Quota, Resources, Role,
    Traits, Value,
    resources::{DiskTraits, Persistence},
};

use super::super::{
    constraints::{rack_is, wire_groups},
    parse, role,
};
use crate::{AgentProfile, Ask, Constraints, FrameworkProfile, Minimum, RegexLimits};

/// One thing that happens. Numbers choose among what is there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    AddAgent(u32, usize),
    RemoveAgent(u32),
    AgentActive(u32, bool),
    AgentTotal(u32, usize),
    Framework(u32, FrameworkProfile),
    RemoveFramework(u32),
    FrameworkActive(u32, bool),
    Suppress(u32, Vec<Role>),
    Revive(u32, Vec<Role>),
    /// An offer is given back, refused for so many seconds, if for any.
    Decline(usize, Option<u64>),
    /// Half of an offer is used; the rest is refused for so many seconds, if for any.
    Accept(usize, Option<u64>),
    /// Somebody whom an offer is shown to besides, and who is not charged for it, refuses it for so
    /// many seconds, if for any.
    DeclineView(usize, Option<u64>),
    /// Such a one accepts it.
    TakeView(usize),
    EndTask(usize),
    /// Tasks are learnt of.
    Charge(u32, u32, usize),
    Weight(usize, i64),
    Priority(usize, Option<i32>),
    /// A role gets one of some quotas.
    Quota(usize, usize),
    /// Only hosts whose number is not this are offered; all, if there is none.
    Whitelist(Option<usize>),
    Region(bool),
    /// A part of an offer is reserved to its role, or what is reserved of it becomes unreserved.
    Convert(usize),
    /// A framework says what it waits for in a role, or that it wants whatever there is.
    Request(u32, usize, usize),
    /// A part of what is free is reserved to a role.
    Reserve(u32, usize),
    /// Resources like those of some shape are set aside for a framework in a role, for so many
    /// seconds.
    Hold(u32, u32, usize, usize, u64),
    ReleaseHold(usize),
    Pass(u64),
    Run,
}

pub(super) const ROLES: [&str; 7] = ["*", "a", "b", "a/c", "d", "a/c/e", "a/f"];

/// Guarantees and limits.
const QUOTAS: [(&str, &str); 7] = [
    ("", ""),
    ("", ""),
    ("cpus:2;mem:50", ""),
    ("cpus:1", "cpus:3;mem:120"),
    ("", "cpus:2.5"),
    ("", "cpus:0;mem:0"),
    ("cpus:6;mem:300", "cpus:8"),
];

const ASKS: [Option<&[(&str, u32)]>; 5] = [
    None,
    Some(&[]),
    Some(&[("cpus:1;mem:20", 3)]),
    Some(&[("cpus:3", 1), ("mem:60", 2)]),
    Some(&[("cpus:2;ports:[2-3]", 1), ("cpus:1;mem:64", 1)]),
];

pub(super) fn asks(index: usize) -> Option<Vec<Ask>> {
    let ask = |(place, (text, count)): (usize, &(&str, u32))| Ask {
        priority: [-1, 0, 2][(index + place) % 3],
        ..Ask::new(parse(text), *count)
    };
    ASKS[index].map(|asks| asks.iter().enumerate().map(ask).collect())
}

pub(super) fn quota(index: usize) -> Quota {
    let (guarantees, limits) = QUOTAS[index];
    Quota {
        guarantees: parse(guarantees).scalars(),
        limits: limits.split_terminator(';').map(limit).collect(),
    }
}

fn limit(text: &str) -> (Kind, Quantity) {
    let (name, number) = text.split_once(':').unwrap();
    (Kind::new(name), number.parse().unwrap())
}

pub(super) fn shapes() -> Vec<Resources> {
    let texts = [
        "cpus:4;mem:100",
        "cpus:2;mem:200;ports:[1-9]",
        "cpus:1;mem:10;cpus(a):2;mem(a):50",
        "cpus(b):2;cpus(a/c):1;mem:64;disks:{x,y}",
        "cpus:8;mem:800;gpus:1",
        "mem:20;disk:100",
        "cpus:0.5;mem:33;bandwidth:7",
    ];
    let mut shapes: Vec<Resources> = texts.iter().map(|text| parse(text)).collect();
    let revocable = Traits {
        revocable: true,
        ..Traits::plain()
    };
    shapes[0].insert(&revocable, "cpus", &Value::Scalar(Quantity::from_units(2)));
    shapes.push(Resources::from_item(
        &revocable,
        "mem",
        &Value::Scalar(Quantity::from_units(90)),
    ));
    shapes.push(parse("cpus:4;mem:100"));
    let volume = Traits {
        disk: Some(DiskTraits {
            persistence: Some(Persistence {
                id: Arc::from("v"),
                principal: None,
            }),
            ..DiskTraits::default()
        }),
        shared: true,
        ..Traits::reserved(role("a"))
    };
    shapes.push(parse("cpus:3;mem:90;cpus(a):1"));
    shapes[9].insert(&volume, "disk", &Value::Scalar(Quantity::from_units(40)));
    shapes
}

/// The agent of that shape; its host, rack, region and age follow from it.
pub(super) fn shaped(shapes: &[Resources], shape: usize) -> AgentProfile {
    let old = shape == 6;
    let profile = AgentProfile::new(shapes[shape].clone());
    AgentProfile {
        hostname: Arc::from(format!("host-{}", shape % 3)),
        attributes: Attributes::parse(&format!("rack:r{}", shape % 2)).unwrap(),
        domain: (shape == 4).then(|| FaultDomain {
            region: Arc::from("south"),
            zone: Arc::from("z"),
        }),
        capabilities: if old {
            AgentCapabilities::NONE
        } else {
            profile.capabilities
        },
        ..profile
    }
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    proptest::sample::subsequence(ROLES.to_vec(), 0..=3)
        .prop_map(|names| names.into_iter().map(role).collect())
}

fn profiles() -> impl Strategy<Value = FrameworkProfile> {
    let known = [
        Capability::RevocableResources,
        Capability::GpuResources,
        Capability::SharedResources,
        Capability::MultiRole,
        Capability::RegionAware,
    ];
    let capabilities = proptest::sample::subsequence(known.to_vec(), 0..=5);
    let minimum = select(vec![None, None, None, Some("cpus:2"), Some("")]);
    let rack = select(vec![None, None, None, Some("r0"), Some("r1")]);
    let flags = (prop::bool::weighted(0.9), prop::bool::weighted(0.4));
    (roles(), roles(), capabilities, minimum, rack, flags).prop_map(
        |(roles, suppressed, capabilities, minimum, rack, (active, optimistic))| {
            let minimum = minimum.map(|text| text.parse::<Minimum>().unwrap());
            let rack = rack.map(|rack| {
                let wire = wire_groups(vec![vec![rack_is(rack)]]);
                Arc::new(
                    Constraints::parse(&Role::default(), &wire, &RegexLimits::default()).unwrap(),
                )
            });
            let first = roles.first().into_iter();
            let terms = first.clone().zip(minimum);
            FrameworkProfile {
                suppressed: suppressed
                    .into_iter()
                    .filter(|role| roles.contains(role))
                    .collect(),
                minimums: terms.map(|(role, it)| (role.clone(), it)).collect(),
                constraints: first
                    .zip(rack)
                    .map(|(role, it)| (role.clone(), it))
                    .collect::<BTreeMap<_, _>>(),
                roles,
                capabilities: capabilities.into_iter().collect(),
                active,
                optimistic,
            }
        },
    )
}

pub(super) fn steps() -> impl Strategy<Value = Step> {
    let agent = || 0..6_u32;
    let framework = || 0..6_u32;
    let shape = || 0..10_usize;
    let refuse = || select(vec![None, Some(0), Some(1), Some(3), Some(20)]);
    prop_oneof![
        6 => (agent(), shape()).prop_map(|(agent, shape)| Step::AddAgent(agent, shape)),
        1 => agent().prop_map(Step::RemoveAgent),
        1 => (agent(), any::<bool>()).prop_map(|(agent, active)| Step::AgentActive(agent, active)),
        1 => (agent(), shape()).prop_map(|(agent, shape)| Step::AgentTotal(agent, shape)),
        6 => (framework(), profiles()).prop_map(|(key, profile)| Step::Framework(key, profile)),
        1 => framework().prop_map(Step::RemoveFramework),
        1 => (framework(), any::<bool>()).prop_map(|(key, on)| Step::FrameworkActive(key, on)),
        1 => (framework(), roles()).prop_map(|(key, roles)| Step::Suppress(key, roles)),
        2 => (framework(), roles()).prop_map(|(key, roles)| Step::Revive(key, roles)),
        20 => (any::<usize>(), refuse()).prop_map(|(at, refuse)| Step::Decline(at, refuse)),
        5 => (any::<usize>(), refuse()).prop_map(|(at, refuse)| Step::Accept(at, refuse)),
        3 => (any::<usize>(), refuse()).prop_map(|(at, refuse)| Step::DeclineView(at, refuse)),
        3 => any::<usize>().prop_map(Step::TakeView),
        4 => any::<usize>().prop_map(Step::EndTask),
        1 => (framework(), agent(), shape()).prop_map(|(key, agent, shape)| Step::Charge(key, agent, shape)),
        1 => (0..ROLES.len(), 1..5000_i64).prop_map(|(role, weight)| Step::Weight(role, weight)),
        1 => (0..ROLES.len(), prop::option::of(-1..2))
            .prop_map(|(role, priority)| Step::Priority(role, priority)),
        3 => (0..ROLES.len(), 0..QUOTAS.len()).prop_map(|(role, quota)| Step::Quota(role, quota)),
        1 => prop::option::of(0..3_usize).prop_map(Step::Whitelist),
        1 => any::<bool>().prop_map(Step::Region),
        2 => any::<usize>().prop_map(Step::Convert),
        1 => (agent(), 1..ROLES.len()).prop_map(|(agent, role)| Step::Reserve(agent, role)),
        2 => (framework(), 0..ROLES.len(), 0..ASKS.len())
            .prop_map(|(key, role, asks)| Step::Request(key, role, asks)),
        2 => (agent(), framework(), 0..ROLES.len(), shape(), 0..9_u64)
            .prop_map(|(agent, key, role, shape, span)| Step::Hold(agent, key, role, shape, span)),
        1 => any::<usize>().prop_map(Step::ReleaseHold),
        4 => (0..4_u64).prop_map(Step::Pass),
        15 => Just(Step::Run),
    ]
}
