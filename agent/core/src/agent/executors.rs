//! Executors: started for their first task, given tasks, told what to do, ended (Mesos: EXE-04).
//!
//! A task of an executor is *queued* (`Launching`) until its executor has subscribed and was given
//! it, then *launched* (`Running`) until the executor says that it has ended, or ends itself.

mod calls;
mod ending;
mod launch;
mod recover;

use tepui_model::{ContainerId, ExecutorId, Resources, Time};
use tepui_proto::v1::executor::{Event, event};

use super::Agent;
use crate::{
    Effect, Effects, ExecutorKey, StreamId, TaskKey, limits, record,
    task::{KillCause, Task},
    timers::Timer,
};

/// Why an executor cannot be spoken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownExecutor {
    /// No framework of that id has anything here.
    #[error("Framework cannot be found")]
    Framework,
    /// The framework has no such executor here.
    #[error("Executor cannot be found")]
    Executor,
    /// It is not subscribed.
    #[error("Executor is not subscribed")]
    NotSubscribed,
}

impl Agent {
    /// The container of an executor, if there is such an executor and, when it must be, it is
    /// subscribed.
    ///
    /// # Errors
    /// What is not there, in Mesos' words.
    pub fn find_executor(
        &self,
        key: &ExecutorKey,
        subscribed: bool,
    ) -> Result<&ContainerId, UnknownExecutor> {
        if !self.frameworks.contains_key(&key.framework) {
            return Err(UnknownExecutor::Framework);
        }
        let executor = self.executors.get(key).ok_or(UnknownExecutor::Executor)?;
        if subscribed && executor.stream.is_none() {
            return Err(UnknownExecutor::NotSubscribed);
        }
        Ok(&executor.container)
    }

    /// The keys of the live tasks of an executor.
    pub(super) fn tasks_of(&self, key: &ExecutorKey) -> Vec<TaskKey> {
        let members = self.members.get(key).into_iter().flatten();
        let members = members.map(|task| TaskKey::new(&key.framework, task));
        let is_live = |key: &TaskKey| self.tasks.get(key).is_some_and(Task::is_live);
        members.filter(is_live).collect()
    }

    /// What an executor and its live tasks take together.
    pub(crate) fn held_by(&self, key: &ExecutorKey) -> Resources {
        let own = self.executors.get(key).map(|it| it.resources.clone());
        let tasks = self.tasks_of(key);
        let tasks = tasks.iter().map(|task| &self.tasks[task].info.resources);
        own.into_iter().chain(tasks.cloned()).sum()
    }

    /// The executor that runs a task, if it is not its own.
    pub(super) fn executor_of(&self, key: &TaskKey) -> Option<ExecutorKey> {
        let task = self.tasks.get(key).filter(|task| !task.is_in_pod())?;
        let executor: &ExecutorId = task.executor.as_ref()?;
        Some(ExecutorKey::of(key, executor))
    }

    /// Says something to an executor, if it is subscribed.
    fn tell_executor(&self, key: &ExecutorKey, event: Event, fx: &mut Effects) {
        if let Some(stream) = self.executors.get(key).and_then(|it| it.stream) {
            tell(stream, event, fx);
        }
    }

    /// Passes words of its framework on. Who is not there does not hear them (Mesos: EXE-08).
    pub(super) fn pass_on(&self, key: &ExecutorKey, data: Vec<u8>, fx: &mut Effects) {
        let event = Event {
            r#type: Some(event::Type::Message.into()),
            message: Some(event::Message { data }),
            ..Event::default()
        };
        self.tell_executor(key, event, fx);
    }

    /// The executor's stream is over. It has a while to come back: it may be restarting, and if it
    /// cannot come back it ends itself after as long (Mesos: AGT-04).
    pub(super) fn executor_gone(&mut self, now: Time, stream: StreamId) {
        let mut executors = self.executors.iter_mut();
        let found = executors.find(|(_, executor)| executor.stream == Some(stream));
        let Some((key, executor)) = found else { return };
        executor.stream = None;
        if executor.ending.is_none() {
            let timer = Timer::Registration(key.clone());
            self.timers.set(timer, now + self.config.recovery_timeout);
        }
    }

    /// Gives a task of an executor the order to end. How it ends, the executor says.
    pub(super) fn kill_in_executor(
        &mut self,
        now: Time,
        key: &TaskKey,
        asked: Option<core::time::Duration>,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executor_of(key) else {
            return;
        };
        let Some((task, order)) = self.tasks.get(key).and_then(|it| Some((it, it.kill?))) else {
            return;
        };
        if task.phase == crate::Phase::Launching {
            let outcome = crate::outcome::of_launch_failure(task, "it was still queued");
            // One of a group is not launched without the others (Mesos: KIL-02).
            for member in self.queued_with(key) {
                self.ended(now, &member, outcome.clone(), fx);
            }
            return;
        }
        self.checkpoint(key, fx);
        if order.cause == KillCause::Shutdown {
            return self.shut_down(now, &executor, crate::EndCause::Shutdown, fx);
        }
        self.tell_executor(&executor, kill_event(key, asked), fx);
        // Whoever needs the room does not wait for a program that does not listen.
        if order.cause != KillCause::Asked {
            let timer = Timer::Kill(key.clone());
            let spare = self.shutdown_grace(&executor);
            self.timers.set(timer, order.deadline() + spare);
        }
    }

    /// What an executor gets between SHUTDOWN and SIGKILL.
    fn shutdown_grace(&self, key: &ExecutorKey) -> core::time::Duration {
        let own = self.executors.get(key).and_then(|it| it.grace());
        own.unwrap_or(self.config.executor_shutdown_grace_period)
    }

    /// Whether there is room for one more.
    fn has_room_for_executor(&self) -> bool {
        self.executors.len() < limits::MAX_EXECUTORS
    }

    /// Writes down how far an executor has come.
    fn checkpoint_executor(&self, key: &ExecutorKey, fx: &mut Effects) {
        if let Some(executor) = self.executors.get(key) {
            fx.push(Effect::Persist(record::put_executor(key, executor)));
        }
    }
}

fn tell(stream: StreamId, event: Event, fx: &mut Effects) {
    let event = Box::new(event);
    fx.push(Effect::Tell { stream, event });
}

fn kill_event(key: &TaskKey, grace: Option<core::time::Duration>) -> Event {
    let span = |grace: core::time::Duration| tepui_proto::v1::DurationInfo {
        nanoseconds: i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX),
    };
    Event {
        r#type: Some(event::Type::Kill.into()),
        kill: Some(event::Kill {
            task_id: (&key.task).into(),
            kill_policy: grace.map(|grace| tepui_proto::v1::KillPolicy {
                grace_period: Some(span(grace)),
            }),
        }),
        ..Event::default()
    }
}
