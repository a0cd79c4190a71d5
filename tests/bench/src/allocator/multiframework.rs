//! Frameworks that want 19,500 tasks among them and never say what (Mesos:
//! `MultiFrameworkAllocations`): none suppresses, declines for long or states its demand.
//!
//! Four frameworks, a role each, want many small tasks; 500 in one role want a few large ones; 50,
//! a role each, some between. Each uses what it can of an offer and gives the rest back with no
//! filter. In order of shares alone, those that have all they want and hold little stay in front
//! and are asked for ever; here they go behind those that have not been asked.
//!
//! A cycle gives out every agent whose resources came back, which here are all 80 in each cycle:
//! O(agents x log frameworks), the logarithm for keeping the order of shares. The number of cycles
//! is bounded below by the tasks over what is taken of one offer, and by one round of asking: with
//! F frameworks of which nobody knows what they want and A agents, F / A cycles.

use tepui_allocator::{Allocation, Allocator, Options};
use tepui_model::{Filters, Resources, Time};

use super::workload::{add_agent, add_framework, decline, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, Span, timed},
};

const AGENTS: u32 = 80;
const AGENT: &str = "cpus:64;mem:488000";
/// Far more than it takes.
const MAX_CYCLES: usize = 10_000;

struct Group {
    name: &'static str,
    frameworks: u32,
    /// Whether each framework has a role of its own.
    own_roles: bool,
    /// What each framework wants.
    tasks: usize,
    task: &'static str,
    /// The most that it launches on one offer.
    per_offer: usize,
}

const GROUPS: [Group; 3] = [
    Group {
        name: "many",
        frameworks: 4,
        own_roles: true,
        tasks: 4000,
        task: "cpus:0.07;mem:400",
        per_offer: 100,
    },
    Group {
        name: "few",
        frameworks: 500,
        own_roles: false,
        tasks: 5,
        task: "cpus:0.1;mem:4000",
        per_offer: 1,
    },
    Group {
        name: "some",
        frameworks: 50,
        own_roles: true,
        tasks: 20,
        task: "cpus:1;mem:1000",
        per_offer: 5,
    },
];

/// What a framework still wants.
struct Wants {
    task: Resources,
    tasks: usize,
    per_offer: usize,
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let histories = (0..settings.samples.min(5)).map(|seed| one_history(seed.into()));
    let histories = histories.collect::<Result<Vec<_>, _>>()?;
    for history in &histories {
        let total: f64 = history
            .cycles
            .iter()
            .map(|span| span.wall.as_secs_f64())
            .sum();
        report
            .line()
            .with("agents", AGENTS)
            .with("frameworks", frameworks())
            .with("tasks", history.running)
            .with("cycles", history.cycles.len())
            .with("offers", history.offers)
            .with("allocate_total_ms", format!("{:.3}", total * 1e3))
            .with_times("allocate", &history.cycles);
    }
    Ok(())
}

fn frameworks() -> u32 {
    GROUPS.iter().map(|group| group.frameworks).sum()
}

/// What came of one run of the workload.
#[derive(Default)]
struct History {
    cycles: Vec<Span>,
    offers: usize,
    running: usize,
}

fn one_history(seed: u64) -> Result<History, String> {
    let options = Options {
        seed,
        ..Options::default()
    };
    let mut allocator = Allocator::new(options);
    let total = resources(AGENT)?;
    (0..AGENTS).for_each(|key| add_agent(&mut allocator, key, &total));
    let mut wants = subscribe(&mut allocator)?;
    let wanted: usize = wants.iter().map(|framework| framework.tasks).sum();
    let mut history = History::default();
    while history.running < wanted {
        let now = time_of(history.cycles.len());
        let (made, span) = timed(|| allocator.allocate(now));
        history.cycles.push(span);
        history.offers += made.len();
        if made.is_empty() || history.cycles.len() == MAX_CYCLES {
            let (tasks, cycles) = (history.running, history.cycles.len());
            return Err(format!("{tasks} of {wanted} tasks after {cycles} cycles"));
        }
        for offer in &made {
            let framework = wants.get_mut(offer.framework.0 as usize);
            let framework = framework.ok_or("an offer for nobody")?;
            history.running += answer(&mut allocator, framework, offer, now);
        }
    }
    Ok(history)
}

fn subscribe(allocator: &mut Allocator) -> Result<Vec<Wants>, String> {
    let mut wants = Vec::new();
    for group in &GROUPS {
        for number in 0..group.frameworks {
            let name = match group.own_roles {
                true => format!("{}-{number}", group.name),
                false => group.name.to_owned(),
            };
            add_framework(allocator, wants.len() as u32, &role(&name)?);
            wants.push(Wants {
                task: resources(group.task)?,
                tasks: group.tasks,
                per_offer: group.per_offer,
            });
        }
    }
    Ok(wants)
}

/// Launches what the framework wants and the offer has room for, and gives the rest back. How many
/// tasks that were.
fn answer(allocator: &mut Allocator, wants: &mut Wants, offer: &Allocation, now: Time) -> usize {
    let mut rest = offer.resources.clone();
    let most = wants.tasks.min(wants.per_offer);
    let launched = (0..most).take_while(|_| rest.subtract(&wants.task).is_ok());
    let launched = launched.count();
    wants.tasks -= launched;
    if launched == 0 {
        decline(allocator, offer, now);
    } else {
        let filter = allocator.options().unused(now, &Filters::NONE);
        allocator.recover(offer.framework, &offer.role, offer.agent, &rest, filter);
    }
    launched
}
