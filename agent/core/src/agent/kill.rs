//! Ending tasks: SIGTERM, a grace period, SIGKILL (Mesos: KIL-01).

use core::time::Duration;

use tepui_model::{Capability, ContainerId, FrameworkId, TaskState, Time};

use super::Agent;
use crate::{
    Effect, Effects, EndCause, Note, Phase, TaskKey, limits,
    outcome::Outcome,
    record,
    task::{KillCause, KillOrder},
    timers::Timer,
};

impl Agent {
    /// Gives the order to end a task. A later order may change the grace period, which counts from
    /// the first one.
    pub(super) fn kill(
        &mut self,
        now: Time,
        key: &TaskKey,
        cause: KillCause,
        grace: Option<Duration>,
        fx: &mut Effects,
    ) {
        let Some(task) = self.tasks.get_mut(key) else {
            return fx.note(Note::UnknownTask {
                task: key.clone(),
                wants: "kill",
            });
        };
        if !task.is_live() {
            return;
        }
        let asked = grace;
        let grace = grace
            .or(task.info.kill_grace)
            .unwrap_or(limits::DEFAULT_KILL_GRACE);
        let first = task.kill.is_none();
        let running = task.phase == Phase::Running;
        let order = task.kill.get_or_insert(KillOrder {
            cause,
            since: now,
            grace,
        });
        order.grace = grace;
        order.cause = order.cause.then(cause);
        let deadline = order.deadline();
        if task.is_run_by_executor() {
            return self.kill_in_executor(now, key, asked, fx);
        }
        let waits = task.container.clone().filter(|_| first && !running);
        self.end_checks(key);
        if !running {
            // The container is killed as soon as it is there; nobody waits for its image.
            if let Some(container) = waits {
                fx.push(Effect::Abandon { container });
            }
            self.checkpoint(key, fx);
            return self.kill_rest(now, key, fx);
        }
        if !first {
            self.timers.set(Timer::Kill(key.clone()), deadline);
            return self.checkpoint(key, fx);
        }
        if cause.is_told() && self.hears_of_killing(key) {
            self.update(now, key, Outcome::by_executor(TaskState::Killing, ""), fx);
        } else {
            self.checkpoint(key, fx);
        }
        self.pursue_kill(now, key, fx);
        self.kill_rest(now, key, fx);
    }

    /// Sends the SIGTERM of a kill order, or the SIGKILL if there is no time left.
    pub(super) fn pursue_kill(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        let (Some(order), Some(container)) = (task.kill, task.container.clone()) else {
            return;
        };
        if order.deadline() <= now {
            return self.kill_now(now, key.clone(), fx);
        }
        self.timers.set(Timer::Kill(key.clone()), order.deadline());
        fx.push(Effect::Terminate { container });
    }

    /// Sends SIGKILL, and again if that ends nothing. A task of an executor takes that along.
    pub(super) fn kill_now(&mut self, now: Time, key: TaskKey, fx: &mut Effects) {
        if let Some(executor) = self.executor_of(&key) {
            return self.shut_down(now, &executor, EndCause::Shutdown, fx);
        }
        let Some(container) = self.tasks.get(&key).and_then(|task| task.container.clone()) else {
            return;
        };
        fx.push(Effect::Kill { container });
        self.timers.set(Timer::Kill(key), now + limits::KILL_AGAIN);
    }

    /// Kills a container that belongs to no task, and again if that ends nothing.
    pub(super) fn kill_orphan(&mut self, now: Time, container: ContainerId, fx: &mut Effects) {
        fx.push(Effect::Kill {
            container: container.clone(),
        });
        self.timers
            .set(Timer::Orphan(container), now + limits::KILL_AGAIN);
    }

    /// Ends every task of a framework that is gone. Nobody acknowledges their updates.
    pub(super) fn shutdown_framework(&mut self, now: Time, id: &FrameworkId, fx: &mut Effects) {
        self.forget_operations(Some(id), fx);
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        framework.terminating = true;
        fx.push(Effect::Persist(record::put_framework(
            id,
            &framework.info,
            true,
        )));
        for key in self.keys() {
            if key.framework == *id {
                self.silence(now, &key, fx);
            }
        }
        self.shut_down_all(now, Some(id), fx);
    }

    /// Ends a task whose updates nobody acknowledges.
    pub(super) fn silence(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        task.silent = true;
        task.updates.clear();
        self.timers.cancel(&Timer::Retry(key.clone()));
        if task.is_live() {
            self.kill(now, key, KillCause::Shutdown, None, fx);
        } else {
            self.finish(key, fx);
        }
    }

    fn hears_of_killing(&self, key: &TaskKey) -> bool {
        let silent = self.tasks.get(key).is_none_or(|task| task.silent);
        let framework = self.frameworks.get(&key.framework);
        !silent
            && framework.is_some_and(|framework| {
                framework
                    .info
                    .capabilities
                    .has(Capability::TaskKillingState)
            })
    }
}
