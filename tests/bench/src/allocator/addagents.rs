//! Agents come up, one after the other, under as many roles with a quota and a framework each
//! (Mesos: `AddAgentsWithQuotas`, 1,000 of either), with an allocation after each; and `at_once`,
//! within one batching window of a master.
//!
//! An agent that comes changes the total that shares are parts of. Here all agents are alike, so
//! that the order of the roles stays, and an agent costs its offers, each O(log roles); one of
//! another shape would have the order made anew, O(roles x log roles). What is left of earlier
//! agents is below the smallest offer and is not looked at again.

use tepui_allocator::{Allocator, Options};

use super::{
    quota::quota,
    workload::{add_agent, add_framework, resources, role, time_of},
};
use crate::{
    Settings,
    report::{Report, timed},
};

const SAMPLES: usize = 3;
/// Agents, and as many roles.
const SIZES: [u32; 3] = [100, 200, 400];
const LARGE: u32 = 1_000;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let large = settings.large.then_some(LARGE);
    for size in SIZES.into_iter().chain(large) {
        one_size(report, size)?;
    }
    Ok(())
}

fn one_size(report: &mut Report, size: u32) -> Result<(), String> {
    let (mut singly, mut at_once) = (Vec::new(), Vec::new());
    let total = resources("cpus:2;mem:1024;disk:4096")?;
    let mut offers = 0;
    for _ in 0..SAMPLES {
        let mut allocator = waiting(size)?;
        let (made, span) = timed(|| {
            let one = |key: u32| {
                add_agent(&mut allocator, key, &total);
                allocator.allocate(time_of(key as usize)).len()
            };
            (0..size).map(one).sum::<usize>()
        });
        singly.push(span);
        offers = made;
        let mut allocator = waiting(size)?;
        let (made, span) = timed(|| {
            (0..size).for_each(|key| add_agent(&mut allocator, key, &total));
            allocator.allocate(time_of(0)).len()
        });
        at_once.push(span);
        if made < size as usize || offers < size as usize {
            return Err(format!("{offers} offers one by one, {made} at once"));
        }
    }
    report
        .line()
        .with("agents", size)
        .with("roles", size)
        .with("offers", offers)
        .with_times("one_by_one", &singly)
        .with_times("at_once", &at_once);
    Ok(())
}

/// Roles with a quota, their frameworks, and no agent.
fn waiting(roles: u32) -> Result<Allocator, String> {
    let mut allocator = Allocator::new(Options::default());
    let quota = quota("cpus:2;mem:1024;disk:1024")?;
    for key in 0..roles {
        let role = role(&format!("role-{key}"))?;
        add_framework(&mut allocator, key, &role);
        allocator.set_quota(&role, quota.clone());
    }
    Ok(allocator)
}
