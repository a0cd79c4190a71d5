//! What is always true of an agent, for tests and simulations.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{ContainerId, FrameworkId, TaskId, TaskState};

use crate::{
    Agent, ExecutorKey, Phase, TaskKey, executor::Executor, limits, task::Task, timers::Timer,
    updates::is_of_check,
};

/// A promise that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A framework's count of tasks is wrong.
    #[error("framework {framework} counts {counted} tasks and has {actual}")]
    Count {
        /// The framework.
        framework: FrameworkId,
        /// What it counts.
        counted: usize,
        /// How many there are.
        actual: usize,
    },
    /// The index of executors' tasks and the tasks disagree.
    #[error("the tasks of executor {0} are not indexed as they should be")]
    Members(ExecutorKey),
    /// The index of containers and the tasks disagree.
    #[error("container {0} is not indexed as it should be")]
    Container(ContainerId),
    /// A task's line of updates is not as it should be.
    #[error("the updates of task {task}: {what}")]
    Updates {
        /// The task.
        task: TaskKey,
        /// What is wrong.
        what: &'static str,
    },
    /// A timer is set for something that is not there, or not set for something that is.
    #[error("timer {0}")]
    Timer(String),
}

impl Agent {
    /// Checks everything that is always true between events.
    ///
    /// # Errors
    /// The first promise found broken.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_frameworks()?;
        self.check_containers()?;
        self.check_members()?;
        self.check_timers()?;
        for (key, task) in &self.tasks {
            check_updates(task)
                .and_then(|()| self.check_in_flight(key, task))
                .map_err(|what| Violation::Updates {
                    task: key.clone(),
                    what,
                })?;
        }
        Ok(())
    }

    fn check_frameworks(&self) -> Result<(), Violation> {
        let mut counts: BTreeMap<&FrameworkId, usize> = BTreeMap::new();
        for key in self.tasks.keys() {
            *counts.entry(&key.framework).or_default() += 1;
        }
        for (id, framework) in &self.frameworks {
            let actual = counts.get(id).copied().unwrap_or(0);
            let executors = self.executors.keys().filter(|key| key.framework == *id);
            let miscounts = executors.count() != framework.executors;
            if framework.tasks != actual || miscounts || framework.is_idle() {
                let counted = framework.tasks;
                return Err(Violation::Count {
                    framework: id.clone(),
                    counted,
                    actual,
                });
            }
        }
        let orphan = self
            .tasks
            .keys()
            .find(|key| !self.frameworks.contains_key(&key.framework));
        orphan.map_or(Ok(()), |key| {
            let framework = key.framework.clone();
            Err(Violation::Count {
                framework,
                counted: 0,
                actual: 1,
            })
        })
    }

    /// Exactly the tasks of executors are indexed by these.
    fn check_members(&self) -> Result<(), Violation> {
        let mut members: BTreeMap<ExecutorKey, BTreeSet<TaskId>> = BTreeMap::new();
        for (key, task) in &self.tasks {
            if let Some(executor) = &task.executor {
                let of = members.entry(ExecutorKey::of(key, executor)).or_default();
                of.insert(key.task.clone());
            }
        }
        if members == self.members {
            return Ok(());
        }
        let mut all = members.keys().chain(self.members.keys());
        let wrong = all.find(|key| members.get(*key) != self.members.get(*key));
        wrong.map_or(Ok(()), |key| Err(Violation::Members(key.clone())))
    }

    /// Exactly the containers of live tasks and of executors are indexed.
    fn check_containers(&self) -> Result<(), Violation> {
        let known = |(key, executor): (&ExecutorKey, &Executor)| {
            self.executor_containers.get(&executor.container) == Some(key)
        };
        let strays = self.executor_containers.iter();
        let mut strays = strays.filter(|(_, key)| !self.executors.contains_key(*key));
        if let Some((container, _)) = strays.next() {
            return Err(Violation::Container(container.clone()));
        }
        if let Some((_, executor)) = self.executors.iter().find(|pair| !known(*pair)) {
            return Err(Violation::Container(executor.container.clone()));
        }
        for (container, key) in &self.containers {
            let task = self.tasks.get(key);
            let owns = |task: &Task| task.is_live() && task.container.as_ref() == Some(container);
            if !task.is_some_and(owns) {
                return Err(Violation::Container(container.clone()));
            }
        }
        let live = self.guests.iter().filter(|(_, guest)| guest.is_live());
        let live: BTreeMap<_, _> = live
            .map(|(name, guest)| (guest.container.clone(), name.clone()))
            .collect();
        if live != self.guest_containers {
            let all = live.keys().chain(self.guest_containers.keys());
            let wrong = all
                .clone()
                .find(|id| live.get(*id) != self.guest_containers.get(*id));
            return wrong.map_or(Ok(()), |it| Err(Violation::Container(it.clone())));
        }
        let live = self.tasks.values().filter(|task| task.is_live());
        for container in live.filter_map(|task| task.container.as_ref()) {
            if !self.containers.contains_key(container) {
                return Err(Violation::Container(container.clone()));
            }
        }
        Ok(())
    }

    fn check_timers(&self) -> Result<(), Violation> {
        let stray = self.timers.iter().find(|timer| match timer {
            Timer::Silence => self.link_down_now(),
            Timer::Leave => false,
            Timer::Guest(name) => self.guests.get(name).is_none_or(|it| !it.is_live()),
            Timer::Orphan(container) => !self.orphans.contains(container),
            Timer::Retry(key) => !self
                .tasks
                .get(key)
                .is_some_and(|task| task.updates.in_flight()),
            Timer::Kill(key) => {
                let due = |task: &Task| task.phase == Phase::Running && task.kill.is_some();
                !self.tasks.get(key).is_some_and(due)
            }
            Timer::Check(key, index) => {
                let due = |task: &Task| {
                    task.phase == Phase::Running
                        && task.kill.is_none()
                        && *index < task.checks.len()
                };
                !self.tasks.get(key).is_some_and(due)
            }
            Timer::Operation(uuid) => !self
                .operations
                .get(uuid)
                .is_some_and(|operation| operation.retry.in_flight()),
            Timer::Registration(key) => {
                let awaited = |it: &Executor| it.stream.is_none() && it.ending.is_none();
                !self.executors.get(key).is_some_and(awaited)
            }
            Timer::Executor(key) => self.executors.get(key).is_none_or(|it| it.ending.is_none()),
            Timer::Completion(key) => !self.tasks.get(key).is_some_and(Task::is_live),
        });
        stray.map_or(Ok(()), |timer| {
            Err(Violation::Timer(format!("{timer:?} is set for nothing")))
        })
    }

    /// On a registered link the first update of every line is in flight, with a timer; on no other.
    fn check_in_flight(&self, key: &TaskKey, task: &Task) -> Result<(), &'static str> {
        let expected = self.is_registered() && !task.updates.is_empty();
        let timed = self.timers.is_set(&Timer::Retry(key.clone()));
        match (expected == task.updates.in_flight(), timed == expected) {
            (true, true) => Ok(()),
            (false, _) => {
                Err("the first one is in flight when it should not, or not when it should")
            }
            (_, false) => Err("the first one has no timer, or one for nothing"),
        }
    }
}

