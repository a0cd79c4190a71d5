//! The allocator under frameworks that decline every offer for good (Mesos: `DeclineOffers` in
//! `hierarchical_allocator_tests.cpp`).
//!
//! Every agent is `cpus:24;mem:4096;disk:4096;ports:[31000-32000]`, of which a framework uses
//! `cpus:16;mem:2014;disk:1024` and 16 fragments of the ports. Each round, `allocate()` offers
//! every agent, and every offer is declined for 365 days.

use std::time::Duration;

use tepui_allocator::{Allocation, Allocator, Filter, FrameworkProfile, Options};
use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Time};

use crate::{
    Settings,
    report::{Report, Span, resident_megabytes, timed},
};

const AGENTS: [u32; 2] = [1_000, 10_000];
const FRAMEWORKS: [u32; 3] = [1, 100, 1_000];
/// Sizes of Mesos' own grid beyond those.
const LARGE: [(u32, u32); 3] = [(10_000, 3_000), (50_000, 200), (50_000, 1_000)];

const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    if settings.large {
        // First, while all memory that this process takes is its own.
        decline_until_all_have(report, 10_000, 1_000)?;
    }
    let grid = AGENTS
        .into_iter()
        .flat_map(|agents| FRAMEWORKS.map(|count| (agents, count)));
    let large = LARGE.into_iter().filter(|_| settings.large);
    for (agents, frameworks) in grid.chain(large) {
        decline_for_good(settings, report, agents, frameworks)?;
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
    let mut allocator = allocator.ok_or("the workload's resources do not parse")?;
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
        let Allocation {
            framework,
            role,
            agent,
            resources,
        } = &offer;
        allocator.recover(*framework, role, *agent, resources, None);
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
    let Allocation {
        framework,
        role,
        agent,
        resources,
    } = offer;
    allocator.recover(*framework, role, *agent, resources, Some(filter));
}

fn cluster(agents: u32, frameworks: u32) -> Option<Allocator> {
    let star = Role::default();
    let total = Resources::parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]", &star).ok()?;
    let used = format!(
        "cpus:16;mem:2014;disk:1024;ports:[{}]",
        fragments(31_000, 32_000, 16)
    );
    let used = Resources::parse(&used, &star).ok()?;
    let mut allocator = Allocator::new(Options::default());
    for key in 0..frameworks {
        let profile = FrameworkProfile {
            roles: vec![star.clone()],
            active: true,
            ..Default::default()
        };
        allocator.add_framework(FrameworkKey(key), profile);
    }
    for key in 0..agents {
        let holder = FrameworkKey(key % frameworks);
        let used = vec![(holder, star.clone(), used.clone())];
        allocator.add_agent(AgentKey(key), total.clone(), used);
    }
    Some(allocator)
}

/// A range in that many pieces with holes of one number between them, the last one long, as
/// Mesos' benchmark has them.
fn fragments(begin: u32, end: u32, count: u32) -> String {
    let singles = (0..count - 1).map(|index| begin + 2 * index);
    let mut pieces: Vec<String> = singles.map(|number| format!("{number}-{number}")).collect();
    pieces.push(format!("{}-{end}", begin + 2 * (count - 1)));
    pieces.join(",")
}
