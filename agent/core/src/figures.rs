//! How many there are of everything, for metrics.

use std::collections::BTreeMap;

use tepui_model::{Resources, TaskState};

use crate::{Agent, Phase};

/// What has happened since the agent started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tasks that have ended, by state.
    pub(crate) ends: BTreeMap<TaskState, u64>,
    pub(crate) executors_terminated: u64,
    pub(crate) status_updates: u64,
    pub(crate) stray_updates: u64,
    pub(crate) framework_messages: u64,
    pub(crate) launch_errors: u64,
}

/// How many there are of everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Whether a master has taken the agent in.
    pub registered: bool,
    /// Frameworks that have tasks or executors here.
    pub frameworks: usize,
    /// Tasks that have not ended, by state.
    pub tasks: BTreeMap<TaskState, usize>,
    /// Tasks that have ended since the agent started, by state.
    pub ends: BTreeMap<TaskState, u64>,
    /// Executors that have not subscribed yet.
    pub executors_registering: usize,
    /// Executors that have.
    pub executors_running: usize,
    /// Executors that are being ended.
    pub executors_terminating: usize,
    /// Executors that have ended since the agent started.
    pub executors_terminated: u64,
    /// Updates of executors that were taken since the agent started.
    pub status_updates: u64,
    /// Updates of executors of tasks that are not here.
    pub stray_updates: u64,
    /// Messages between frameworks and executors.
    pub framework_messages: u64,
    /// Containers that could not be started since the agent started.
    pub launch_errors: u64,
    /// What the agent has.
    pub total: Resources,
    /// What tasks and executors use of it.
    pub used: Resources,
}

impl Agent {
    /// How many there are of everything.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut tasks = BTreeMap::new();
        for task in self.tasks.values().filter(|task| task.is_live()) {
            *tasks.entry(task.latest.state).or_default() += 1;
        }
        let mut figures = Figures {
            registered: self.is_registered(),
            frameworks: self.frameworks.len(),
            tasks,
            ends: self.counts.ends.clone(),
            executors_terminated: self.counts.executors_terminated,
            status_updates: self.counts.status_updates,
            stray_updates: self.counts.stray_updates,
            framework_messages: self.counts.framework_messages,
            launch_errors: self.counts.launch_errors,
            total: self.resources().clone(),
            used: self.used(),
            ..Figures::default()
        };
        for executor in self.executors.values() {
            let count = match (executor.ending, executor.phase, executor.subscribed) {
                (Some(_), ..) => &mut figures.executors_terminating,
                (None, Phase::Running, true) => &mut figures.executors_running,
                _ => &mut figures.executors_registering,
            };
            *count += 1;
        }
        figures
    }
}
