//! What a scenario file may say: the cluster, who wants what of it, and what happens meanwhile.

mod check;
mod length;
mod quantities;
mod text;

use core::time::Duration;
use std::collections::BTreeMap;

use serde::Deserialize;
use tepui_model::{Attributes, Filters, Quantity, Resources};

pub use self::check::InvalidScenario;
pub(super) use self::check::capability;
pub(super) use self::length::Length;
pub(super) use self::quantities::Quantities;
use super::{expect::Expectations, limits};

/// A cluster, its workload, and what happens to both.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, in a line.
    pub title: String,
    /// What it shows, and what to look at.
    #[serde(default)]
    pub about: String,
    /// Decides every throw of the dice.
    #[serde(default)]
    pub seed: u64,
    /// How long the run is, in its own time.
    #[serde(deserialize_with = "text::span")]
    pub duration: Duration,
    /// How often shares and use are noted; a 240th of the duration when left out.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub sample: Option<Duration>,
    /// The settings of the master.
    #[serde(default)]
    pub master: MasterSettings,
    /// What lies between the master and the others.
    #[serde(default)]
    pub network: Network,
    /// Agents by class.
    pub agents: Vec<AgentClass>,
    /// Roles that are not like the others.
    #[serde(default)]
    pub roles: Vec<RoleSettings>,
    /// Frameworks by group.
    #[serde(default)]
    pub frameworks: Vec<FrameworkGroup>,
    /// What breaks.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What operators do.
    #[serde(default)]
    pub events: Vec<Deed>,
    /// What must come out.
    #[serde(default)]
    pub expect: Expectations,
}

/// The settings of the master that matter here; those left out are the product's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MasterSettings {
    /// How long the allocation waits after a change for others.
    #[serde(deserialize_with = "text::optional_span")]
    pub allocation_window: Option<Duration>,
    /// How long an offer stands.
    #[serde(deserialize_with = "text::optional_span")]
    pub offer_timeout: Option<Duration>,
    /// How often an agent is pinged.
    #[serde(deserialize_with = "text::optional_span")]
    pub ping: Option<Duration>,
    /// That tasks give way to roles of a higher priority; they do not when left out.
    pub preemption: Option<PreemptionSettings>,
}

/// How tasks give way.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreemptionSettings {
    /// How long what is asked for waits before.
    #[serde(deserialize_with = "text::span")]
    pub patience: Duration,
    /// How long before their end those concerned hear of it.
    #[serde(deserialize_with = "text::span")]
    pub notice: Duration,
}

/// What lies between the master and the others.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// How long a message takes, one way.
    #[serde(deserialize_with = "text::span")]
    pub latency: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
        }
    }
}

/// Agents that are all alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentClass {
    /// How many.
    pub count: u32,
    /// What each has, such as `cpus:8;mem:16384`.
    #[serde(deserialize_with = "text::parsed")]
    pub resources: Resources,
    /// What each says of itself, such as `os:debian`.
    #[serde(default, deserialize_with = "text::parsed")]
    pub attributes: Attributes,
    /// Over how many racks they are spread; each gets `rack:r<number>`.
    pub racks: Option<u32>,
    /// Over how many zones the racks, or the agents, are spread; each gets `zone:z<number>`.
    pub zones: Option<u32>,
    /// When the first registers.
    #[serde(default, deserialize_with = "text::span")]
    pub arrive: Duration,
    /// How long after one the next registers.
    #[serde(default, deserialize_with = "text::span")]
    pub gap: Duration,
    /// How long a task takes to start.
    #[serde(default, deserialize_with = "text::span")]
    pub task_start: Duration,
}

/// A role that is not like the others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSettings {
    /// Its name; `{n}` stands for each number below `count`.
    pub name: String,
    /// How many roles of that name there are.
    #[serde(default = "one")]
    pub count: u32,
    /// How much more it may have than one of weight 1.
    #[serde(default, deserialize_with = "text::optional_number")]
    pub weight: Option<Quantity>,
    /// The higher is served first.
    pub priority: Option<i32>,
    /// What it is guaranteed, and what it may have at most.
    pub quota: Option<QuotaText>,
}

/// A quota in words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaText {
    /// What the role is guaranteed, such as `cpus:10`.
    #[serde(deserialize_with = "text::parsed")]
    pub guarantees: Quantities,
    /// What the role may have at most; what is not named is not limited.
    #[serde(deserialize_with = "text::parsed")]
    pub limits: Quantities,
}

/// How a framework goes about its offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behaviour {
    /// Wants so many tasks that run until the end.
    Service,
    /// Wants jobs of tasks that end.
    Batch,
    /// Wants jobs of tasks that start all together, one job after the other.
    Gang,
    /// Never has enough.
    Greedy,
    /// Declines everything for ever.
    Dead,
    /// Never answers.
    Silent,
    /// Like batch, and goes away and comes back.
    Flapping,
}

