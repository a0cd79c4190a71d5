//! Small and large guarantees (Mesos: `LargeAndSmallQuota`): 2,500 roles are promised half an agent
//! each, 500 two agents each, and each role has one framework that takes all it is offered.
//!
//! One cycle, with 3,000 agents and nothing given out yet: O((agents + offers) x log roles). Every
//! agent is looked at, every offer moves one role in the order of shares, and the sums that tell
//! what has to be kept for guarantees follow each offer in O(depth of the role). A cycle after it,
//! when everything promised was given and what is left may go to nobody, is O(agents).

use tepui_allocator::{Allocator, Options};
use tepui_model::{Quota, Role};

use super::workload::{add_agent, add_framework, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, timed},
};

const AGENTS: u32 = 3_000;
const SMALL: u32 = 2_500;
const LARGE: u32 = 500;
const AGENT: &str = "cpus:2;mem:2048;disk:2048";

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let (mut first, mut second, mut set) = (Vec::new(), Vec::new(), Vec::new());
    let mut offers = 0;
    for _ in 0..settings.samples.min(10) {
        let mut allocator = Allocator::new(Options::default());
        let roles = subscribe(&mut allocator)?;
        let total = resources(AGENT)?;
        (0..AGENTS).for_each(|key| add_agent(&mut allocator, key, &total));
        let ((), span) = timed(|| {
            for (role, quota) in &roles {
                allocator.set_quota(role, quota.clone());
            }
        });
        set.push(span);
        let (made, span) = timed(|| allocator.allocate(time_of(0)));
        first.push(span);
        offers = made.len();
        let (more, span) = timed(|| allocator.allocate_all(time_of(1)));
        second.push(span);
        if offers != (SMALL + 2 * LARGE) as usize || !more.is_empty() {
            return Err(format!("{offers} offers, and then {}", more.len()));
        }
    }
    report
        .line()
        .with("agents", AGENTS)
        .with("roles", SMALL + LARGE)
        .with("offers", offers)
        .with_times("allocate", &first)
        .with_times("allocate_again", &second)
        .with_times("set_all", &set);
    Ok(())
}

fn subscribe(allocator: &mut Allocator) -> Result<Vec<(Role, Quota)>, String> {
    let small = quota("cpus:1;mem:1024;disk:1024")?;
    let large = quota("cpus:4;mem:4096;disk:4096")?;
    let mut roles = Vec::new();
    for key in 0..SMALL + LARGE {
        let (name, quota) = match key < SMALL {
            true => (format!("small-{key}"), &small),
            false => (format!("large-{key}"), &large),
        };
        let role = role(&name)?;
        add_framework(allocator, key, &role);
        roles.push((role, quota.clone()));
    }
    Ok(roles)
}

/// As much for a limit as for a guarantee, as Mesos' benchmark has it.
pub(super) fn quota(text: &str) -> Result<Quota, String> {
    let guarantees = resources(text)?.scalars();
    let limits = guarantees.iter().collect();
    Ok(Quota { guarantees, limits })
}
