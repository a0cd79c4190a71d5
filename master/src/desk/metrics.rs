//! Metrics under Mesos' names, each with a value that is known; those that are not are left out.

mod quotas;
mod traffic;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tepui_edge::{History, metrics::machine};
use tepui_master_core::{Amounts, Figures};
use tepui_model::{FrameworkId, Quantity, TaskState};

use traffic::Traffic;

/// What was counted since the master started; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Tasks that have ended, by state.
    ends: Arc<[AtomicU64; ENDS.len()]>,
    /// What each framework called and heard.
    pub(crate) traffic: Traffic,
    /// How long flushes of the registry took, in milliseconds.
    pub(crate) stored: History,
    /// How long runs of the allocator took, in milliseconds.
    pub(crate) allocated: History,
}

/// The ends that Mesos counts.
const ENDS: [(TaskState, &str); 5] = [
    (TaskState::Error, "error"),
    (TaskState::Failed, "failed"),
    (TaskState::Finished, "finished"),
    (TaskState::Killed, "killed"),
    (TaskState::Lost, "lost"),
];

/// The states of tasks that have not ended.
const LIVES: [(TaskState, &str); 5] = [
    (TaskState::Killing, "killing"),
    (TaskState::Running, "running"),
    (TaskState::Staging, "staging"),
    (TaskState::Starting, "starting"),
    (TaskState::Unreachable, "unreachable"),
];

impl Tally {
    /// Counts a task that has come into this state.
    pub(crate) fn count(&self, framework: &FrameworkId, state: TaskState) {
        if let Some(index) = ENDS.iter().position(|(end, _)| *end == state) {
            self.ends[index].fetch_add(1, Ordering::Relaxed);
        }
        self.traffic.task(framework, state);
    }

    fn ends(&self) -> impl Iterator<Item = (String, f64)> {
        let value = |index: usize| self.ends[index].load(Ordering::Relaxed) as f64;
        let all = ENDS.iter().enumerate();
        all.map(move |(index, (_, name))| (format!("master/tasks_{name}"), value(index)))
    }
}

/// All of them, by name.
pub(crate) fn all(figures: &Figures, tally: &Tally) -> Vec<(String, f64)> {
    let count = |name: &str, count: usize| (format!("master/{name}"), count as f64);
    let agents = figures.agents_connected + figures.agents_disconnected;
    let inactive = agents - figures.agents_active;
    let mut metrics = vec![
        count("elected", 1),
        (
            "master/uptime_secs".to_owned(),
            figures.uptime_ms as f64 / 1000.0,
        ),
        count("slaves_active", figures.agents_active),
        count("slaves_connected", figures.agents_connected),
        count("slaves_disconnected", figures.agents_disconnected),
        count("slaves_inactive", inactive),
        count("slaves_unreachable", figures.agents_unreachable),
        count("frameworks_active", figures.frameworks_connected),
        count("frameworks_connected", figures.frameworks_connected),
        count("frameworks_disconnected", figures.frameworks_disconnected),
        count("frameworks_inactive", figures.frameworks_disconnected),
        count("outstanding_offers", figures.offers),
        (
            "allocator/mesos/allocation_runs".to_owned(),
            figures.allocation_runs as f64,
        ),
    ];
    for (state, name) in LIVES {
        let tasks = figures.tasks.get(&state).copied().unwrap_or_default();
        metrics.push(count(&format!("tasks_{name}"), tasks));
    }
    metrics.extend(tally.ends());
    for framework in &figures.frameworks {
        metrics.extend(tally.traffic.metrics(framework));
    }
    metrics.extend(resources(&figures.total, &figures.used));
    metrics.extend(machine());
    metrics.extend(tally.stored.metrics("registrar/state_store_ms"));
    metrics.extend(tally.allocated.metrics("allocator/mesos/allocation_run_ms"));
    metrics.extend(quotas::named(&figures.quotas));
    metrics.sort_by(|a, b| a.0.cmp(&b.0));
    metrics
}

