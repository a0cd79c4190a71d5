//! What a framework wants done, and what it knows of the tasks it launched for that. It survives
//! the framework's process, and is written down before anything is said that depends on it.

use core::time::Duration;
use std::collections::BTreeMap;

use tepui_model::{AgentId, Resources, Role, TaskId, TaskState, Time};

/// One thing to be done.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// What a task for it takes.
    pub(crate) resources: Resources,
    /// The same, of what is reserved to a role.
    pub(crate) reserved: BTreeMap<Role, Resources>,
    /// Whether it also wants a port.
    pub(crate) wants_port: bool,
    /// It is never done: a task is to run until the framework ends.
    pub(crate) is_service: bool,
    is_done: bool,
}

impl Item {
    pub(crate) const fn new(
        resources: Resources,
        reserved: BTreeMap<Role, Resources>,
        wants_port: bool,
        is_service: bool,
    ) -> Self {
        Self {
            resources,
            reserved,
            wants_port,
            is_service,
            is_done: false,
        }
    }
}

/// A task as its framework knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    item: usize,
    pub(super) agent: AgentId,
    pub(super) state: TaskState,
    /// When it was last heard of.
    pub(super) heard: Time,
    /// When it was last asked to end.
    pub(super) killed: Option<Time>,
}

impl Known {
    /// Whether somebody may still say something about it that matters.
    pub(super) const fn is_open(&self) -> bool {
        self.state.is_active() || matches!(self.state, TaskState::Unreachable)
    }
}

/// What a framework wants done, and its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    items: Vec<Item>,
    pub(super) tasks: BTreeMap<TaskId, Known>,
    /// How long it waits for an unreachable task before it launches another.
    patience: Duration,
    name: String,
    launched: u64,
    /// Nothing is wanted any more: what runs is to end.
    is_over: bool,
}

impl Work {
    pub(crate) const fn new(name: String, items: Vec<Item>, patience: Duration) -> Self {
        let tasks = BTreeMap::new();
        Self {
            items,
            tasks,
            patience,
            name,
            launched: 0,
            is_over: false,
        }
    }

    /// Wants nothing any more.
    pub(super) const fn end(&mut self) {
        self.is_over = true;
    }

    /// The master has removed the framework, and so all its tasks.
    pub(super) fn begin_anew(&mut self) {
        self.tasks.clear();
    }

    /// A new task for an item.
    pub(super) fn launch(&mut self, item: usize, agent: &AgentId, now: Time) -> TaskId {
        self.launched += 1;
        #[expect(clippy::unwrap_used, reason = "a short name and a number")]
        let id = TaskId::new(format!("{}-t{}", self.name, self.launched)).unwrap();
        let known = Known {
            item,
            agent: agent.clone(),
            state: TaskState::Staging,
            heard: now,
            killed: None,
        };
        self.tasks.insert(id.clone(), known);
        id
    }

    /// News of a task. Whether the framework knows it at all.
    pub(super) fn hear(&mut self, id: &TaskId, state: TaskState, now: Time) -> bool {
        let Some(known) = self.tasks.get_mut(id) else {
            return false;
        };
        known.heard = now;
        if !known.state.is_terminal() || known.state.may_return() {
            known.state = state;
        }
        let item = &mut self.items[known.item];
        item.is_done |= state == TaskState::Finished && !item.is_service;
        true
    }

