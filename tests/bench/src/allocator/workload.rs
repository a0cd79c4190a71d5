//! What the workloads have in common: clusters as texts, and frameworks that give offers back.

use core::time::Duration;

use tepui_allocator::{AgentProfile, Allocation, Allocator, Filter, FrameworkProfile};
use tepui_model::{AgentKey, Filters, FrameworkKey, Resources, Role, Time};

/// A role by its name.
pub(super) fn role(name: &str) -> Result<Role, String> {
    Role::new(name).map_err(|error| error.to_string())
}

/// Unreserved resources in Mesos' text form.
pub(super) fn resources(text: &str) -> Result<Resources, String> {
    Resources::parse(text, &Role::default()).map_err(|error| error.to_string())
}

/// Adds a connected framework that wants offers in one role.
pub(super) fn add_framework(allocator: &mut Allocator, key: u32, role: &Role) {
    let profile = FrameworkProfile {
        roles: vec![role.clone()],
        active: true,
        ..Default::default()
    };
    allocator.add_framework(FrameworkKey(key), profile);
}

/// Adds an agent that nobody uses anything of.
pub(super) fn add_agent(allocator: &mut Allocator, key: u32, total: &Resources) {
    let profile = AgentProfile::new(total.clone());
    allocator.add_agent(AgentKey(key), profile, Vec::new());
}

/// Gives all of an offer back.
pub(super) fn give_back(allocator: &mut Allocator, offer: &Allocation, filter: Option<Filter>) {
    let Allocation {
        framework,
        role,
        agent,
        resources,
        ..
    } = offer;
    allocator.return_offer(*framework, role, *agent, resources, filter);
}

/// Declines an offer as DECLINE without a filter does.
pub(super) fn decline(allocator: &mut Allocator, offer: &Allocation, now: Time) {
    let filter = allocator.options().declined(now, &Filters::NONE);
    give_back(allocator, offer, Some(filter));
}

/// The time of a cycle, when they follow each other as fast as a master lets them.
pub(super) fn time_of(cycle: usize) -> Time {
    const WINDOW: Duration = Duration::from_millis(5);
    Time::ZERO + WINDOW.saturating_mul(u32::try_from(cycle).unwrap_or(u32::MAX))
}
