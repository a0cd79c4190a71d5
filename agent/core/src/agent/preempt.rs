//! Ending a task because it gives way to another of a higher priority (Mesos: REV-03).

use core::time::Duration;

use tepui_model::{Reason, TaskState, Time};

use super::Agent;
use crate::{
    Effects, TaskKey,
    outcome::Outcome,
    task::{KillCause, Task},
};

impl Agent {
    /// Kills a task as its own policy says. One that is being killed already ends as it would have.
    pub(super) fn preempt(
        &mut self,
        now: Time,
        key: &TaskKey,
        why: String,
        grace: Option<Duration>,
        fx: &mut Effects,
    ) {
        if let Some(task) = self.tasks.get_mut(key).filter(|task| task.kill.is_none()) {
            task.preempted = Some(why.into_boxed_str());
        }
        self.kill(now, key, KillCause::Preempted, grace, fx);
    }

    /// What a framework is told of a task that gave way: it is gone, however its command ended, so
    /// that another is started in its place.
    pub(super) fn as_preempted(&self, key: &TaskKey, task: &Task, mut outcome: Outcome) -> Outcome {
        let cause = task.kill.map(|order| order.cause);
        if cause != Some(KillCause::Preempted) {
            return outcome;
        }
        let why = task.preempted.as_deref().unwrap_or_default();
        outcome.state = match outcome.state {
            TaskState::Killing => TaskState::Killing,
            TaskState::Killed | TaskState::Finished => {
                self.or_if_aware(key, TaskState::Lost, TaskState::Gone)
            }
            _ => return outcome,
        };
        outcome.reason = Some(Reason::ContainerPreempted);
        outcome.message = match outcome.message.as_str() {
            "" => why.to_owned(),
            end => format!("{why}: {end}"),
        };
        outcome
    }
}
