//! Ending every task because an operator drains the agent (Mesos: DRN-01, DRN-02).

use core::time::Duration;

use tepui_model::{Reason, TaskState, Time};

use super::Agent;
use crate::{
    Effects, TaskKey, limits,
    outcome::Outcome,
    task::{KillCause, Task},
};

impl Agent {
    /// Ends every task. What it means is in each kill order, so that it outlives this process; the
    /// master says it again to one that comes back.
    pub(super) fn drain(
        &mut self,
        now: Time,
        max_grace_period: Option<Duration>,
        mark_gone: bool,
        fx: &mut Effects,
    ) {
        self.draining = true;
        let cause = match mark_gone {
            true => KillCause::LastDrain,
            false => KillCause::Drain,
        };
        for (key, grace) in self.graces() {
            let grace = max_grace_period.map_or(grace, |most| grace.min(most));
            self.kill(now, &key, cause, Some(grace), fx);
        }
    }

    /// How long each live task would get between SIGTERM and SIGKILL.
    fn graces(&self) -> Vec<(TaskKey, Duration)> {
        let grace = |task: &Task| {
            let ordered = task.kill.map(|order| order.grace);
            let own = ordered.or(task.info.kill_grace);
            own.unwrap_or(limits::DEFAULT_KILL_GRACE)
        };
        let live = self.tasks.iter().filter(|(_, task)| task.is_live());
        live.map(|(key, task)| (key.clone(), grace(task))).collect()
    }

    /// What a framework is told of a task that a drain ends. Mesos tells the end of a task on an
    /// agent that will not come back as soon as the kill begins; here it is told when it happens,
    /// for until then the task holds its resources.
    pub(super) fn as_drained(&self, key: &TaskKey, task: &Task, mut outcome: Outcome) -> Outcome {
        let Some(order) = task.kill.filter(|order| order.cause.is_drain()) else {
            return outcome;
        };
        outcome.state = match outcome.state {
            TaskState::Killed if order.cause == KillCause::LastDrain => {
                self.or_if_aware(key, TaskState::Killed, TaskState::GoneByOperator)
            }
            state @ (TaskState::Killing | TaskState::Killed) => state,
            _ => return outcome,
        };
        outcome.reason = Some(Reason::AgentDraining);
        outcome
    }
}
