//! Write an executor: the program that a framework brings to run its tasks in, several of them in
//! one container. The agent starts it for the first task, gives it tasks, tells it which to kill,
//! and passes on what framework and executor say to each other.
//!
//! Implement [`Executor`] and call [`execute`]. The session behind it subscribes, connects again
//! when the agent restarts, says again what the agent has not acknowledged, and ends when the agent
//! says so.

mod place;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use tepui_model::{StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus, Time};
use tepui_proto::v1::{self, executor::event};
use tokio::sync::mpsc;

pub use self::place::ExecutorPlace;
use self::session::{Said, Session};
use crate::{Error, Outcome, limits};

/// An executor: what it does when something happens. Callbacks run one at a time, in order; what
/// takes long belongs into a task of its own, with a clone of the driver.
#[async_trait]
pub trait Executor: Send {
    /// The agent took the executor in, for the first time or again after it was away.
    async fn subscribed(
        &mut self,
        _driver: &ExecutorDriver,
        _subscription: event::Subscribed,
    ) -> Outcome {
        Ok(())
    }

    /// The agent is away; the executor looks for it, for as long as its place allows.
    async fn disconnected(&mut self, _driver: &ExecutorDriver) -> Outcome {
        Ok(())
    }

    /// A task to run. The framework waits to hear that it does.
    async fn launch(&mut self, driver: &ExecutorDriver, task: TaskInfo) -> Outcome;

    /// Tasks to run together: when one fails, the others are to end. Each is launched by itself,
    /// unless the executor says otherwise.
    async fn launch_group(&mut self, driver: &ExecutorDriver, tasks: Vec<TaskInfo>) -> Outcome {
        for task in tasks {
            self.launch(driver, task).await?;
        }
        Ok(())
    }

    /// A task to end, within that time between a request and force if one is given. The framework
    /// waits to hear that it has ended.
    async fn kill(
        &mut self,
        driver: &ExecutorDriver,
        task: TaskId,
        grace: Option<Duration>,
    ) -> Outcome;

    /// The framework sent bytes.
    async fn message(&mut self, _driver: &ExecutorDriver, _data: Vec<u8>) -> Outcome {
        Ok(())
    }

    /// The agent wants the executor to end, with all its tasks. [`execute`] returns afterwards; the
    /// container is killed after a grace period.
    async fn shutdown(&mut self, _driver: &ExecutorDriver) -> Outcome {
        Ok(())
    }
}

/// What an executor says to its agent and its framework. A cheap clone.
#[derive(Clone, Debug)]
pub struct ExecutorDriver {
    said: mpsc::Sender<Said>,
}

impl ExecutorDriver {
    /// Tells a state of a task. It arrives at least once, also when the agent is away now.
    pub async fn update(&self, status: TaskStatus) {
        let mut status = status;
        status.uuid = Some(StatusUuid::from_bytes(random_uuid()));
        status.source = Some(v1::task_status::Source::Executor);
        status.timestamp.get_or_insert_with(now);
        // A session that is over takes nothing more.
        let _ = self.said.send(Said::Update(Box::new(status))).await;
    }

    /// Tells a state of a task and nothing else.
    pub async fn state(&self, task: &TaskId, state: TaskState) {
        self.update(TaskStatus::new(task.clone(), state)).await;
    }

    /// Sends bytes to the framework, if the agent is there. They may get lost.
    pub async fn message(&self, data: Vec<u8>) {
        let _ = self.said.send(Said::Message(data)).await;
    }

    /// Ends the executor by itself, once the agent has acknowledged what was said before.
    pub async fn stop(&self) {
        let _ = self.said.send(Said::Stop).await;
    }
}

/// Subscribes, and calls `executor` until the agent shuts it down, it stops, or it cannot go on.
///
/// # Errors
/// [`Error::Framework`] when a callback fails; [`Error::Unreachable`] when the agent stays away for
/// longer than the place allows; [`Error::Refused`] when it does not know this executor.
pub async fn execute(place: ExecutorPlace, executor: &mut impl Executor) -> Result<(), Error> {
    let (said, sayings) = mpsc::channel(limits::COMMANDS);
    let driver = ExecutorDriver { said };
    Session::new(place, sayings).run(&driver, executor).await
}

/// A random UUID (RFC 9562, version 4).
fn random_uuid() -> [u8; 16] {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_seconds(since.unwrap_or_default().as_secs_f64())
}
