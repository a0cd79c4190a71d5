//! Offers: resources that are held for a framework until it answers (Mesos: OFF-02).

mod accept;
mod gangs;
mod group;
mod launch;
mod make;
mod release;
mod shared;
mod together;

use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::GangKey;
use tepui_model::{AgentKey, FrameworkKey, Offer, Scalars, Time};

pub(crate) use self::accept::Grant;
use crate::ids::OfferNumber;

/// An outstanding offer.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) offer: Arc<Offer>,
    pub(crate) framework: FrameworkKey,
    pub(crate) agent: AgentKey,
    pub(crate) made: Time,
    /// The gang that it is a part of, while none of its offers is accepted or over.
    pub(crate) gang: Option<GangKey>,
    /// The offer that holds the resources of this one, if this is a view of another.
    pub(crate) view_of: Option<OfferNumber>,
    /// Of what it offers, what others were killed for; known when it is accepted.
    pub(crate) room: Option<Scalars>,
}

/// All outstanding offers in the order they were made, so that the first is the first to expire.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    held: BTreeMap<OfferNumber, Held>,
}

impl Offers {
    pub(crate) fn get(&self, number: OfferNumber) -> Option<&Held> {
        self.held.get(&number)
    }

    pub(crate) fn first(&self) -> Option<(OfferNumber, &Held)> {
        self.held
            .first_key_value()
            .map(|(number, held)| (*number, held))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (OfferNumber, &Held)> {
        self.held.iter().map(|(number, held)| (*number, held))
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    fn get_mut(&mut self, number: OfferNumber) -> Option<&mut Held> {
        self.held.get_mut(&number)
    }

    fn insert(&mut self, number: OfferNumber, held: Held) {
        self.held.insert(number, held);
    }

    fn remove(&mut self, number: OfferNumber) -> Option<Held> {
        self.held.remove(&number)
    }
}
