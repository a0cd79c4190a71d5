//! One framework among many asks again: REVIVE, and REQUEST of one thing, in a cluster that others
//! have filled, and in one where most is idle because everybody has declined it.
//!
//! `full`: nothing is free, so that there is nothing to look at. `forget`: the framework had
//! declined every idle agent, and is offered every one again: O(agents that it declined). `ask`: of
//! all that is idle it wants one piece: the first agent that has it ends the search, and what is
//! left is O(idle agents / 64), the set of their keys.

use core::time::Duration;

use tepui_allocator::{Allocation, Allocator, Ask, Filter, Options};
use tepui_model::{FrameworkKey, Role, Time};

use super::workload::{add_agent, add_framework, give_back, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, Span, timed},
};

const AGENTS: u32 = 50_000;
const FRAMEWORKS: u32 = 20;
const AGENT: &str = "cpus:24;mem:4096;disk:4096";
const ONE: FrameworkKey = FrameworkKey(0);
const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let role = role("*")?;
    let samples = settings.samples.min(20) as usize;
    let full = full(&role, samples)?;
    let forget = forget(&role, samples)?;
    let ask = ask(&role, samples)?;
    report
        .line()
        .with("agents", AGENTS)
        .with("frameworks", FRAMEWORKS)
        .with_times("full", &full)
        .with_times("forget", &forget)
        .with_times("ask", &ask);
    Ok(())
}

fn cluster(role: &Role) -> Result<Allocator, String> {
    let mut allocator = Allocator::new(Options::default());
    let total = resources(AGENT)?;
    (0..FRAMEWORKS).for_each(|key| add_framework(&mut allocator, key, role));
    (0..AGENTS).for_each(|key| add_agent(&mut allocator, key, &total));
    Ok(allocator)
}

/// Everything is held, and one framework begins to want more.
fn full(role: &Role, samples: usize) -> Result<Vec<Span>, String> {
    let mut allocator = cluster(role)?;
    allocator.allocate(time_of(0));
    let mut spans = Vec::new();
    for round in 0..samples {
        allocator.suppress(ONE, &[]);
        let (made, span) = timed(|| {
            allocator.revive(ONE, std::slice::from_ref(role));
            allocator.allocate(time_of(round)).len()
        });
        expect(0, made)?;
        spans.push(span);
    }
    Ok(spans)
}

/// All have declined everything, and one takes its refusals back.
fn forget(role: &Role, samples: usize) -> Result<Vec<Span>, String> {
    let mut allocator = cluster(role)?;
    decline_all(&mut allocator, FRAMEWORKS);
    let mut spans = Vec::new();
    for round in 0..samples {
        let (made, span) = timed(|| {
            allocator.revive(ONE, std::slice::from_ref(role));
            allocator.allocate(time_of(round))
        });
        expect(AGENTS as usize, made.len())?;
        spans.push(span);
        decline(&mut allocator, &made);
    }
    Ok(spans)
}

/// All others have declined everything, and one that wanted nothing wants one piece.
fn ask(role: &Role, samples: usize) -> Result<Vec<Span>, String> {
    let mut allocator = cluster(role)?;
    allocator.request(ONE, role, Vec::new());
    decline_all(&mut allocator, FRAMEWORKS - 1);
    let piece = Ask::new(resources("cpus:1;mem:128")?, 1);
    let mut spans = Vec::new();
    for round in 0..samples {
        let asks = vec![piece.clone()];
        let (made, span) = timed(|| {
            allocator.request(ONE, role, asks);
            allocator.allocate(time_of(round))
        });
        expect(1, made.len())?;
        spans.push(span);
        for offer in made {
            allocator.accept(ONE, role, offer.agent, &offer.resources);
            allocator.recover(ONE, role, offer.agent, &offer.resources, None);
        }
        expect(0, allocator.allocate(time_of(round)).len())?;
    }
    Ok(spans)
}

fn decline_all(allocator: &mut Allocator, rounds: u32) {
    for _ in 0..rounds {
        let made = allocator.allocate(time_of(0));
        decline(allocator, &made);
    }
}

fn decline(allocator: &mut Allocator, offers: &[Allocation]) {
    let filter = Some(Filter {
        until: Time::ZERO + FOR_GOOD,
    });
    offers
        .iter()
        .for_each(|offer| give_back(allocator, offer, filter));
}

fn expect(wanted: usize, made: usize) -> Result<(), String> {
    match made == wanted {
        true => Ok(()),
        false => Err(format!("{made} offers, not {wanted}")),
    }
}
