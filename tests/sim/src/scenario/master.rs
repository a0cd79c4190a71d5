//! The real master of a run, with a stopwatch, and a registry when another will start from it.

use core::time::Duration;
use std::{collections::BTreeMap, time::Instant};

use tepui_master_core::{
    Change, Config, Effects, Event, Master, Preemption, Record, RecordKind, Recovered,
};
use tepui_model::{Offer, Quantity, Role, Time};
use tepui_proto::v1;

use super::{
    figures::{Cost, EventCost, percentile},
    file::{FaultKind, Scenario, expand},
    queue::Turn,
    world::World,
};

/// What the master's time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Calls,
    Updates,
    Pongs,
    Timers,
    Others,
}

impl Kind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Calls, "frameworks' calls"),
        (Self::Updates, "tasks' updates"),
        (Self::Pongs, "agents' pongs"),
        (Self::Timers, "timers and allocation"),
        (Self::Others, "registrations and the rest"),
    ];
}

/// How often and how long in all.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    count: u64,
    time: Duration,
}

/// A master that can die.
#[derive(Debug)]
pub(super) struct MasterNode {
    config: Config,
    core: Option<Master>,
    /// Kept only if the master dies in this scenario: nobody else reads it.
    registry: Option<BTreeMap<(RecordKind, String), Vec<u8>>>,
    life: u32,
    wake: Option<Time>,
    spent: [Spent; 5],
    /// When the allocator ran, in seconds of the run, and how long it took.
    cycles: Vec<(f64, f64)>,
}

impl MasterNode {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let is_mortal = |kind| kind == FaultKind::MasterFailover;
        let is_mortal = scenario.faults.iter().any(|fault| is_mortal(fault.kind));
        Self {
            config: config(scenario),
            core: None,
            registry: is_mortal.then(BTreeMap::new),
            life: 0,
            wake: None,
            spent: [Spent::default(); 5],
            cycles: Vec::new(),
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.core.is_some()
    }

    /// Whether a planned timer is due: one that is not was planned before an earlier one was.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        let is_due = self.wake.is_some_and(|due| due <= now);
        if is_due {
            self.wake = None;
        }
        is_due
    }

    /// When to wake it, if that is sooner than was planned.
    pub(super) fn plan_wake(&mut self) -> Option<Time> {
        let due = self.core.as_ref().and_then(Master::next_wake)?;
        let is_sooner = self.wake.is_none_or(|planned| due < planned);
        is_sooner.then(|| *self.wake.insert(due))
    }

    pub(super) fn apply(
        &mut self,
        now: Time,
        at: Duration,
        kind: Kind,
        event: Event,
        effects: &mut Effects,
    ) {
        let Some(core) = &mut self.core else { return };
        let runs = core.allocation_runs();
        let started = Instant::now();
        core.apply(now, event, effects);
        let span = started.elapsed();
        let spent = &mut self.spent[kind as usize];
        spent.count += 1;
        spent.time += span;
        if core.allocation_runs() != runs {
            self.cycles.push((at.as_secs_f64(), span.as_secs_f64()));
        }
    }

    pub(super) fn persist(&mut self, change: Change) {
        let Some(registry) = &mut self.registry else {
            return;
        };
        match change {
            Change::Put(record) => {
                registry.insert((record.kind(), record.key()), record.encode());
            }
            Change::Delete(kind, key) => {
                registry.remove(&(kind, key));
            }
        }
    }

    /// Starts from what the registry holds, under a new id.
    fn start(&mut self) -> Result<(), String> {
        let mut recovered = Recovered::default();
        for ((kind, key), bytes) in self.registry.iter().flatten() {
            let record = Record::decode(*kind, key, bytes).map_err(|error| error.to_string())?;
            recovered.insert(record);
        }
        self.config.master.id = format!("m{}", self.life);
        let core = Master::new(self.config.clone(), recovered);
        self.core = Some(core.map_err(|error| error.to_string())?);
        Ok(())
    }

    pub(super) fn die(&mut self) {
        self.core = None;
        self.wake = None;
        self.life += 1;
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let check = self.core.as_ref().map_or(Ok(()), Master::check);
        check.map_err(|violation| violation.to_string())
    }

    /// The offers that stand.
    pub(super) fn offers(&self) -> Vec<std::sync::Arc<Offer>> {
        self.core
            .as_ref()
            .map(|core| core.offers_to(None))
            .unwrap_or_default()
    }

    /// How much real time it took.
    pub(super) fn cost(&self, wall: Duration) -> Cost {
        let mut spans: Vec<f64> = self.cycles.iter().map(|(_, span)| *span).collect();
        spans.sort_by(f64::total_cmp);
        let core: Duration = self.spent.iter().map(|spent| spent.time).sum();
        let by_event = |(kind, event): (Kind, &'static str)| EventCost {
            event,
            count: self.spent[kind as usize].count,
            total: self.spent[kind as usize].time.as_secs_f64(),
        };
        Cost {
            wall: wall.as_secs_f64(),
            core: core.as_secs_f64(),
            events: self.spent.iter().map(|spent| spent.count).sum(),
            by_event: Kind::ALL.map(by_event).to_vec(),
            cycles: spans.len() as u64,
            cycle_median: percentile(&spans, 0.5).unwrap_or(0.0),
            cycle_p99: percentile(&spans, 0.99).unwrap_or(0.0),
            cycle_max: spans.last().copied().unwrap_or(0.0),
            cycle_total: spans.iter().sum(),
            memory: peak_megabytes(),
            series: self.cycles.clone(),
        }
    }
}

impl World<'_> {
    pub(super) fn start_master(&mut self) {
        if let Err(promise) = self.master.start() {
            self.broken = Some(super::world::Broken::Promise {
                at: self.elapsed(),
                promise,
            });
            return;
        }
        // The first event starts its timers.
        self.master.wake = Some(self.now);
        self.queue.plan(self.now, Turn::Wake);
        if self.master.life == 0 {
            self.set_first_quotas();
            self.set_priorities();
        }
    }
}

fn config(scenario: &Scenario) -> Config {
    let mut config = Config::new(v1::MasterInfo::default());
    let settings = &scenario.master;
    if let Some(window) = settings.allocation_window {
        config.allocation_window = window;
    }
    if let Some(timeout) = settings.offer_timeout {
        config.offer_timeout = Some(timeout);
    }
    if let Some(ping) = settings.ping {
        config.agent_ping_timeout = ping;
    }
    config.preemption = settings.preemption.map(|it| Preemption {
        patience: it.patience,
        notice: it.notice,
    });
    config.allocator.seed = scenario.seed;
    config.limits.tasks_per_framework = usize::MAX;
    config.weights = weights(scenario);
    config
}

/// The weights that roles start with.
fn weights(scenario: &Scenario) -> Vec<(Role, Quantity)> {
    let mut weights = Vec::new();
    for settings in &scenario.roles {
        let Some(weight) = settings.weight else {
            continue;
        };
        let names = (0..settings.count).map(|number| expand(&settings.name, number));
        weights.extend(names.filter_map(|name| Some((Role::new(name).ok()?, weight))));
    }
    weights
}

/// The most memory that this process has held.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}
