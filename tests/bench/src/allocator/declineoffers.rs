//! The allocator under frameworks that decline every offer for good (Mesos: `DeclineOffers` in
//! `hierarchical_allocator_tests.cpp`).
//!
//! Every agent is `cpus:24;mem:4096;disk:4096;ports:[31000-32000]`, of which a framework uses
//! `cpus:16;mem:2014;disk:1024` and 16 fragments of the ports. Each round, `allocate()` offers
//! every agent, and every offer is declined for 365 days.
//!
//! A round is O(agents x log frameworks): each agent is an offer, and each offer moves one
//! framework in the order of shares. Who has refused an agent is kept as a set of bits per agent,
//! so that the first in order that has not is found in O(frameworks / 64) at worst, when most have
//! refused.

use core::time::Duration;

use tepui_allocator::{AgentProfile, Allocation, Allocator, Filter, Options};
use tepui_model::{AgentKey, FrameworkKey, Role, Time};

use super::workload::{add_framework, give_back, resources};
use crate::{
    Settings,
    report::{Report, Span, resident_megabytes, timed},
};

/// The grid of Mesos' benchmark.
const AGENTS: [u32; 4] = [1_000, 5_000, 10_000, 50_000];
const FRAMEWORKS: [u32; 5] = [1, 50, 200, 1_000, 6_000];
/// The part of it that is measured unless more is asked for: agents times frameworks.
const USUAL_SIZE: u32 = 10_000_000;

const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    if settings.large {
        // First, while all memory that this process takes is its own.
        decline_until_all_have(report, 10_000, 1_000)?;
    }
    let grid = AGENTS
        .into_iter()
        .flat_map(|agents| FRAMEWORKS.map(|count| (agents, count)));
    for (agents, frameworks) in grid {
        if settings.large || agents * frameworks <= USUAL_SIZE {
            decline_for_good(settings, report, agents, frameworks)?;
        }
    }
    Ok(())
}

/// What was measured of the rounds.
#[derive(Default)]
struct Samples {
    start: Vec<Span>,
    allocate: Vec<Span>,
    decline: Vec<Span>,
    /// A run when nothing changed but one agent.
    single: Vec<Span>,
    refusals: usize,
}

/// As many rounds as there are samples asked for. Where the frameworks run out of agents to
/// decline before that, the cluster is made anew.
fn decline_for_good(
    settings: &Settings,
    report: &mut Report,
    agents: u32,
    frameworks: u32,
) -> Result<(), String> {
    let mut samples = Samples::default();
    while samples.allocate.len() < settings.samples as usize {
        let rounds = (settings.samples - samples.allocate.len() as u32).min(frameworks);
        one_cluster(agents, frameworks, rounds, &mut samples)?;
    }
    report
        .line()
        .with("agents", agents)
        .with("frameworks", frameworks)
        .with("rounds", samples.allocate.len())
        .with_times("allocate", &samples.allocate)
        .with_times("single", &samples.single)
        .with_times("decline", &samples.decline)
        .with_times("add", &samples.start)
        .with("refusals", samples.refusals);
    Ok(())
}

/// Rounds until every framework has declined every agent: what the refusals weigh, and what a run
/// over all agents costs when nobody is left to be asked.
fn decline_until_all_have(report: &mut Report, agents: u32, frameworks: u32) -> Result<(), String> {
    let mut samples = Samples::default();
    let before = resident_megabytes().unwrap_or(0);
    let mut allocator = one_cluster(agents, frameworks, frameworks, &mut samples)?;
    let grown = resident_megabytes().unwrap_or(0).saturating_sub(before);
    let mut idle = Vec::new();
    for _ in 0..5 {
        let (made, span) = timed(|| allocator.allocate_all(Time::ZERO));
        if !made.is_empty() {
            return Err(format!("{} offers that all have declined", made.len()));
        }
        idle.push(span);
    }
    report
        .part("exhausted")
        .with("agents", agents)
        .with("frameworks", frameworks)
        .with("refusals", samples.refusals)
        .with("resident_mb", grown)
        .with_times("allocate", &samples.allocate)
        .with_times("allocate_all", &idle);
    Ok(())
}

fn one_cluster(
    agents: u32,
    frameworks: u32,
    rounds: u32,
    samples: &mut Samples,
) -> Result<Allocator, String> {
    let (allocator, span) = timed(|| cluster(agents, frameworks));
    samples.start.push(span);
    let mut allocator = allocator?;
    for round in 0..rounds {
        let (made, span) = timed(|| allocator.allocate(Time::ZERO));
        samples.allocate.push(span);
        if made.len() != agents as usize {
            return Err(format!(
                "{} offers in round {round}, not {agents}",
                made.len()
            ));
        }
        let ((), span) = timed(|| made.iter().for_each(|offer| decline(&mut allocator, offer)));
        samples.decline.push(span);
    }
    samples.refusals = allocator.refusals();
    if rounds < frameworks {
        single_change(&mut allocator, samples)?;
    }
    Ok(allocator)
}

/// After a round, one agent's offer comes back: what it costs to offer that one again.
fn single_change(allocator: &mut Allocator, samples: &mut Samples) -> Result<(), String> {
    let mut offers = allocator.allocate(Time::ZERO);
    for _ in 0..5 {
        let offer = offers.pop().ok_or("no offer is left to come back")?;
        give_back(allocator, &offer, None);
        let (again, span) = timed(|| allocator.allocate(Time::ZERO));
        samples.single.push(span);
        offers = again;
    }
    Ok(())
}

fn decline(allocator: &mut Allocator, offer: &Allocation) {
    let filter = Filter {
        until: Time::ZERO + FOR_GOOD,
    };
    give_back(allocator, offer, Some(filter));
}

fn cluster(agents: u32, frameworks: u32) -> Result<Allocator, String> {
    let star = Role::default();
    let total = resources("cpus:24;mem:4096;disk:4096;ports:[31000-32000]")?;
    let used = resources(&format!(
        "cpus:16;mem:2014;disk:1024;ports:[{}]",
        fragments(31_000, 32_000, 16)
    ))?;
    let mut allocator = Allocator::new(Options::default());
    (0..frameworks).for_each(|key| add_framework(&mut allocator, key, &star));
    for key in 0..agents {
        let holder = FrameworkKey(key % frameworks);
        let used = vec![(holder, star.clone(), used.clone())];
        allocator.add_agent(AgentKey(key), AgentProfile::new(total.clone()), used);
    }
    Ok(allocator)
}

/// A range in that many pieces with holes of one number between them, the last one long, as
/// Mesos' benchmark has them.
fn fragments(begin: u32, end: u32, count: u32) -> String {
    let singles = (0..count - 1).map(|index| begin + 2 * index);
    let mut pieces: Vec<String> = singles.map(|number| format!("{number}-{number}")).collect();
    pieces.push(format!("{}-{end}", begin + 2 * (count - 1)));
    pieces.join(",")
}
