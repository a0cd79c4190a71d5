//! Metrics under Mesos' names, each with a value that is known; those that are not are left out.

use std::time::Duration;

use tepui_agent_core::Figures;
use tepui_edge::metrics::machine;
use tepui_fetcher::Figures as Fetched;
use tepui_model::{Quantity, Resources, TaskState};

/// All of them, by name.
pub(super) fn all(figures: &Figures, fetched: &Fetched, uptime: Duration) -> Vec<(String, f64)> {
    let count = |name: &str, count: f64| (format!("slave/{name}"), count);
    let mut metrics = vec![
        count("uptime_secs", uptime.as_secs_f64()),
        count("registered", f64::from(u8::from(figures.registered))),
        count("frameworks_active", figures.frameworks as f64),
        count(
            "executors_registering",
            figures.executors_registering as f64,
        ),
        count("executors_running", figures.executors_running as f64),
        count(
            "executors_terminating",
            figures.executors_terminating as f64,
        ),
        count("executors_terminated", figures.executors_terminated as f64),
        count("container_launch_errors", figures.launch_errors as f64),
        count("valid_status_updates", figures.status_updates as f64),
        count("invalid_status_updates", figures.stray_updates as f64),
        count(
            "valid_framework_messages",
            figures.framework_messages as f64,
        ),
    ];
    let lives = [
        (TaskState::Staging, "staging"),
        (TaskState::Starting, "starting"),
        (TaskState::Running, "running"),
        (TaskState::Killing, "killing"),
    ];
    for (state, name) in lives {
        let tasks = figures.tasks.get(&state).copied().unwrap_or_default();
        metrics.push(count(&format!("tasks_{name}"), tasks as f64));
    }
    let ends = [
        (TaskState::Finished, "finished"),
        (TaskState::Failed, "failed"),
        (TaskState::Killed, "killed"),
        (TaskState::Lost, "lost"),
        (TaskState::Gone, "gone"),
    ];
    for (state, name) in ends {
        let tasks = figures.ends.get(&state).copied().unwrap_or_default();
        metrics.push(count(&format!("tasks_{name}"), tasks as f64));
    }
    let plain = |all: &Resources| all.filter(|traits| !traits.revocable);
    metrics.extend(resources("", &plain(&figures.total), &plain(&figures.used)));
    let (total, used) = (figures.total.revocable(), figures.used.revocable());
    metrics.extend(resources("_revocable", &total, &used));
    metrics.extend(fetches(fetched));
    metrics.extend(machine());
    metrics.sort_by(|one, other| one.0.cmp(&other.0));
    metrics
}

fn fetches(fetched: &Fetched) -> [(String, f64); 4] {
    let metric = |name: &str, count: u64| (format!("containerizer/fetcher/{name}"), count as f64);
    [
        metric("task_fetches_succeeded", fetched.succeeded),
        metric("task_fetches_failed", fetched.failed),
        metric("cache_size_total_bytes", fetched.cache_total),
        metric("cache_size_used_bytes", fetched.cache_used),
    ]
}

fn resources(kind: &str, total: &Resources, used: &Resources) -> Vec<(String, f64)> {
    let gpus = |of: &Resources| of.scalar(&tepui_model::Kind::Gpus);
    let kinds = [
        ("cpus", total.cpus(), used.cpus()),
        ("mem", total.memory(), used.memory()),
        ("disk", total.disk(), used.disk()),
        ("gpus", gpus(total), gpus(used)),
    ];
    let metrics = |(name, total, used): (&str, Quantity, Quantity)| {
        let (total, used) = (total.as_f64(), used.as_f64());
        let part = if total > 0.0 { used / total } else { 0.0 };
        [
            (format!("slave/{name}{kind}_total"), total),
            (format!("slave/{name}{kind}_used"), used),
            (format!("slave/{name}{kind}_percent"), part),
        ]
    };
    kinds.into_iter().flat_map(metrics).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_mesos_names_and_what_is_used_of_what_there_is() {
        let figures = Figures {
            registered: true,
            total: "cpus:4;mem:1024".parse().unwrap(),
            used: "cpus:1;mem:256".parse().unwrap(),
            tasks: [(TaskState::Running, 3)].into(),
            ends: [(TaskState::Failed, 2)].into(),
            ..Figures::default()
        };
        let fetched = Fetched {
            succeeded: 5,
            ..Fetched::default()
        };
        let metrics = all(&figures, &fetched, Duration::from_secs(7));
        let value = |name: &str| metrics.iter().find(|it| it.0 == name).map(|it| it.1);
        for (name, expected) in [
            ("slave/cpus_percent", 0.25),
            ("slave/mem_used", 256.0),
            ("slave/cpus_revocable_total", 0.0),
            ("slave/tasks_running", 3.0),
            ("slave/tasks_failed", 2.0),
            ("slave/registered", 1.0),
            ("slave/uptime_secs", 7.0),
            ("containerizer/fetcher/task_fetches_succeeded", 5.0),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
        assert!(value("system/mem_total_bytes") > Some(0.0));
    }
}
