//! The driver: its status, and the way to its session.

use std::sync::{Arc, OnceLock};

use tepui_sdk::{ExecutorDriver, ExecutorPlace, execute, model::TaskStatus, v1};
use tokio::{
    sync::{
        Notify,
        mpsc::{Receiver, channel},
    },
    time::timeout,
};

use super::forward::{Callback, Forward};
use crate::{
    lifecycle::{Lifecycle, Status},
    limits, runtime,
};

/// What comes of starting a driver.
pub(super) enum Started {
    /// Callbacks will come.
    Now(Receiver<Callback>),
    /// The executor is to hear this; the driver is aborted.
    Refused(String),
    /// It was started before.
    Before,
}

/// Why an update is not sent.
#[derive(Debug)]
pub(super) struct Unsent(pub(super) String);

/// See the module.
#[derive(Debug)]
pub(super) struct Driver {
    life: Arc<Lifecycle>,
    agent: Arc<OnceLock<ExecutorDriver>>,
    aborted: Arc<Notify>,
}

impl Driver {
    pub(super) fn new() -> Self {
        Self {
            life: Arc::new(Lifecycle::new()),
            agent: Arc::new(OnceLock::new()),
            aborted: Arc::new(Notify::new()),
        }
    }

    pub(super) fn status(&self) -> Status {
        self.life.status()
    }

    pub(super) fn is_running(&self) -> bool {
        self.life.is_running()
    }

    pub(super) fn start(&self) -> Started {
        if !self.life.start() {
            return Started::Before;
        }
        match self.begin() {
            Ok(callbacks) => Started::Now(callbacks),
            Err(text) => {
                self.life.abort();
                self.life.over();
                Started::Refused(text)
            }
        }
    }

    fn begin(&self) -> Result<Receiver<Callback>, String> {
        let place = ExecutorPlace::from_environment();
        let place = place.map_err(|error| format!("this is no executor of an agent's: {error}"))?;
        let runtime = runtime::handle()?;
        let (callbacks, received) = channel(limits::EXECUTOR_CALLBACKS);
        let driver = Arc::clone(&self.agent);
        let mut forward = Forward { callbacks, driver };
        let (life, aborted) = (Arc::clone(&self.life), Arc::clone(&self.aborted));
        runtime.spawn(async move {
            let ended = tokio::select! {
                ended = execute(place, &mut forward) => ended,
                () = aborted.notified() => Ok(()),
            };
            match ended {
                // The agent wants it to end, or it stopped by itself.
                Ok(()) => drop(life.stop()),
                Err(error) => drop(
                    forward
                        .callbacks
                        .try_send(Callback::Error(error.to_string())),
                ),
            }
            life.over();
        });
        Ok(received)
    }

    /// Ends the executor, once the agent has acknowledged what was said before; whoever joins
    /// waits for that.
    pub(super) fn stop(&self) -> Status {
        let (ran, answer) = self.life.stop();
        if ran {
            match self.agent.get() {
                Some(agent) => self.say(agent.stop()),
                None => self.aborted.notify_one(),
            }
        }
        answer
    }

    pub(super) fn abort(&self) -> Status {
        if self.life.abort() {
            self.aborted.notify_one();
        }
        self.status()
    }

    pub(super) fn join(&self) -> Status {
        self.life.join()
    }

    /// Sends an update.
    ///
    /// # Errors
    /// When an executor may not say so: it is to hear that, and the driver is aborted.
    pub(super) fn update(&self, status: v1::TaskStatus) -> Result<Status, Unsent> {
        if !self.is_running() {
            return Ok(self.status());
        }
        let refuse = |text: String| {
            self.abort();
            Unsent(text)
        };
        if status.state() == v1::TaskState::TaskStaging {
            let text = "Attempted to send TASK_STAGING status update";
            return Err(refuse(text.to_owned()));
        }
        let status = TaskStatus::try_from(status).map_err(|it| refuse(it.to_string()))?;
        if let Some(agent) = self.agent.get() {
            self.say(agent.update(status));
        } else {
            tracing::warn!("an update is dropped: the agent has not taken the executor in yet");
        }
        Ok(self.status())
    }

    /// Sends bytes to the framework.
    pub(super) fn message(&self, data: Vec<u8>) -> Status {
        if let Some(agent) = self.agent.get().filter(|_| self.is_running()) {
            self.say(agent.message(data));
        }
        self.status()
    }

    /// Hands something to the session. It takes it at once, unless it waits for the last callback
    /// to return while that says more than there is room for.
    fn say(&self, saying: impl Future<Output = ()>) {
        let Ok(runtime) = runtime::handle() else {
            return;
        };
        let said = runtime.block_on(async { timeout(limits::STOP_PATIENCE, saying).await });
        if said.is_err() {
            tracing::warn!("the agent's session takes nothing more: something is dropped");
        }
    }
}
