//! A large cluster in which little happens: all agents are held, and in each cycle tasks end on one
//! agent in a hundred.
//!
//! A cycle looks at the agents where something changed and at no others: O(changed x log
//! frameworks), whatever the number of agents. It cannot be less, since each of them is an offer;
//! the logarithm is for keeping the order of shares.

use tepui_allocator::{Allocator, Options};

use super::workload::{add_agent, add_framework, give_back, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, timed},
};

const SIZES: [(u32, u32); 2] = [(10_000, 200), (50_000, 200)];
/// One in so many agents changes per cycle.
const PART: usize = 100;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    for (agents, frameworks) in SIZES {
        one_size(settings, report, agents, frameworks)?;
    }
    Ok(())
}

fn one_size(
    settings: &Settings,
    report: &mut Report,
    agents: u32,
    frameworks: u32,
) -> Result<(), String> {
    let mut allocator = Allocator::new(Options::default());
    let (role, total) = (role("*")?, resources("cpus:24;mem:4096;disk:4096")?);
    (0..frameworks).for_each(|key| add_framework(&mut allocator, key, &role));
    (0..agents).for_each(|key| add_agent(&mut allocator, key, &total));
    let (mut held, first) = timed(|| allocator.allocate(time_of(0)));
    let (mut allocate, mut recover) = (Vec::new(), Vec::new());
    for cycle in 1..=settings.samples as usize {
        // Those that were given out last stand at the end.
        let freed: Vec<_> = held.drain(..held.len() / PART).collect();
        let ((), span) = timed(|| {
            freed
                .iter()
                .for_each(|offer| give_back(&mut allocator, offer, None));
        });
        recover.push(span);
        let (made, span) = timed(|| allocator.allocate(time_of(cycle)));
        allocate.push(span);
        if made.len() != freed.len() {
            return Err(format!("{} offers of {} agents", made.len(), freed.len()));
        }
        held.extend(made);
    }
    report
        .line()
        .with("agents", agents)
        .with("frameworks", frameworks)
        .with("changed", agents as usize / PART)
        .with_times("allocate", &allocate)
        .with_times("recover", &recover)
        .with_times("first", &[first]);
    Ok(())
}
