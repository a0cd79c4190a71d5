//! The promises of the allocator.

pub(crate) mod constraints;
mod drf;
mod fairness;
mod filters;
mod gangs;
mod history;
mod holds;
mod ledger;
mod optimistic;
mod planted;
mod priorities;
mod reference;
mod starvation;

use std::collections::BTreeSet;

use tepui_model::{AgentKey, Capabilities, FrameworkKey, Quantity, Resources, Role, Time};

use crate::{AgentProfile, Allocation, Allocator, Filter, FrameworkProfile, Options};

fn parse(text: &str) -> Resources {
    Resources::parse(text, &Role::default()).unwrap()
}

fn agent(total: &str) -> AgentProfile {
    AgentProfile::new(parse(total))
}

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

fn seconds(count: u64) -> Time {
    Time::from_micros(count * 1_000_000)
}

fn until(count: u64) -> Option<Filter> {
    Some(Filter {
        until: seconds(count),
    })
}

fn profile(roles: &[&str]) -> FrameworkProfile {
    FrameworkProfile {
        roles: roles.iter().map(|name| role(name)).collect(),
        active: true,
        ..FrameworkProfile::default()
    }
}

/// An allocator with agents 0.. of these resources, and frameworks 0.. with these roles.
fn cluster(agents: &[&str], frameworks: &[&str]) -> Allocator {
    cluster_with(Options::default(), agents, frameworks)
}

fn cluster_with(options: Options, agents: &[&str], frameworks: &[&str]) -> Allocator {
    let mut allocator = Allocator::new(options);
    for (key, total) in (0..).zip(agents) {
        allocator.add_agent(AgentKey(key), agent(total), Vec::new());
    }
    for (key, name) in (0..).zip(frameworks) {
        allocator.add_framework(FrameworkKey(key), profile(&[name]));
    }
    allocator
}

/// Gives back what was offered.
fn give_back(allocator: &mut Allocator, offer: &Allocation, refuse: Option<Filter>) {
    allocator.return_offer(
        offer.framework,
        &offer.role,
        offer.agent,
        &offer.resources,
        refuse,
    );
}

/// Runs, and says whom each agent was offered to.
fn run(allocator: &mut Allocator, now: Time) -> Vec<Allocation> {
    let made = allocator.allocate(now);
    allocator.check().unwrap();
    made
}

/// The frameworks of the offers.
fn frameworks(made: &[Allocation]) -> Vec<u32> {
    made.iter().map(|offer| offer.framework.0).collect()
}
