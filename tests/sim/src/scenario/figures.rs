//! What came of a run: the figures, without any of the machinery.

use serde::Serialize;

use super::expect::Verdict;

/// What came of a run. All but [`Figures::cost`] are the same whenever the same scenario is run
/// with the same seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The scenario's title.
    pub title: String,
    /// What decided the dice.
    pub seed: u64,
    /// How long the run was in its own time, in seconds.
    pub duration: f64,
    /// How many agents there were.
    pub agents: u32,
    /// All frameworks together.
    pub all: Group,
    /// Frameworks by group.
    pub groups: Vec<Group>,
    /// Roles by name.
    pub roles: Vec<RoleFigures>,
    /// How near the shares were to the ideal, on the average over the run.
    pub jain: f64,
    /// Resources by kind.
    pub utilisation: Vec<Utilisation>,
    /// What became of the offers.
    pub offers: OfferFigures,
    /// What was noted over time.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// Real time. This differs from run to run.
    pub cost: Cost,
    /// What was expected and what came of it.
    pub verdicts: Vec<Verdict>,
}

impl Figures {
    /// Whether all is as expected.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.is_met)
    }

    /// The same without what differs from run to run.
    #[must_use]
    pub fn without_cost(mut self) -> Self {
        self.cost = Cost::default();
        self
    }
}

/// What some frameworks had done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// Their name.
    pub name: String,
    /// How many they are.
    pub frameworks: u32,
    /// Tasks that were launched.
    pub launched: u64,
    /// Tasks that finished.
    pub finished: u64,
    /// Tasks that were lost.
    pub lost: u64,
    /// Tasks that gave way to a role of a higher priority.
    pub preempted: u64,
    /// Tasks that were launched on an offer that was over by then: nothing ran.
    pub late: u64,
    /// Tasks that were ended because their agent was to go down, and launched elsewhere.
    pub moved: u64,
    /// Tasks that run at the end.
    pub running: u64,
    /// Tasks that nobody has launched at the end.
    pub pending: u64,
    /// Gangs of which every task ran.
    pub gangs: u64,
    /// The longest that a gang ran in part, in seconds: from its first task that ran to its last.
    pub longest_partly: f64,
    /// From submission to running, in seconds.
    pub waits: Option<Waits>,
    /// Each wait in seconds, the shortest first.
    #[serde(skip)]
    pub sorted_waits: Vec<f32>,
}

/// How long tasks waited, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Waits {
    /// Half of them waited less.
    pub p50: f64,
    /// Nine of ten waited less.
    pub p90: f64,
    /// 99 of 100 waited less.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Waits {
    /// The waits of sorted seconds; none of none.
    pub(super) fn of(sorted: &[f32]) -> Option<Self> {
        Some(Self {
            p50: percentile(sorted, 0.5)?.into(),
            p90: percentile(sorted, 0.9)?.into(),
            p99: percentile(sorted, 0.99)?.into(),
            max: (*sorted.last()?).into(),
        })
    }
}

/// The value that is not below that part of the sorted ones (nearest rank).
pub(super) fn percentile<T: Copy>(sorted: &[T], part: f64) -> Option<T> {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// How a role fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleFigures {
    /// Its name.
    pub name: String,
    /// Its weight at the end.
    pub weight: f64,
    /// The dominant share of its tasks, on the average over the run.
    pub share: f64,
    /// What it would have been if all had been divided at will.
    pub ideal: f64,
    /// The share at the end.
    pub last_share: f64,
}

/// How a resource was used, as parts of what the agents have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Utilisation {
    /// Its name.
    pub resource: String,
    /// What tasks took on the average over the run.
    pub mean: f64,
    /// The most they took.
    pub peak: f64,
    /// What lay in offers on the average.
    pub offered: f64,
}

/// What became of offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OfferFigures {
    /// Offers that were made.
    pub made: u64,
    /// Used, at least in part.
    pub accepted: u64,
    /// Refused.
    pub declined: u64,
    /// Taken back.
    pub rescinded: u64,
    /// Not answered in time.
    pub timed_out: u64,
}

/// What was so at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// The dominant share of each role, in the order of [`Figures::roles`].
    pub shares: Vec<f32>,
    /// The ideal of each.
    pub ideals: Vec<f32>,
    /// Which part of each resource tasks take, in the order of [`Figures::utilisation`].
    pub used: Vec<f32>,
    /// Which part lies in offers.
    pub offered: Vec<f32>,
    /// How near the shares are to the ideal.
    pub jain: Option<f64>,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that nobody has launched yet.
    pub pending: u64,
}

/// Real time, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// The whole run.
    pub wall: f64,
    /// The core alone.
    pub core: f64,
    /// Events that the core took.
    pub events: u64,
    /// The core by what happened.
    pub by_event: Vec<EventCost>,
    /// Runs of the allocator.
    pub cycles: u64,
    /// A run, half of them shorter.
    pub cycle_median: f64,
    /// A run, 99 of 100 shorter.
    pub cycle_p99: f64,
    /// The longest run.
    pub cycle_max: f64,
    /// All runs.
    pub cycle_total: f64,
    /// The most memory that the process held, in megabytes.
    pub memory: Option<u64>,
    /// When each run was, in the time of the scenario, and how long it took.
    #[serde(skip)]
    pub series: Vec<(f64, f64)>,
}

/// What the core took for one kind of events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventCost {
    /// The kind.
    pub event: &'static str,
    /// How many there were.
    pub count: u64,
    /// All of them, in seconds.
    pub total: f64,
}