/// Frameworks that are all alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameworkGroup {
    /// The name; the frameworks are called `<name>-<number>` when there are several.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// What they do.
    pub behaviour: Behaviour,
    /// The role; `{n}` stands for the number of the framework, so that each has its own.
    #[serde(default = "star")]
    pub role: String,
    /// What one task takes.
    #[serde(default, deserialize_with = "text::optional")]
    pub task: Option<Resources>,
    /// How many tasks a service has, or a job.
    pub tasks: Option<u32>,
    /// How many jobs there are.
    pub jobs: Option<u32>,
    /// How long after one job the next is submitted.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub every: Option<Duration>,
    /// How long a task runs.
    pub lasts: Option<Length>,
    /// How many tasks are launched on one offer at most.
    pub per_offer: Option<u32>,
    /// For how long what is not used shall not be offered again; `none` for not at all.
    #[serde(default, deserialize_with = "text::filters")]
    pub decline: Filters,
    /// Whether it says so when it wants no more offers.
    #[serde(default = "yes")]
    pub suppress: bool,
    /// Whether it states by REQUEST how many tasks it waits for.
    #[serde(default)]
    pub asks: bool,
    /// Whether it may be shown what others are shown too.
    #[serde(default)]
    pub optimistic: bool,
    /// How long it looks at an offer before it answers.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub thinks: Option<Duration>,
    /// How many of its tasks may have to give way at a time.
    pub budget: Option<u32>,
    /// When the first subscribes.
    #[serde(default, deserialize_with = "text::span")]
    pub arrive: Duration,
    /// How long after one the next subscribes.
    #[serde(default, deserialize_with = "text::span")]
    pub gap: Duration,
    /// How long a flapping framework stays.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub up: Option<Duration>,
    /// How long a flapping framework is away.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub down: Option<Duration>,
    /// What it understands, by Mesos' names.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// What can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Agents die with their tasks; they come back empty.
    AgentLoss,
    /// Agents are cut off; their tasks go on.
    NetworkPause,
    /// The master dies; the next starts from the registry.
    MasterFailover,
}

/// Something that breaks once, or again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What breaks.
    pub kind: FaultKind,
    /// When, once.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub at: Option<Duration>,
    /// How often on the average, at random.
    #[serde(default, deserialize_with = "text::optional_span")]
    pub every: Option<Duration>,
    /// How many agents are hit together.
    #[serde(default = "one")]
    pub count: u32,
    /// How long until they are back; they stay away when it is left out.
    #[serde(default, rename = "for", deserialize_with = "text::optional_span")]
    pub lasts: Option<Duration>,
}

/// What an operator does at a time: one of the following.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// When.
    #[serde(deserialize_with = "text::span")]
    pub at: Duration,
    /// A role gets another weight.
    pub weight: Option<NewWeight>,
    /// A role gets another quota.
    pub quota: Option<NewQuota>,
    /// A rack is emptied, and used again later.
    pub drain: Option<Drain>,
    /// A rack goes down for a while, after a notice.
    pub maintenance: Option<Maintenance>,
}

/// Another quota for a role; none if only the role is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewQuota {
    /// Which role.
    pub role: String,
    /// What it is guaranteed.
    #[serde(default, deserialize_with = "text::parsed")]
    pub guarantees: Quantities,
    /// What it may have at most.
    #[serde(default, deserialize_with = "text::parsed")]
    pub limits: Quantities,
}

/// A rack goes down for a while: frameworks are asked to leave it before.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// Which rack, by the value of its attribute, such as `r3`.
    pub rack: String,
    /// How long before it goes down it is announced.
    #[serde(deserialize_with = "text::span")]
    pub notice: Duration,
    /// How long until its agents may come back.
    #[serde(rename = "for", deserialize_with = "text::span")]
    pub lasts: Duration,
}

/// A rack is emptied, and used again later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Which rack, by the value of its attribute, such as `r3`.
    pub rack: String,
    /// How long until its agents are used again.
    #[serde(rename = "for", deserialize_with = "text::span")]
    pub lasts: Duration,
}

/// Another weight for a role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWeight {
    /// Which role.
    pub role: String,
    /// The weight.
    #[serde(deserialize_with = "text::number")]
    pub weight: Quantity,
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

fn star() -> String {
    "*".to_owned()
}

impl Scenario {
    /// Reads a scenario; what is wrong is said with the line, or with the name of the table.
    pub fn parse(text: &str) -> Result<Self, InvalidScenario> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The same with that part of the agents and of the tasks, and of what is expected of them.
    pub fn scaled(mut self, scale: f64) -> Result<Self, InvalidScenario> {
        if !(scale > 0.0 && scale <= limits::MAX_SCALE) {
            return Err(InvalidScenario::Scale(scale));
        }
        let part = |count: u32| ((f64::from(count) * scale).round() as u32).max(1);
        for class in &mut self.agents {
            class.count = part(class.count);
            class.gap = class.gap.div_f64(scale);
        }
        for group in &mut self.frameworks {
            group.tasks = group.tasks.map(part);
        }
        self.expect = self.expect.scaled(scale);
        self.check()?;
        Ok(self)
    }

    /// The time between two samples.
    #[must_use]
    pub fn sample_interval(&self) -> Duration {
        self.sample.unwrap_or(self.duration / limits::SAMPLES)
    }

    /// The groups by name.
    pub(super) fn groups(&self) -> BTreeMap<&str, usize> {
        let names = self.frameworks.iter().map(|group| group.name.as_str());
        names.enumerate().map(|(at, name)| (name, at)).collect()
    }
}

/// The names that a pattern stands for.
pub(super) fn expand(pattern: &str, number: u32) -> String {
    pattern.replace("{n}", &number.to_string())
}