    /// The items for which a task is to be launched.
    pub(super) fn needy(&self, now: Time) -> impl Iterator<Item = (usize, &Item)> {
        let waits = move |known: &Known| {
            let counts = match known.state {
                TaskState::Unreachable => now.since(known.heard) < self.patience,
                state => state.is_active(),
            };
            counts.then_some(known.item)
        };
        let items = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| !item.is_done && !self.is_over);
        items.filter(move |(index, _)| !self.tasks.values().any(|it| waits(it) == Some(*index)))
    }

    /// The tasks that are to end: their item is done, or has another task that came first.
    pub(super) fn redundant(&self) -> Vec<TaskId> {
        let mut first: BTreeMap<usize, &TaskId> = BTreeMap::new();
        let active = || {
            self.tasks
                .iter()
                .filter(|(_, known)| known.state.is_active())
        };
        for (id, known) in active() {
            first.entry(known.item).or_insert(id);
        }
        let ends = |(id, known): &(&TaskId, &Known)| {
            self.is_over || self.items[known.item].is_done || first.get(&known.item) != Some(id)
        };
        active().filter(ends).map(|(id, _)| id.clone()).collect()
    }

    /// The tasks that somebody may still say something about.
    pub(super) fn open(&self) -> impl Iterator<Item = (&TaskId, &Known)> {
        self.tasks.iter().filter(|(_, known)| known.is_open())
    }

    /// Whether every item is done, or a task runs for it, and no other task is left.
    pub(super) fn is_satisfied(&self) -> bool {
        let idle = |index: usize| !self.open().any(|(_, known)| known.item == index);
        let mut items = self.items.iter().enumerate();
        items.all(|(index, item)| match (item.is_service, item.is_done) {
            (true, _) => self.runs(index),
            (false, is_done) => is_done && idle(index),
        })
    }

    /// Whether exactly one task is left for an item, and runs.
    fn runs(&self, index: usize) -> bool {
        let mut tasks = self.open().filter(|(_, known)| known.item == index);
        let first = tasks.next();
        tasks.next().is_none() && first.is_some_and(|(_, it)| it.state == TaskState::Running)
    }

    /// Whether nothing is left of what was launched.
    pub(super) fn is_idle(&self) -> bool {
        self.open().next().is_none()
    }

    /// What is not as it should be, for who looks into a run.
    pub(super) fn describe(&self) -> String {
        let items = self.items.iter().enumerate();
        let undone = items
            .filter(|(index, item)| !item.is_done && !self.runs(*index))
            .count();
        let open: Vec<String> = self
            .open()
            .map(|(id, known)| format!("{id} {} on {}", known.state, known.agent))
            .collect();
        format!("{undone} items are undone; open: {}", open.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentId {
        AgentId::new("a").unwrap()
    }

    fn work(is_service: bool) -> Work {
        let item = Item::new(Resources::new(), BTreeMap::new(), false, is_service);
        Work::new("w".to_owned(), vec![item], Duration::from_secs(60))
    }

    fn needs(work: &Work, now: Time) -> bool {
        work.needy(now).next().is_some()
    }

    const NOW: Time = Time::ZERO;

    #[test]
    fn an_item_wants_a_task_until_one_has_finished() {
        let mut work = work(false);
        assert!(needs(&work, NOW) && !work.is_satisfied());
        let first = work.launch(0, &agent(), NOW);
        assert!(!needs(&work, NOW));
        work.hear(&first, TaskState::Failed, NOW);
        assert!(needs(&work, NOW) && !work.is_satisfied());
        let second = work.launch(0, &agent(), NOW);
        work.hear(&second, TaskState::Finished, NOW);
        assert!(!needs(&work, NOW) && work.is_satisfied());
    }

    #[test]
    fn an_unreachable_task_is_waited_for_and_then_replaced() {
        let mut work = work(true);
        let task = work.launch(0, &agent(), NOW);
        work.hear(&task, TaskState::Unreachable, NOW);
        assert!(!needs(&work, NOW + Duration::from_secs(59)));
        assert!(needs(&work, NOW + Duration::from_secs(60)));
        let other = work.launch(0, &agent(), NOW);
        work.hear(&task, TaskState::Running, NOW);
        assert_eq!(work.redundant(), [other], "it came later");
    }

    #[test]
    fn what_is_not_wanted_any_more_is_redundant() {
        let mut work = work(true);
        let task = work.launch(0, &agent(), NOW);
        work.hear(&task, TaskState::Running, NOW);
        assert!(work.is_satisfied() && work.redundant().is_empty());
        work.end();
        assert_eq!(work.redundant(), std::slice::from_ref(&task));
        work.hear(&task, TaskState::Killed, NOW);
        assert!(work.is_idle() && !needs(&work, NOW));
    }
}
