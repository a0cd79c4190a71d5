//! Ending executors: SHUTDOWN, a grace period, SIGKILL; and what their end means for their tasks
//! (Mesos: EXE-04, EXE-09, TSK-11).

use tepui_model::{FrameworkId, Reason, TaskState, Time};

use super::{super::Agent, calls::shutdown_event};
use crate::{
    AgentReport, Change, Effect, Effects, EndCause, ExecutorKey, Exit, ExitStatus, Kind, Phase,
    TaskKey, executor::Ending, limits, outcome::Outcome, task::KillCause, timers::Timer,
};

impl Agent {
    /// Gives the order to end an executor. The first one counts.
    pub(in crate::agent) fn shut_down(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        cause: EndCause,
        fx: &mut Effects,
    ) {
        if self.end_members(now, key, cause, fx) {
            return;
        }
        let grace = self.shutdown_grace(key);
        let Some(executor) = self.executors.get_mut(key) else {
            return;
        };
        if executor.ending.is_some() {
            return;
        }
        let listens = executor.stream.is_some();
        let deadline = if listens { now + grace } else { now };
        executor.ending = Some(Ending { cause, deadline });
        let starting = executor.phase == Phase::Launching;
        if starting {
            // Nobody waits for its image.
            let container = executor.container.clone();
            fx.push(Effect::Abandon { container });
        }
        self.timers.cancel(&Timer::Registration(key.clone()));
        self.checkpoint_executor(key, fx);
        if listens {
            self.tell_executor(key, shutdown_event(), fx);
            self.timers.set(Timer::Executor(key.clone()), deadline);
        } else if !starting {
            self.kill_executor(now, key.clone(), fx);
        }
        // One that is being started is killed as soon as it is there.
    }

    /// Every executor of a framework, or of all.
    pub(in crate::agent) fn shut_down_all(
        &mut self,
        now: Time,
        framework: Option<&FrameworkId>,
        fx: &mut Effects,
    ) {
        let keys = self.executors.keys();
        let of = |key: &&ExecutorKey| framework.is_none_or(|id| key.framework == *id);
        let keys: Vec<ExecutorKey> = keys.filter(of).cloned().collect();
        for key in keys {
            self.shut_down(now, &key, EndCause::Shutdown, fx);
        }
    }

    /// Sends SIGKILL, and again if that ends nothing.
    pub(in crate::agent) fn kill_executor(
        &mut self,
        now: Time,
        key: ExecutorKey,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executors.get(&key) else {
            return;
        };
        fx.push(Effect::Kill {
            container: executor.container.clone(),
        });
        self.timers
            .set(Timer::Executor(key), now + limits::KILL_AGAIN);
    }

    /// An executor has no container any more: its framework hears that first, and then of its
    /// tasks.
    pub(in crate::agent) fn executor_ended(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        exit: &Exit,
        failure: Option<(Reason, String)>,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executors.get_mut(key) else {
            return;
        };
        executor.phase = Phase::Ended;
        let stream = executor.stream.take();
        let idle = executor.ending.is_some_and(|it| it.cause == EndCause::Idle);
        // As Mesos' default executor, which exits when its last task has.
        let status = match executor.is_pod() && idle {
            true => 0,
            false => wait_status(exit.status),
        };
        self.report_absence(key, Some(status), fx);
        for task in self.tasks_of(key) {
            // What is inside of a pod has an end of its own, which is about to be told.
            if self.is_running_in_pod(&task) {
                continue;
            }
            let outcome = self.outcome_of_end(key, &task, exit, failure.as_ref());
            self.ended(now, &task, outcome, fx);
        }
        if let Some(stream) = stream {
            fx.push(Effect::EndStream { stream });
        }
        self.forget_executor(key, fx);
    }

    fn forget_executor(&mut self, key: &ExecutorKey, fx: &mut Effects) {
        let Some(executor) = self.executors.remove(key) else {
            return;
        };
        for timer in [Timer::Registration, Timer::Executor] {
            self.timers.cancel(&timer(key.clone()));
        }
        self.counts.executors_terminated += 1;
        let container = executor.container.clone();
        self.executor_containers.remove(&container);
        fx.push(Effect::Persist(Change::delete(Kind::Executor, key)));
        fx.push(Effect::Remove { container });
        self.history.executor(key.clone(), executor);
        if let Some(framework) = self.frameworks.get_mut(&key.framework) {
            framework.executors -= 1;
        }
        self.leave_framework(&key.framework, fx);
    }

    /// Tells the master that an executor takes nothing any more.
    pub(in crate::agent) fn report_absence(
        &self,
        key: &ExecutorKey,
        status: Option<i32>,
        fx: &mut Effects,
    ) {
        let Some(link) = self.registered_link() else {
            return;
        };
        let report = AgentReport::ExecutorExited {
            framework_id: key.framework.clone(),
            executor_id: key.executor.clone(),
            status,
        };
        fx.push(Effect::Send { link, report });
    }

    /// What the end of its executor means for a task.
    fn outcome_of_end(
        &self,
        key: &ExecutorKey,
        task_key: &TaskKey,
        exit: &Exit,
        failure: Option<&(Reason, String)>,
    ) -> Outcome {
        let (executor, task) = (&self.executors[key], &self.tasks[task_key]);
        if let Some(report) = &exit.limitation {
            return crate::outcome::beyond(report);
        }
        if let Some((reason, message)) = failure {
            return Outcome::by_agent(TaskState::Failed, *reason, message.clone());
        }
        if executor.rebooted && exit.status == ExitStatus::Unknown {
            return self.lost(task_key);
        }
        let terminated = Reason::ExecutorTerminated;
        let by_agent = |state, reason, message: &str| Outcome::by_agent(state, reason, message);
        let forced = task
            .kill
            .is_some_and(|order| order.cause != KillCause::Asked);
        match executor.ending.map(|ending| ending.cause) {
            Some(EndCause::NoRegistration) => {
                let reason = Reason::ExecutorRegistrationTimeout;
                let message = "The executor did not subscribe in time";
                by_agent(TaskState::Failed, reason, message)
            }
            Some(EndCause::NoReregistration) => {
                let reason = Reason::ExecutorReregistrationTimeout;
                let message = "The executor did not subscribe again in time";
                by_agent(TaskState::Failed, reason, message)
            }
            Some(EndCause::Shutdown) if forced => {
                by_agent(TaskState::Killed, terminated, "The executor was shut down")
            }
            Some(_) => {
                let state = self.or_if_aware(task_key, TaskState::Lost, TaskState::Gone);
                by_agent(state, terminated, "The executor was shut down")
            }
            None => {
                let message = format!("Executor terminated: {}", crate::outcome::words(exit));
                Outcome::by_agent(TaskState::Failed, terminated, message)
            }
        }
    }
}

/// An end as wait(2) has it, which is how Mesos tells it to frameworks; -1 when nobody saw it.
const fn wait_status(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Code(code) => (code & 0xff) << 8,
        ExitStatus::Signal(signal) => signal & 0x7f,
        ExitStatus::Unknown => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_mesos_does() {
        assert_eq!(wait_status(ExitStatus::Code(127)), 32512);
        assert_eq!(wait_status(ExitStatus::Signal(9)), 9);
        assert_eq!(wait_status(ExitStatus::Unknown), -1);
    }
}
