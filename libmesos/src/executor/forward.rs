//! What an agent says to an executor, on its way to the thread that calls back.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tepui_sdk::{
    Executor, ExecutorDriver, Outcome, async_trait,
    model::{TaskId, TaskInfo},
    v1::{self, executor::event},
};
use tokio::sync::{mpsc::Sender, oneshot};

/// What the executor is told, by the callbacks of Mesos' `Executor`.
#[derive(Debug)]
pub(super) enum Callback {
    Registered(Box<event::Subscribed>),
    Reregistered(Box<v1::AgentInfo>),
    Disconnected,
    Launch(Box<v1::TaskInfo>),
    Kill(v1::TaskId),
    Message(Vec<u8>),
    /// With somebody who waits for the callback to return.
    Shutdown(oneshot::Sender<()>),
    Error(String),
}

/// The executor as the SDK sees it. It never waits for a callback, but for the last.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) callbacks: Sender<Callback>,
    /// Set when the agent has taken the executor in.
    pub(super) driver: Arc<OnceLock<ExecutorDriver>>,
}

impl Forward {
    fn pass(&self, callback: Callback) -> Outcome {
        let full = "the executor does not keep up with what its agent says";
        self.callbacks.try_send(callback).map_err(|_| full.into())
    }
}

#[async_trait]
impl Executor for Forward {
    async fn subscribed(&mut self, driver: &ExecutorDriver, said: event::Subscribed) -> Outcome {
        let is_first = self.driver.set(driver.clone()).is_ok();
        self.pass(if is_first {
            Callback::Registered(Box::new(said))
        } else {
            Callback::Reregistered(Box::new(said.agent_info))
        })
    }

    async fn disconnected(&mut self, _: &ExecutorDriver) -> Outcome {
        self.pass(Callback::Disconnected)
    }

    async fn launch(&mut self, _: &ExecutorDriver, task: TaskInfo) -> Outcome {
        self.pass(Callback::Launch(Box::new((&task).into())))
    }

    async fn kill(&mut self, _: &ExecutorDriver, task: TaskId, _: Option<Duration>) -> Outcome {
        self.pass(Callback::Kill((&task).into()))
    }

    async fn message(&mut self, _: &ExecutorDriver, data: Vec<u8>) -> Outcome {
        self.pass(Callback::Message(data))
    }

    async fn shutdown(&mut self, _: &ExecutorDriver) -> Outcome {
        let (done, returned) = oneshot::channel();
        self.pass(Callback::Shutdown(done))?;
        // Dropped unsaid when the callback failed, which ends the executor as well.
        let _ = returned.await;
        Ok(())
    }
}
