//! The task that owns the core: it alone turns what happened into effects, in batches.

use std::fmt;

use tepui_agent_core::{Agent, ContainerName, Effect, Effects, Event, Phase, TaskKey};
use tepui_edge::Clock;
use tepui_model::Time;
use tepui_store::Batch;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::{checkpoints, limits};

/// Something that the core is asked.
type Ask = Box<dyn FnOnce(&mut Agent, Time, &mut Effects) + Send>;

/// What the rest of the server says to the core.
pub(crate) enum Input {
    /// Something happened.
    Event(Event),
    /// Somebody wants to look.
    Look(Box<dyn FnOnce(&Agent) + Send>),
    /// Somebody wants something of the core that it answers at once.
    Ask(Ask),
    /// Somebody wants to know when a container that a call has launched is further than this.
    AwaitGuest(ContainerName, Phase, oneshot::Sender<()>),
    /// Somebody wants to know when a task's container has ended.
    AwaitEnd(TaskKey, oneshot::Sender<()>),
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(formatter),
            Self::Look(_) => formatter.write_str("Look"),
            Self::Ask(_) => formatter.write_str("Ask"),
            Self::AwaitGuest(name, phase, _) => write!(formatter, "AwaitGuest({name}, {phase:?})"),
            Self::AwaitEnd(key, _) => write!(formatter, "AwaitEnd({key})"),
        }
    }
}

/// What follows from a batch of events: what must be written, and then, in order, the rest.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) writes: Batch,
    /// Whether the writes must be durable before the rest happens.
    pub(crate) urgent: bool,
    pub(crate) effects: Vec<Effect>,
}

impl Work {
    pub(crate) fn add(&mut self, fx: &mut Effects) {
        self.urgent |= fx.must_sync();
        for effect in fx.drain() {
            match effect {
                Effect::Persist(change) => checkpoints::add(&mut self.writes, change),
                effect => self.effects.push(effect),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.effects.is_empty() && !self.urgent
    }
}

/// How others talk to the core. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Front(mpsc::Sender<Input>);

impl Front {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Input>) {
        let (sender, receiver) = mpsc::channel(limits::INBOX);
        (Self(sender), receiver)
    }

    /// Tells what happened. When the agent is stopping, nobody needs to know.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.0.send(Input::Event(event)).await;
    }

    /// Looks at the core; none when the agent is stopping.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Agent) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        let look = move |agent: &Agent| {
            // Who asked may have gone.
            let _ = sender.send(look(agent));
        };
        self.0.send(Input::Look(Box::new(look))).await.ok()?;
        answer.await.ok()
    }

    /// Asks the core for something; none when the agent is stopping.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Agent, Time, &mut Effects) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        let ask = move |agent: &mut Agent, now: Time, fx: &mut Effects| {
            // Who asked may have gone.
            let _ = sender.send(ask(agent, now, fx));
        };
        self.0.send(Input::Ask(Box::new(ask))).await.ok()?;
        answer.await.ok()
    }

    /// Waits until a container that a call has launched is further than this, or forgotten.
    pub(crate) async fn guest_beyond(&self, name: ContainerName, phase: Phase) {
        let (sender, told) = oneshot::channel();
        let _ = self.0.send(Input::AwaitGuest(name, phase, sender)).await;
        // It is closed and nothing is said.
        let _ = told.await;
    }

    /// A receiver that is told, or closed, once the task's container has ended. At once if there is
    /// none.
    pub(crate) async fn end_of(&self, key: TaskKey) -> oneshot::Receiver<()> {
        let (sender, end) = oneshot::channel();
        let _ = self.0.send(Input::AwaitEnd(key, sender)).await;
        end
    }
}

/// The task that owns the core.
#[derive(Debug)]
pub(crate) struct Driver {
    agent: Agent,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    works: mpsc::Sender<Work>,
    /// Those who wait for the end of a container.
    waiting: Vec<(TaskKey, oneshot::Sender<()>)>,
    /// Those who wait for a container that a call has launched.
    guests: Vec<(ContainerName, Phase, oneshot::Sender<()>)>,
    /// When changes that are in no hurry are written at last.
    flush_at: Option<Instant>,
}

impl Driver {
    pub(crate) const fn new(
        agent: Agent,
        clock: Clock,
        inputs: mpsc::Receiver<Input>,
        works: mpsc::Sender<Work>,
    ) -> Self {
        Self {
            agent,
            clock,
            inputs,
            works,
            waiting: Vec::new(),
            guests: Vec::new(),
            flush_at: None,
        }
    }

    /// Runs until it is told to stop or nobody is left to say anything.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        loop {
            let wake = self.agent.next_wake().map(|time| self.clock.instant(time));
            let wake = [wake, self.flush_at].into_iter().flatten().min();
            tokio::select! {
                biased;
                _ = &mut stop => break,
                count = self.inputs.recv_many(&mut batch, limits::BATCH_EVENTS) => {
                    if count == 0 {
                        break;
                    }
                }
                () = wait_until(wake) => {}
            }
            let work = self.take(&mut batch);
            if !work.is_empty() && self.works.send(work).await.is_err() {
                break;
            }
        }
    }

    fn take(&mut self, batch: &mut Vec<Input>) -> Work {
        let mut work = Work::default();
        let mut fx = Effects::new();
        let now = self.clock.now();
        for input in batch.drain(..) {
            match input {
                Input::Event(event) => {
                    self.agent.apply(now, event, &mut fx);
                    work.add(&mut fx);
                }
                Input::Look(look) => look(&self.agent),
                Input::Ask(ask) => {
                    ask(&mut self.agent, now, &mut fx);
                    work.add(&mut fx);
                }
                Input::AwaitGuest(name, phase, waiting) => {
                    self.guests.push((name, phase, waiting));
                }
                Input::AwaitEnd(key, waiting) => self.waiting.push((key, waiting)),
            }
        }
        if self.agent.next_wake().is_some_and(|due| due <= now) {
            self.agent.apply(now, Event::Wake, &mut fx);
            work.add(&mut fx);
        }
        let agent = &self.agent;
        // Dropping the sender tells the one who waits.
        self.waiting
            .retain(|(key, waiting)| agent.is_live(key) && !waiting.is_closed());
        self.guests.retain(|(name, phase, waiting)| {
            let still = agent.guest(name).is_some_and(|it| it.phase <= *phase);
            still && !waiting.is_closed()
        });
        self.schedule_flush(&mut work);
        work
    }

    /// Sees to it that changes in no hurry are written some time, even when nothing else happens.
    fn schedule_flush(&mut self, work: &mut Work) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            work.urgent = true;
        }
        if work.urgent {
            self.flush_at = None;
        } else if !work.writes.is_empty() && self.flush_at.is_none() {
            self.flush_at = Some(now + limits::CHANGES_HELD_FOR);
        }
    }
}

async fn wait_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