fn resources(total: &Amounts, used: &Amounts) -> Vec<(String, f64)> {
    let kinds = [
        ("cpus", total.cpus, used.cpus),
        ("mem", total.mem, used.mem),
        ("disk", total.disk, used.disk),
        ("gpus", total.gpus, used.gpus),
    ];
    let metrics = |(name, total, used): (&str, Quantity, Quantity)| {
        let (total, used) = (total.as_f64(), used.as_f64());
        let part = if total > 0.0 { used / total } else { 0.0 };
        [
            (format!("master/{name}_total"), total),
            (format!("master/{name}_used"), used),
            (format!("master/{name}_percent"), part),
        ]
    };
    kinds.into_iter().flat_map(metrics).collect()
}

/// The same for Prometheus, whose names have no slashes, and which framework it is about in labels.
pub(crate) fn prometheus(metrics: &[(String, f64)]) -> String {
    let (mut text, metrics) = quotas::prometheus(metrics);
    let mut families: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in metrics {
        let (name, labels) = family(name);
        let lines = families.entry(name.clone()).or_default();
        *lines += &format!("{name}{labels} {value}\n");
    }
    for (name, lines) in families {
        let kind = if counts(&name) { "counter" } else { "gauge" };
        text += &format!("# TYPE {name} {kind}\n{lines}");
    }
    text
}

/// The name of a metric without what it is about, and that as labels.
fn family(name: &str) -> (String, String) {
    let about = name.strip_prefix("master/frameworks/").and_then(|rest| {
        let mut parts = rest.splitn(3, '/');
        Some((parts.next()?, parts.next()?, parts.next()?))
    });
    match about {
        // Encoded, neither has anything that a label would have to quote.
        Some((framework, id, rest)) => (
            format!("tepui_master_framework_{}", underscored(rest)),
            format!("{{name=\"{framework}\",id=\"{id}\"}}"),
        ),
        None => (format!("tepui_{}", underscored(name)), String::new()),
    }
}

fn underscored(name: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter,
        false => '_',
    };
    name.chars().map(letter).collect()
}

/// Whether a metric only grows.
fn counts(name: &str) -> bool {
    let ends = ENDS
        .iter()
        .any(|(_, end)| name == format!("tepui_master_tasks_{end}"));
    let rest = name.strip_prefix("tepui_master_framework_");
    let traffic = rest.is_some_and(|rest| {
        ["calls", "events", "operations", "offers", "tasks_terminal"]
            .iter()
            .any(|group| rest.starts_with(group))
    });
    ends || traffic || name.ends_with("_runs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_counted_and_other_states_are_not() {
        let tally = Tally::default();
        let framework = FrameworkId::new("f").unwrap();
        for state in [TaskState::Finished, TaskState::Finished, TaskState::Running] {
            tally.count(&framework, state);
        }
        let metrics = all(&Figures::default(), &tally);
        let value = |name: &str| metrics.iter().find(|it| it.0 == name).map(|it| it.1);
        assert_eq!(value("master/tasks_finished"), Some(2.0));
        assert_eq!(value("master/tasks_running"), Some(0.0));
        assert_eq!(value("master/cpus_percent"), Some(0.0));
        assert!(value("system/mem_total_bytes") > Some(0.0));
    }

    #[test]
    fn prometheus_reads_names_without_slashes() {
        let text = prometheus(&[("master/tasks_lost".to_owned(), 2.0)]);
        let expected = "# TYPE tepui_master_tasks_lost counter\ntepui_master_tasks_lost 2\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn prometheus_reads_of_which_framework_in_labels() {
        let metric = |id: &str, name: &str| (format!("master/frameworks/web/{id}/{name}"), 1.0);
        let metrics = [
            metric("a", "calls"),
            metric("a", "subscribed"),
            metric("b", "calls"),
        ];
        let expected = "# TYPE tepui_master_framework_calls counter\n\
                        tepui_master_framework_calls{name=\"web\",id=\"a\"} 1\n\
                        tepui_master_framework_calls{name=\"web\",id=\"b\"} 1\n\
                        # TYPE tepui_master_framework_subscribed gauge\n\
                        tepui_master_framework_subscribed{name=\"web\",id=\"a\"} 1\n";
        assert_eq!(prometheus(&metrics), expected);
    }
}
