//! One framework wants offers, and 1,000 more do not (Mesos: `ExtremeSuppressOffers`): what the
//! silent ones cost. Beside it, the same framework alone.
//!
//! In each round it is offered every agent and declines them all. A run looks at those in play
//! only: O(agents), one offer each, however many are suppressed.

use tepui_allocator::{Allocator, Options};
use tepui_model::FrameworkKey;

use super::workload::{add_agent, add_framework, decline, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, timed},
};

const AGENTS: [u32; 2] = [1_000, 10_000];
const SUPPRESSED: [u32; 2] = [0, 1_000];

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    for agents in AGENTS {
        for suppressed in SUPPRESSED {
            one_size(settings, report, agents, suppressed)?;
        }
    }
    Ok(())
}

fn one_size(
    settings: &Settings,
    report: &mut Report,
    agents: u32,
    suppressed: u32,
) -> Result<(), String> {
    let mut allocator = Allocator::new(Options::default());
    let (role, total) = (role("*")?, resources("cpus:24;mem:4096;disk:4096")?);
    (0..=suppressed).for_each(|key| add_framework(&mut allocator, key, &role));
    (0..agents).for_each(|key| add_agent(&mut allocator, key, &total));
    let ((), suppress) = timed(|| {
        (1..=suppressed).for_each(|key| allocator.suppress(FrameworkKey(key), &[]));
    });
    let (mut allocate, mut declines) = (Vec::new(), Vec::new());
    for round in 0..settings.samples as usize {
        let now = time_of(round);
        let (made, span) = timed(|| allocator.allocate(now));
        allocate.push(span);
        if made.len() != agents as usize {
            return Err(format!("{} offers of {agents} agents", made.len()));
        }
        let ((), span) = timed(|| {
            made.iter()
                .for_each(|offer| decline(&mut allocator, offer, now));
        });
        declines.push(span);
    }
    let ((), revive) = timed(|| {
        (1..=suppressed).for_each(|key| allocator.revive(FrameworkKey(key), &[]));
    });
    report
        .line()
        .with("agents", agents)
        .with("frameworks", suppressed + 1)
        .with("suppressed", suppressed)
        .with_times("allocate", &allocate)
        .with_times("decline", &declines)
        .with_times("suppress_all", &[suppress])
        .with_times("revive_all", &[revive]);
    Ok(())
}
