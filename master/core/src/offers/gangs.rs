//! Offers of a gang: made together, over together.

use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::GangKey;
use tepui_model::{Filters, FrameworkKey, Offer};

use super::Held;
use crate::{
    Master, effects::Effects, ids::OfferNumber, limits::MAX_OFFERS_PER_EVENT, notices::OfferEnd,
};

impl Master {
    /// Offers are refused. What a gang has besides is taken back: a part of it is of no use.
    pub(super) fn decline_offers(
        &mut self,
        numbers: &[OfferNumber],
        filters: Filters,
        effects: &mut Effects,
    ) {
        let filter = self.declined(filters);
        let mut gangs = BTreeMap::new();
        for number in numbers {
            let held = self.release_offer(*number, OfferEnd::Declined, Some(filter), effects);
            let gang = held.and_then(|held| Some((held.gang?, held.framework)));
            gangs.extend(gang);
        }
        for (gang, framework) in gangs {
            self.dissolve_gang(framework, gang, OfferEnd::Rescinded, effects);
        }
    }

    /// One offer of a gang is over without being accepted: so are the others, and the gang waits
    /// again.
    pub(super) fn dissolve_gang(
        &mut self,
        framework: FrameworkKey,
        gang: GangKey,
        end: OfferEnd,
        effects: &mut Effects,
    ) {
        for number in self.offers_of_gang(framework, gang) {
            self.withdraw_offer(number, end, effects);
        }
        self.allocator.return_gang(gang);
    }

    /// An offer of a gang was accepted: what is left of the gang are offers like any other.
    pub(super) fn serve_gang(&mut self, held: &Held) {
        let Some(gang) = held.gang else { return };
        self.allocator.serve_gang(gang);
        for number in self.offers_of_gang(held.framework, gang) {
            if let Some(other) = self.offers.get_mut(number) {
                other.gang = None;
            }
        }
    }

    fn offers_of_gang(&self, framework: FrameworkKey, gang: GangKey) -> Vec<OfferNumber> {
        let framework = self.frameworks.get(framework);
        let numbers = framework
            .into_iter()
            .flat_map(|it| it.offers.iter().copied());
        let of_gang = |number: &OfferNumber| {
            let held = self.offers.get(*number);
            held.is_some_and(|held| held.gang == Some(gang))
        };
        numbers.filter(of_gang).collect()
    }
}

/// A new offer, and the gang that it is a part of.
pub(super) type Made = (Option<GangKey>, Arc<Offer>);

/// The offers of each event: as many as it may have, and never a part of a gang.
pub(super) fn events(offers: &[Made]) -> Vec<Vec<Arc<Offer>>> {
    let mut events: Vec<Vec<Arc<Offer>>> = Vec::new();
    let of_one_gang = |(one, _): &(Option<GangKey>, _), (two, _): &(Option<GangKey>, _)| {
        one.is_some() && one == two
    };
    for together in offers.chunk_by(of_one_gang) {
        let offers = together.iter().map(|(_, offer)| Arc::clone(offer));
        match events.last_mut() {
            Some(event) if event.len() + together.len() <= MAX_OFFERS_PER_EVENT => {
                event.extend(offers);
            }
            _ => events.push(offers.collect()),
        }
    }
    events
}

#[cfg(test)]
mod tests;