/// The line is short, leads from state to state, and is all there is of a task that has ended.
fn check_updates(task: &Task) -> Result<(), &'static str> {
    if task.updates.len() > limits::MAX_PENDING_UPDATES {
        return Err("more wait than a life can have");
    }
    if task.silent && !task.updates.is_empty() {
        return Err("some wait though nobody acknowledges them");
    }
    let mut last: Option<TaskState> = None;
    for status in task.updates.iter() {
        if status.uuid.is_none() {
            return Err("one has no name");
        }
        // What happens inside an executor is its own story, up to the end.
        let follows = |last: TaskState| match task.is_run_by_executor() {
            true => !last.is_terminal(),
            false => {
                let is_new = last != status.state || is_of_check(status);
                is_new && last.next(status.state).is_ok()
            }
        };
        if last.is_some_and(|last| !follows(last)) {
            return Err("they are out of order");
        }
        last = Some(status.state);
    }
    match (task.phase, last) {
        (Phase::Ended, None) => Err("none waits though the task has ended"),
        (Phase::Ended, Some(last)) if !last.is_terminal() => Err("the last is not terminal"),
        (Phase::Launching | Phase::Running, Some(last)) if last.is_terminal() => {
            Err("a task with a container has an end")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agent, agent::tests::running};

    /// What the check says of an agent with one running task after it was spoiled.
    fn found(spoil: impl FnOnce(&mut Agent, &TaskKey)) -> String {
        let (mut agent, key) = running();
        assert_eq!(agent.check(), Ok(()));
        spoil(&mut agent, &key);
        agent.check().unwrap_err().to_string()
    }

    #[test]
    fn every_planted_fault_is_found() {
        let text = found(|agent, key| {
            agent.frameworks.get_mut(&key.framework).unwrap().tasks = 2;
        });
        assert!(text.contains("counts 2 tasks and has 1"), "{text}");
        let text = found(|agent, _| agent.containers.clear());
        assert!(text.contains("is not indexed"), "{text}");
        let text = found(|agent, key| agent.tasks.get_mut(key).unwrap().phase = Phase::Ended);
        assert!(text.contains("is not indexed"), "{text}");
        let text = found(|agent, key| agent.tasks.get_mut(key).unwrap().updates.clear());
        assert!(text.contains("is set for nothing"), "{text}");
        let text = found(|agent, key| agent.timers.cancel(&Timer::Retry(key.clone())));
        assert!(text.contains("no timer"), "{text}");
        let text = found(|agent, key| agent.tasks.get_mut(key).unwrap().silent = true);
        assert!(text.contains("nobody acknowledges"), "{text}");
        let text = found(|agent, key| {
            let task = agent.tasks.get_mut(key).unwrap();
            task.updates.push(task.latest.clone());
        });
        assert!(text.contains("out of order"), "{text}");
    }
}
