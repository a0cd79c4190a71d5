//! A task runs at most once, and no machine runs more than it has.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{ContainerId, Resources, TaskId, Traits};

use super::{Held, Violation, ensure};

/// One container that runs.
#[derive(Debug)]
struct Running {
    task: TaskId,
    resources: Resources,
}

/// Every container that runs, and every task that ever ran. Frameworks of a run never give the
/// same id to two tasks.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    machines: Vec<(Resources, BTreeMap<ContainerId, Running>)>,
    started: BTreeSet<TaskId>,
}

impl Containers {
    /// Adds a machine with so much to give.
    pub(crate) fn add_machine(&mut self, total: Resources) {
        self.machines.push((total, BTreeMap::new()));
    }

    /// A machine has so much to give from now on.
    pub(crate) fn resize(&mut self, machine: usize, total: Resources) {
        self.machines[machine].0 = total;
    }

    /// A program begins to run.
    pub(crate) fn starts(
        &mut self,
        machine: usize,
        container: &ContainerId,
        task: &TaskId,
        resources: &Resources,
    ) -> Held {
        let is_first = self.started.insert(task.clone());
        ensure(is_first, || format!("task {task} is started twice"))?;
        let (total, running) = &mut self.machines[machine];
        let before = running.insert(
            container.clone(),
            Running {
                task: task.clone(),
                resources: resources.clone(),
            },
        );
        ensure(before.is_none(), || {
            format!("container {container} is started twice")
        })?;
        let mut left = plain(total);
        for Running { task, resources } in running.values() {
            left.subtract(&plain(resources)).map_err(|lack| {
                Violation(format!(
                    "machine {machine} has not enough for task {task}: {lack}"
                ))
            })?;
        }
        Ok(())
    }

    /// A program has ended.
    pub(crate) fn ends(&mut self, machine: usize, container: &ContainerId) {
        self.machines[machine].1.remove(container);
    }

    /// How many tasks have ever run.
    pub(crate) fn started(&self) -> usize {
        self.started.len()
    }

    /// The tasks whose programs run.
    pub(crate) fn running(&self) -> BTreeSet<TaskId> {
        let running = self
            .machines
            .iter()
            .flat_map(|(_, running)| running.values());
        running.map(|running| running.task.clone()).collect()
    }
}

/// The same amounts, whatever operations have made of them.
fn plain(resources: &Resources) -> Resources {
    resources.with_traits(|_| Traits::plain())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(containers: &mut Containers, machine: usize, name: &str, cpus: &str) -> Held {
        let container = ContainerId::new(format!("c-{name}-{machine}")).unwrap();
        let task = TaskId::new(name).unwrap();
        containers.starts(machine, &container, &task, &cpus.parse().unwrap())
    }

    fn two_machines() -> Containers {
        let mut containers = Containers::default();
        containers.add_machine("cpus:2;ports:[1-2]".parse().unwrap());
        containers.add_machine("cpus:2".parse().unwrap());
        containers
    }

    #[test]
    fn a_task_that_is_started_twice_is_noticed() {
        let mut containers = two_machines();
        start(&mut containers, 0, "t", "cpus:1").unwrap();
        assert!(
            start(&mut containers, 1, "t", "cpus:1").is_err(),
            "at once, elsewhere"
        );
        let mut containers = two_machines();
        start(&mut containers, 0, "t", "cpus:1").unwrap();
        containers.ends(0, &ContainerId::new("c-t-0").unwrap());
        assert!(
            start(&mut containers, 0, "t", "cpus:1").is_err(),
            "again, later"
        );
    }

    #[test]
    fn a_machine_that_runs_more_than_it_has_is_noticed() {
        let mut containers = two_machines();
        start(&mut containers, 0, "a", "cpus:1.5").unwrap();
        start(&mut containers, 1, "b", "cpus:1.5").unwrap();
        let broken = start(&mut containers, 0, "c", "cpus:1").unwrap_err();
        assert!(broken.to_string().contains("has not enough"), "{broken}");
    }

    #[test]
    fn a_port_that_two_tasks_hold_is_noticed() {
        let mut containers = two_machines();
        start(&mut containers, 0, "a", "ports:[1-1]").unwrap();
        assert!(start(&mut containers, 0, "b", "ports:[1-2]").is_err());
    }

    #[test]
    fn what_has_ended_takes_nothing() {
        let mut containers = two_machines();
        start(&mut containers, 0, "a", "cpus:2").unwrap();
        containers.ends(0, &ContainerId::new("c-a-0").unwrap());
        start(&mut containers, 0, "b", "cpus:2").unwrap();
        assert_eq!(containers.running().len(), 1);
    }
}
