//! Checks of tasks: asked for when they are due, and acted upon.

use tepui_model::{ContainerId, Reason, TaskState, Time};

use super::Agent;
use crate::{
    Effect, Effects, Finding, Phase, ProbeOrder, TaskKey,
    checks::{self, Judgement},
    outcome::Outcome,
    task::{KillCause, Task},
    timers::Timer,
};

impl Agent {
    /// A task runs: its checks begin, or go on after a restart of the agent.
    pub(super) fn begin_checks(&mut self, now: Time, key: &TaskKey) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        // They were found good when the task was taken.
        let (Some(started), Ok(checks)) = (task.started, checks::checks(&task.info)) else {
            return;
        };
        task.checks = checks;
        let memories = std::mem::take(&mut task.memories);
        for (check, memory) in task.checks.iter_mut().zip(memories) {
            check.remember(memory);
        }
        for (index, check) in task.checks.iter().enumerate() {
            let at = check.first(started, now);
            self.timers.set(Timer::Check(key.clone(), index), at);
        }
    }

    /// A task ends: nothing is asked of it any more.
    pub(super) fn end_checks(&mut self, key: &TaskKey) {
        let count = self.tasks.get(key).map_or(0, |task| task.checks.len());
        for index in 0..count {
            self.timers.cancel(&Timer::Check(key.clone(), index));
        }
    }

    /// A check is due.
    pub(super) fn check_due(&mut self, key: TaskKey, index: usize, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(&key) else {
            return;
        };
        let container = task.container.clone();
        let check = task.checks.get_mut(index);
        let number = check.and_then(checks::Check::begin);
        if let (Some(container), Some(number)) = (container, number) {
            let check = &task.checks[index];
            fx.push(Effect::Probe(Box::new(ProbeOrder {
                container,
                check: index,
                number,
                probe: check.probe.clone(),
                timeout: check.timeout,
                task: key,
            })));
        }
    }

    /// Acts on what a check found.
    pub(super) fn probed(
        &mut self,
        now: Time,
        container: &ContainerId,
        (index, number): (usize, u64),
        finding: &Finding,
        fx: &mut Effects,
    ) {
        let Some(key) = self.containers.get(container).cloned() else {
            return;
        };
        let task = self.tasks.get_mut(&key);
        // Of one that is being ended, nobody wants to know.
        let running = |task: &&mut Task| task.phase == Phase::Running && task.kill.is_none();
        let Some(task) = task.filter(running) else {
            return;
        };
        let started = task.started.unwrap_or(now);
        let check = task.checks.get_mut(index);
        let found = check.and_then(|check| check.found(now, started, number, finding));
        let Some((judgement, next)) = found else {
            return;
        };
        let well = is_well(task);
        self.timers.set(Timer::Check(key.clone(), index), next);
        match judgement {
            Judgement::Nothing => {}
            Judgement::Tell => self.update(now, &key, of_check(), fx),
            // Of several checks, all must be well.
            Judgement::Healthy if well != Some(true) => {}
            Judgement::Healthy => self.update(now, &key, of_health(String::new()), fx),
            Judgement::Unhealthy { why, kill } => {
                let message = format!("Health check failed: {why}");
                self.update(now, &key, of_health(message), fx);
                if kill {
                    self.kill(now, &key, KillCause::Unhealthy, None, fx);
                }
            }
        }
    }
}

fn of_check() -> Outcome {
    let state = Outcome::by_executor(TaskState::Running, "");
    state.because(Reason::TaskCheckStatusUpdated)
}

fn of_health(message: String) -> Outcome {
    let state = Outcome::by_executor(TaskState::Running, message);
    state.because(Reason::TaskHealthCheckStatusUpdated)
}

/// Whether a task is well: all its health checks say so, or any does not. `None` before they said.
pub(crate) fn is_well(task: &Task) -> Option<bool> {
    let mut health = task.checks.iter().filter(|check| check.is_health());
    let said: Option<Vec<bool>> = health.clone().map(checks::Check::is_well).collect();
    if health.any(|check| check.is_well() == Some(false)) {
        return Some(false);
    }
    said.filter(|said| !said.is_empty()).map(|_| true)
}
