//! At rest master, agents and frameworks know the same tasks, in the same places and states.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentId, FrameworkId, TaskId, TaskState};

use super::{Held, ensure};

/// Where a task is, and how far.
pub(super) type Place = (AgentId, TaskState);

/// The tasks that someone knows.
pub(crate) type View = BTreeMap<(FrameworkId, TaskId), Place>;

/// Two know the same.
pub(crate) fn equal(one: (&str, &View), other: (&str, &View)) -> Held {
    let ((one, left), (other, right)) = (one, other);
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| left.get(*key) != right.get(*key))
        .map(|key| {
            let (framework, task) = key;
            let (left, right) = (left.get(key), right.get(key));
            format!("task {task} of {framework}: {one}: {left:?}, {other}: {right:?}")
        })
        .collect();
    ensure(differing.is_empty(), || differing.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(tasks: &[(&str, &str, TaskState)]) -> View {
        let framework = FrameworkId::new("f").unwrap();
        let task = |(task, agent, state): &(&str, &str, TaskState)| {
            let key = (framework.clone(), TaskId::new(task).unwrap());
            (key, (AgentId::new(agent).unwrap(), *state))
        };
        tasks.iter().map(task).collect()
    }

    #[test]
    fn a_task_that_only_one_knows_is_noticed() {
        let both = view(&[("t", "a", TaskState::Running)]);
        equal(("one", &both), ("other", &both)).unwrap();
        let broken = equal(("one", &both), ("other", &View::new()))
            .unwrap_err()
            .to_string();
        assert!(
            broken.contains("task t of f") && broken.contains("other: None"),
            "{broken}"
        );
        assert!(equal(("one", &View::new()), ("other", &both)).is_err());
    }

    #[test]
    fn a_task_that_two_see_differently_is_noticed() {
        let running = view(&[("t", "a", TaskState::Running)]);
        let elsewhere = view(&[("t", "b", TaskState::Running)]);
        let killing = view(&[("t", "a", TaskState::Killing)]);
        assert!(equal(("one", &running), ("other", &elsewhere)).is_err());
        assert!(equal(("one", &running), ("other", &killing)).is_err());
    }
}
