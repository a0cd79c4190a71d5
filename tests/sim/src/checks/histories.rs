//! What is said of a task goes forward only: terminal is final, but for what may return.

use std::collections::BTreeMap;

use tepui_model::{TaskId, TaskState};

use super::{Held, Violation};

/// The last word on every task, and how often each state was told.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    last: BTreeMap<TaskId, TaskState>,
    counts: BTreeMap<TaskState, u64>,
}

impl Histories {
    /// A task is said to be in a state.
    pub(crate) fn tell(&mut self, task: &TaskId, state: TaskState) -> Held {
        *self.counts.entry(state).or_default() += 1;
        if let Some(last) = self.last.insert(task.clone(), state) {
            last.next(state)
                .map_err(|step| Violation(format!("task {task}: {step}")))?;
        }
        Ok(())
    }

    /// An answer to a framework that asked. That nobody knows the task is no news of it. And the
    /// question may have crossed the news of its end; then the answer must not be that it lives.
    pub(crate) fn answer(&mut self, task: &TaskId, state: TaskState) -> Held {
        let is_over = self.last.get(task).is_some_and(|last| last.is_terminal());
        if state == TaskState::Unknown || (is_over && !state.is_active()) {
            *self.counts.entry(state).or_default() += 1;
            return Ok(());
        }
        self.tell(task, state)
    }

    /// How often each state was told.
    pub(crate) const fn counts(&self) -> &BTreeMap<TaskState, u64> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use TaskState::{Failed, Finished, Killing, Lost, Running, Staging, Unreachable};

    use super::*;

    fn told(states: &[TaskState]) -> Held {
        let task = TaskId::new("t").unwrap();
        let mut histories = Histories::default();
        states
            .iter()
            .try_for_each(|state| histories.tell(&task, *state))
    }

    #[test]
    fn a_life_goes_forward_and_may_repeat_itself() {
        told(&[Staging, Running, Running, Killing, Failed, Failed]).unwrap();
    }

    #[test]
    fn what_was_out_of_reach_may_return() {
        told(&[Running, Unreachable, Running, Finished]).unwrap();
        told(&[Running, Lost, Running, Finished]).unwrap();
    }

    #[test]
    fn a_second_end_is_noticed() {
        assert!(told(&[Running, Finished, Failed]).is_err());
        assert!(told(&[Finished, Running]).is_err());
        assert!(told(&[Finished, Unreachable]).is_err());
    }

    #[test]
    fn an_answer_may_come_late_but_not_bring_back_the_dead() {
        let task = TaskId::new("t").unwrap();
        let mut histories = Histories::default();
        histories.tell(&task, Running).unwrap();
        histories.answer(&task, TaskState::Unknown).unwrap();
        histories.answer(&task, Running).unwrap();
        histories.tell(&task, TaskState::Dropped).unwrap();
        histories.answer(&task, TaskState::Gone).unwrap();
        assert!(histories.answer(&task, Running).is_err());
    }

    #[test]
    fn a_step_back_is_noticed() {
        assert!(told(&[Killing, Running]).is_err());
        assert!(told(&[Running, Staging]).is_err());
    }
}
