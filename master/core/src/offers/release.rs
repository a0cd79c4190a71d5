//! Offers that end: refused, taken back, or out of time.

use tepui_allocator::Filter;
use tepui_model::{AgentKey, Filters, FrameworkKey, OfferId, Role, Time};

use super::Held;
use crate::{
    Master,
    calls::Decline,
    effects::Effects,
    ids::OfferNumber,
    notices::{Notice, OfferEnd},
};

impl Master {
    /// Ends an offer; what it holds stays allocated for the caller to settle. It holds nothing if
    /// it was a view, or if a view of it holds that now.
    pub(super) fn end_offer(
        &mut self,
        number: OfferNumber,
        end: OfferEnd,
        effects: &mut Effects,
    ) -> Option<Held> {
        let mut held = self.remove_offer(number, end, effects)?;
        self.part(number, &mut held, end, effects);
        Some(held)
    }

    /// Takes an offer out of every table.
    pub(super) fn remove_offer(
        &mut self,
        number: OfferNumber,
        end: OfferEnd,
        effects: &mut Effects,
    ) -> Option<Held> {
        let mut held = self.offers.remove(number)?;
        if let Some(framework) = self.frameworks.get_mut(held.framework) {
            framework.offers.remove(&number);
        }
        if let Some(agent) = self.agents.get_mut(held.agent) {
            agent.offers.remove(&number);
        }
        held.room = self.end_room(number, &held, end);
        effects.publish(Notice::OfferRemoved {
            offer_id: held.offer.id.clone(),
            framework_id: held.offer.framework_id.clone(),
            agent_id: held.offer.agent_id.clone(),
            end,
        });
        Some(held)
    }

    /// Ends an offer and frees its resources.
    pub(crate) fn release_offer(
        &mut self,
        number: OfferNumber,
        end: OfferEnd,
        filter: Option<Filter>,
        effects: &mut Effects,
    ) -> Option<Held> {
        let held = self.end_offer(number, end, effects)?;
        if !held.holds() {
            self.return_view(&held, filter);
            return Some(held);
        }
        let offer = &held.offer;
        self.allocator.return_offer(
            held.framework,
            &offer.role,
            held.agent,
            &offer.resources,
            filter,
        );
        Some(held)
    }

    /// Takes an offer back and says so to its framework (Mesos: OFF-12).
    pub(crate) fn rescind_offer(
        &mut self,
        number: OfferNumber,
        end: OfferEnd,
        effects: &mut Effects,
    ) {
        let held = self.withdraw_offer(number, end, effects);
        if let Some((framework, gang)) = held.and_then(|held| Some((held.framework, held.gang?))) {
            self.dissolve_gang(framework, gang, end, effects);
        }
    }

    /// Takes one offer back, whatever it is a part of.
    pub(super) fn withdraw_offer(
        &mut self,
        number: OfferNumber,
        end: OfferEnd,
        effects: &mut Effects,
    ) -> Option<Held> {
        // Who let an offer go by comes after those who have not seen it.
        let filter = (end == OfferEnd::TimedOut).then(|| self.declined(Filters::NONE));
        let held = self.release_offer(number, end, filter, effects)?;
        self.tell_rescinded(&held, effects);
        Some(held)
    }

    /// Takes back every offer of an agent.
    pub(crate) fn rescind_offers_of_agent(&mut self, key: AgentKey, effects: &mut Effects) {
        let numbers: Vec<_> = self
            .agents
            .get(key)
            .into_iter()
            .flat_map(|agent| agent.offers.clone())
            .collect();
        for number in numbers {
            self.rescind_offer(number, OfferEnd::Rescinded, effects);
        }
    }

    /// Takes back every offer of a framework whose role passes.
    pub(crate) fn rescind_offers_of_framework(
        &mut self,
        key: FrameworkKey,
        mut which: impl FnMut(&Role) -> bool,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let passes = |number: &OfferNumber| {
            self.offers
                .get(*number)
                .is_some_and(|held| which(&held.offer.role))
        };
        let numbers: Vec<_> = framework.offers.iter().copied().filter(passes).collect();
        for number in numbers {
            self.rescind_offer(number, OfferEnd::Rescinded, effects);
        }
    }

    /// An offer that is out of time is taken back before anything else happens, so that it cannot
    /// be accepted.
    pub(crate) fn expire_offers(&mut self, effects: &mut Effects) {
        while self
            .next_offer_timeout()
            .is_some_and(|timeout| timeout <= self.now)
        {
            let Some((number, _)) = self.offers.first() else {
                return;
            };
            self.rescind_offer(number, OfferEnd::TimedOut, effects);
        }
    }

    /// When the first offer is out of time.
    pub(crate) fn next_offer_timeout(&self) -> Option<Time> {
        let (_, held) = self.offers.first()?;
        Some(held.made + self.config.offer_timeout?)
    }

    /// DECLINE (Mesos: OFF-08). Offers that are not the framework's own change nothing.
    pub(crate) fn decline(&mut self, key: FrameworkKey, decline: &Decline, effects: &mut Effects) {
        let mut numbers = Vec::with_capacity(decline.offers.len());
        for id in &decline.offers {
            match self.own_offer(key, id) {
                Some(number) => numbers.push(number),
                None => effects.warn(format!(
                    "ignoring DECLINE of offer {id}: it stands no longer"
                )),
            }
        }
        self.decline_offers(&numbers, decline.filters, effects);
    }

    /// The outstanding offer of that id, if it is the framework's own.
    pub(crate) fn own_offer(&self, key: FrameworkKey, id: &OfferId) -> Option<OfferNumber> {
        let number = self.ids.offer_number(id)?;
        let held = self.offers.get(number)?;
        (held.framework == key).then_some(number)
    }

    /// What declining with these filters means now.
    pub(super) fn declined(&self, filters: Filters) -> Filter {
        self.config.allocator.declined(self.now, &filters)
    }
}

#[cfg(test)]
mod tests;
