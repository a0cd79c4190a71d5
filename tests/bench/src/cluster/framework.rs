//! A framework through the SDK that measures what it does.

use std::future::Future;

use tepui_sdk::{
    Driver, Event, Events, Options, Profile, Task, TaskBuilder,
    model::{Offer, TaskId, TaskState, TaskStatus},
};

/// A subscribed framework, and the end of its stream of events.
#[derive(Debug)]
pub(super) struct Framework {
    pub(super) driver: Driver,
    pub(super) events: Events,
}

/// What a benchmark's framework heard.
#[derive(Debug)]
pub(super) enum Heard {
    Offers(Vec<Offer>),
    Update(Box<TaskStatus>),
}

impl Framework {
    /// Subscribes in the default role. To be called within a runtime.
    pub(super) fn connect(master: &str) -> Result<Self, String> {
        let options = Options::new(master, Profile::new("bench")).map_err(text)?;
        let (driver, events) = tepui_sdk::connect(options);
        Ok(Self { driver, events })
    }

    /// The next offers or update.
    pub(super) async fn next(&mut self) -> Result<Heard, String> {
        loop {
            let event = self.events.next().await.ok_or("the session ended")?;
            match event.map_err(text)? {
                Event::Offers(offers) => return Ok(Heard::Offers(offers)),
                Event::Update(status) => return Ok(Heard::Update(Box::new(status))),
                Event::Disconnected(reason) => return Err(reason),
                _ => {}
            }
        }
    }

    /// The next offer, of a cluster with one agent.
    pub(super) async fn offer(&mut self) -> Result<Offer, String> {
        loop {
            if let Heard::Offers(mut offers) = self.next().await?
                && let Some(offer) = offers.pop()
            {
                return Ok(offer);
            }
        }
    }

    /// Waits until a task has come so far; it is an error if it ends another way.
    pub(super) async fn await_state(
        &mut self,
        task: &TaskId,
        wanted: TaskState,
    ) -> Result<(), String> {
        loop {
            match self.next().await? {
                Heard::Update(status) if status.task_id == *task && status.state == wanted => {
                    return Ok(());
                }
                Heard::Update(status) => expect_no_failure(&status)?,
                Heard::Offers(_) => {}
            }
        }
    }

    /// Leaves, and takes its tasks along.
    pub(super) async fn leave(mut self) {
        self.driver.teardown().await;
        while self.events.next().await.is_some() {}
    }
}

/// A small task that runs a program.
pub(super) fn task(id: String, command: &[&str]) -> Result<Task, String> {
    let task = TaskBuilder::new(id).cpus(0.1).memory(16.0);
    task.command(command.iter().copied()).build().map_err(text)
}

/// An error when a task ended and it was not its own doing.
pub(super) fn expect_no_failure(status: &TaskStatus) -> Result<(), String> {
    if !status.state.is_terminal() || status.state == TaskState::Finished {
        return Ok(());
    }
    let why = status.message.as_deref().unwrap_or("no reason was given");
    Err(format!("{} is {}: {why}", status.task_id, status.state))
}

/// Runs a framework to its end.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(text)?;
    runtime.block_on(work)
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
