//! What the core hears, and what it wants done.

use tepui_sdk::{
    model::{AgentId, FrameworkId, Offer, OfferId, TaskId, TaskStatus},
    v1,
};

use super::{Change, Site};
use crate::{
    ids::{Attempt, JobId},
    plan::Report,
};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The master took the subscription.
    Subscribed(FrameworkId),
    /// Resources to launch tasks on.
    Offers(Vec<Offer>),
    /// A task changed.
    Update(TaskStatus),
    /// An agent is gone, and with it what its sandboxes held.
    AgentLost(AgentId),
    /// The answer to [`Effect::Inspect`].
    Inspected {
        /// The task.
        attempt: Attempt,
        /// What it left behind, if that could be read.
        report: Option<Report>,
    },
    /// The answer to [`Effect::Collect`].
    Collected {
        /// The task.
        attempt: Attempt,
        /// Whether its result is here, or why not.
        result: Result<(), String>,
    },
    /// The time of [`Core::next_wake`](super::Core::next_wake) has come.
    Wake,
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Keep this, before anything else of the same batch is done.
    Persist(Change),
    /// Launch tasks on an offer.
    Launch {
        /// Which offer.
        offer: OfferId,
        /// What to launch on it.
        tasks: Vec<v1::TaskInfo>,
    },
    /// Give offers back.
    Decline(Vec<OfferId>),
    /// End a task.
    Kill(TaskId),
    /// Read the report that a failed task left.
    Inspect(Attempt, Site),
    /// Bring the result of a task here.
    Collect(Attempt, Site),
    /// Ask for offers.
    Revive,
    /// Ask for no offers.
    Suppress,
    /// Show the job anew to whoever watches it.
    Changed(JobId),
    /// The job is forgotten: its results may go.
    Forget(JobId),
}

/// Effects in the order in which they were decided.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(super) fn persist(&mut self, change: Change) {
        self.0.push(Effect::Persist(change));
    }

    /// Takes them out: first what must be durable, then what may leave after it.
    pub fn take(&mut self) -> (Vec<Change>, Vec<Effect>) {
        let mut changes = Vec::new();
        let mut others = Vec::new();
        for effect in self.0.drain(..) {
            match effect {
                Effect::Persist(change) => changes.push(change),
                other => others.push(other),
            }
        }
        (changes, others)
    }
}
