//! The promises that every run is held to, each by a judge that sees only what others see too.

mod bounds;
mod containers;
mod estates;
mod fates;
mod histories;
mod offers;
mod patience;
mod quotas;
mod replay;
mod streams;
mod sums;
mod updates;
mod views;

pub(crate) use self::{
    bounds::kept_within,
    containers::Containers,
    estates::{agreed_on, volumes_kept},
    fates::Fates,
    histories::Histories,
    offers::OfferBook,
    patience::Patience,
    quotas::quotas_kept,
    replay::{alike, reads_back},
    streams::Streams,
    sums::add_up,
    updates::Updates,
    views::{View, equal},
};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

/// Whether a promise holds.
pub(crate) type Held = Result<(), Violation>;

/// Holds a promise, or says how it is broken.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Held {
    if holds {
        Ok(())
    } else {
        Err(Violation(broken()))
    }
}

/// All the judges of a run.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// What runs on the machines.
    pub(crate) containers: Containers,
    /// What frameworks are told of their operations.
    pub(crate) fates: Fates,
    /// What frameworks are told of their tasks.
    pub(crate) told: Histories,
    /// What the present master says of tasks to those who watch.
    pub(crate) noted: Histories,
    /// What the present master has offered.
    pub(crate) offers: OfferBook,
    /// How long masters wait for frameworks.
    pub(crate) patience: Patience,
    /// What masters say on their streams.
    pub(crate) streams: Streams,
    /// What frameworks have dealt with.
    pub(crate) updates: Updates,
}

impl Checks {
    /// A new master begins with nothing.
    pub(crate) fn new_master(&mut self) {
        self.noted = Histories::default();
        self.offers.new_master();
    }
}
