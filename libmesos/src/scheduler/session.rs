//! The session: keeps a framework subscribed, on the library's own runtime.
//!
//! It reads from the master only while there is room for a callback, and obeys always, so that a
//! scheduler that talks within a callback cannot wait for itself.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tepui_sdk::{
    Error, Masters,
    v1::scheduler::Call,
    wire::{Backoff, Link, Occurrence},
};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::{Instant, sleep_until},
};

use super::core::{Callback, Command, Core, Effect};
use crate::{lifecycle::Lifecycle, limits};

/// What the session turns to next.
enum Turn {
    Command(Command),
    Link(Occurrence),
    /// There is room for a callback again.
    Room,
    /// The master has not answered that it heard the last call.
    Impatient,
    /// The driver is gone.
    NobodyTalks,
}

/// Nothing follows.
struct Ended;

pub(super) struct Session {
    core: Core,
    masters: Masters,
    attempts: usize,
    backoff: Backoff,
    link: Link,
    commands: Receiver<Command>,
    callbacks: Sender<Callback>,
    /// Callbacks that found no room.
    outbox: VecDeque<Callback>,
    /// When a session that ends waits no longer.
    deadline: Instant,
}

impl Session {
    pub(super) fn new(
        core: Core,
        masters: Masters,
        commands: Receiver<Command>,
        callbacks: Sender<Callback>,
    ) -> Self {
        let now = Instant::now();
        Self {
            core,
            masters,
            attempts: 0,
            backoff: Backoff::new(limits::FIRST_BACKOFF, limits::LONGEST_BACKOFF),
            link: Link::Waiting(now),
            commands,
            callbacks,
            outbox: VecDeque::new(),
            deadline: now,
        }
    }

    /// Until the driver ends it, or the master does.
    pub(super) async fn run(mut self, life: Arc<Lifecycle>) {
        while self.step().await.is_ok() {}
        self.commands.close();
        // The connection is closed before anybody is told that it is.
        drop(self.link);
        life.over();
        for callback in self.outbox {
            if self.callbacks.send(callback).await.is_err() {
                break;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        while let Ok(permit) = self.callbacks.try_reserve() {
            match self.outbox.pop_front() {
                Some(callback) => permit.send(callback),
                None => break,
            }
        }
        match self.turn().await {
            Turn::Command(command) => {
                let effects = self.core.obey(command, now());
                self.carry_out(effects).await
            }
            Turn::Link(occurrence) => self.occurred(occurrence).await,
            Turn::Room => Ok(()),
            Turn::Impatient | Turn::NobodyTalks => Err(Ended),
        }
    }

    /// Waits for whatever comes first. Nothing is lost when it does not come first.
    async fn turn(&mut self) -> Turn {
        let ending = self.core.is_ending();
        // Nothing is told any more to whoever has stopped.
        let has_room = ending || self.outbox.is_empty() && self.callbacks.capacity() > 0;
        tokio::select! {
            command = self.commands.recv() => command.map_or(Turn::NobodyTalks, Turn::Command),
            occurrence = self.link.next(), if has_room => Turn::Link(occurrence),
            // The thread that calls back ends after the session alone.
            _ = self.callbacks.reserve(), if !has_room => Turn::Room,
            () = sleep_until(self.deadline), if ending => Turn::Impatient,
        }
    }

    async fn occurred(&mut self, occurrence: Occurrence) -> Result<(), Ended> {
        match occurrence {
            Occurrence::RetryDue => {
                let addresses = self.masters.addresses();
                let address = addresses[self.attempts % addresses.len()].clone();
                self.attempts += 1;
                self.link = Link::open(address, self.core.subscribe());
                Ok(())
            }
            Occurrence::Opened(connection) => {
                self.link = Link::Up(connection);
                Ok(())
            }
            Occurrence::Event(event) => {
                let effects = self.core.hear(*event);
                self.carry_out(effects).await
            }
            Occurrence::Lost(error) | Occurrence::Closed(error) => self.lost(&error),
        }
    }

    fn lost(&mut self, error: &Error) -> Result<(), Ended> {
        let refused = !self.core.is_connected() && !error.is_temporary();
        let effects = if refused {
            self.core.failed(error.to_string())
        } else {
            self.core.lost()
        };
        let pause = self.backoff.pause();
        if !self.core.is_ending() {
            tracing::info!(%error, ?pause, "not connected to a master");
        }
        self.link = Link::Waiting(Instant::now() + pause);
        self.note(effects).map(drop)
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Ended> {
        for call in self.note(effects)? {
            if let Err(error) = self.link.send(call).await {
                self.lost(&error)?;
            }
        }
        Ok(())
    }

    /// Does what needs no waiting; the calls that are left to send.
    fn note(&mut self, effects: Vec<Effect>) -> Result<Vec<Call>, Ended> {
        let mut calls = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send(call) => calls.push(*call),
                Effect::Tell(_) if self.outbox.len() >= limits::LOST_UPDATES => {
                    tracing::error!("too many tasks are lost at once: reconcile to hear of all");
                }
                Effect::Tell(callback) => self.outbox.push_back(callback),
                Effect::ExpectHeartbeats(seconds) => self.subscribed(seconds),
                Effect::End => return Err(Ended),
            }
        }
        if self.core.is_ending() {
            self.deadline = self.deadline.max(Instant::now() + limits::STOP_PATIENCE);
        }
        Ok(calls)
    }

    fn subscribed(&mut self, heartbeat: f64) {
        self.backoff.reset();
        // The next loss is answered by the same master first: it is the one that works.
        self.attempts = self.attempts.saturating_sub(1);
        let heartbeat = Duration::try_from_secs_f64(heartbeat).unwrap_or_default();
        if !heartbeat.is_zero() {
            self.link.expect_heartbeats(heartbeat);
        }
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
