//! How many there are of everything, for metrics: counted in place, nothing is copied.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{FrameworkId, Kind, Quantity, Role, TaskState};

use crate::{
    Master,
    agents::{Agent, AgentState},
    frameworks::{Framework, FrameworkState},
};

/// How many there are of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Agents with a stream.
    pub agents_connected: usize,
    /// Agents whose stream is over.
    pub agents_disconnected: usize,
    /// Agents that are offered.
    pub agents_active: usize,
    /// Agents that were silent for too long.
    pub agents_unreachable: usize,
    /// Frameworks with a stream.
    pub frameworks_connected: usize,
    /// Frameworks without one that may come back.
    pub frameworks_disconnected: usize,
    /// Offers that stand.
    pub offers: usize,
    /// Tasks that have not ended, by state.
    pub tasks: BTreeMap<TaskState, usize>,
    /// Of each framework that is there or may come back.
    pub frameworks: Vec<FrameworkFigures>,
    /// What all agents have of each kind.
    pub total: Amounts,
    /// What tasks use of it.
    pub used: Amounts,
    /// What quotas are about, by role.
    pub quotas: Vec<QuotaFigures>,
    /// How often resources were allocated.
    pub allocation_runs: u64,
    /// Since the first event, in milliseconds.
    pub uptime_ms: u64,
}

/// How many there are of what belongs to one framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameworkFigures {
    /// Which framework.
    pub id: FrameworkId,
    /// As it calls itself.
    pub name: String,
    /// Whether it has a stream.
    pub connected: bool,
    /// Its tasks that have not ended, by state.
    pub tasks: BTreeMap<TaskState, usize>,
    /// Its roles, and whether it wants no offers in them.
    pub suppressed: Vec<(Role, bool)>,
}

/// An amount of each of the well-known kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Processors.
    pub cpus: Quantity,
    /// Memory in MB.
    pub mem: Quantity,
    /// Disk in MB.
    pub disk: Quantity,
    /// Graphics processors.
    pub gpus: Quantity,
}

/// One kind of resource in the quota of a role (Mesos: QUO-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaFigures {
    /// The role.
    pub role: Role,
    /// The kind.
    pub kind: Kind,
    /// What is guaranteed to it.
    pub guarantee: Quantity,
    /// The most that it may have, if there is a limit.
    pub limit: Option<Quantity>,
    /// What it is offered, has, or has reserved, with the roles below it.
    pub consumed: Quantity,
}

impl Amounts {
    fn add(&mut self, resources: &tepui_model::Resources) {
        self.cpus += resources.cpus();
        self.mem += resources.memory();
        self.disk += resources.disk();
        self.gpus += resources.gpus();
    }
}

impl Master {
    /// How many there are of everything.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            agents_unreachable: self.agents.unreachable.len(),
            offers: self.offers.iter().count(),
            allocation_runs: self.allocation_runs(),
            uptime_ms: self.started.map_or(0, |start| {
                u64::try_from(self.now.since(start).as_millis()).unwrap_or(u64::MAX)
            }),
            quotas: self.quota_figures(),
            ..Figures::default()
        };
        for agent in self.agents.iter() {
            self.count_agent(agent, &mut figures);
        }
        for framework in self.frameworks.iter() {
            match framework.state {
                FrameworkState::Connected => figures.frameworks_connected += 1,
                FrameworkState::Disconnected | FrameworkState::Recovered => {
                    figures.frameworks_disconnected += 1;
                }
                FrameworkState::Ending => {}
            }
            count_framework(framework, &mut figures);
        }
        figures
    }

    fn quota_figures(&self) -> Vec<QuotaFigures> {
        let mut figures = Vec::new();
        for (role, quota) in &self.quotas {
            let consumed = self.allocator.consumption(role);
            let limits = quota.limits.iter();
            let limits: BTreeMap<Kind, Quantity> =
                limits.map(|(kind, it)| (kind.clone(), it)).collect();
            let guaranteed = quota.guarantees.iter().map(|(kind, _)| kind);
            let kinds: BTreeSet<Kind> = limits.keys().cloned().chain(guaranteed).collect();
            figures.extend(kinds.into_iter().map(|kind| QuotaFigures {
                role: role.clone(),
                guarantee: quota.guarantees.get(&kind),
                limit: limits.get(&kind).copied(),
                consumed: consumed.get(&kind),
                kind,
            }));
        }
        figures
    }

    fn count_agent(&self, agent: &Agent, figures: &mut Figures) {
        if agent.state == AgentState::Connected {
            figures.agents_connected += 1;
            let deactivated = self.agents.deactivated.contains_key(&agent.id);
            figures.agents_active += usize::from(!deactivated);
        } else {
            figures.agents_disconnected += 1;
        }
        if let Some(total) = self.allocator.total(agent.key) {
            figures.total.add(total);
        }
    }
}

fn count_framework(framework: &Framework, figures: &mut Figures) {
    let mut own: BTreeMap<TaskState, usize> = BTreeMap::new();
    for task in framework.tasks.values().filter(|task| !task.is_over()) {
        *own.entry(task.state).or_default() += 1;
        figures.used.add(&task.resources);
    }
    let lost = framework.unreachable.iter().count();
    if lost > 0 {
        own.insert(TaskState::Unreachable, lost);
    }
    for (state, count) in &own {
        *figures.tasks.entry(*state).or_default() += count;
    }
    if framework.state == FrameworkState::Ending {
        return;
    }
    let roles = framework.info.roles.iter();
    let suppressed = roles.map(|role| (role.clone(), framework.suppressed.contains(role)));
    figures.frameworks.push(FrameworkFigures {
        id: framework.id.clone(),
        name: framework.info.wire.name.clone(),
        connected: framework.state == FrameworkState::Connected,
        tasks: own,
        suppressed: suppressed.collect(),
    });
}
