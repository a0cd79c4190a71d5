//! What the master remembers of the past stays within what it was told to remember.

use std::collections::BTreeMap;

use tepui_master_core::Config;
use tepui_proto::v1::{
    self,
    master::response::{GetFrameworks, GetTasks},
};

use super::{Held, ensure};

/// Nothing is remembered beyond its limit.
pub(crate) fn kept_within(config: &Config, frameworks: &GetFrameworks, tasks: &GetTasks) -> Held {
    let ended = frameworks.completed_frameworks.len();
    ensure(ended <= config.max_completed_frameworks, || {
        format!("{ended} ended frameworks are remembered")
    })?;
    let most = config.max_completed_tasks_per_framework;
    each_within("ended", &tasks.completed_tasks, most)?;
    let most = config.max_unreachable_tasks_per_framework;
    each_within("unreachable", &tasks.unreachable_tasks, most)
}

fn each_within(kind: &str, tasks: &[v1::Task], most: usize) -> Held {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for task in tasks {
        *counts.entry(&task.framework_id.value).or_default() += 1;
    }
    let largest = counts.into_iter().max_by_key(|(_, count)| *count);
    let (framework, count) = largest.unwrap_or_default();
    ensure(count <= most, || {
        format!("{count} {kind} tasks of {framework} are remembered, {most} at most should be")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            max_completed_frameworks: 1,
            max_completed_tasks_per_framework: 2,
            max_unreachable_tasks_per_framework: 1,
            ..Config::new(v1::MasterInfo::default())
        }
    }

    fn tasks(frameworks: &[&str]) -> Vec<v1::Task> {
        let task = |framework: &&str| v1::Task {
            framework_id: v1::FrameworkId {
                value: (*framework).to_owned(),
            },
            ..v1::Task::default()
        };
        frameworks.iter().map(task).collect()
    }

    fn judge(frameworks: usize, ended: &[&str], unreachable: &[&str]) -> Held {
        let frameworks = GetFrameworks {
            completed_frameworks: vec![Default::default(); frameworks],
            ..GetFrameworks::default()
        };
        let tasks = GetTasks {
            completed_tasks: tasks(ended),
            unreachable_tasks: tasks(unreachable),
            ..GetTasks::default()
        };
        kept_within(&config(), &frameworks, &tasks)
    }

    #[test]
    fn a_memory_that_grows_beyond_its_limit_is_noticed() {
        judge(1, &["f", "g", "f", "g"], &["f", "g"]).unwrap();
        assert!(judge(2, &[], &[]).is_err());
        assert!(judge(0, &["f", "g", "f", "f"], &[]).is_err());
        assert!(judge(0, &[], &["f", "f"]).is_err());
    }
}
