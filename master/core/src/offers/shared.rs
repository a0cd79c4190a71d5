//! Optimistic offers: several frameworks are shown the same, and whoever accepts first has it.
//!
//! One of these offers holds the resources; the others are views of it and hold nothing. When that
//! one is declined or taken back, the oldest view holds them; when any of them is accepted, the
//! others are over at once.

use tepui_allocator::Filter;
use tepui_model::{AgentKey, FrameworkKey, Resources};

use super::Held;
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    ids::OfferNumber,
    notices::OfferEnd,
};

impl Held {
    /// Whether it holds what it offers, rather than being a view of an offer that does.
    pub(crate) const fn holds(&self) -> bool {
        self.view_of.is_none()
    }
}

impl Master {
    /// An offer is out of the tables: what it held passes on, or is its alone if it was accepted.
    pub(super) fn part(
        &mut self,
        number: OfferNumber,
        held: &mut Held,
        end: OfferEnd,
        effects: &mut Effects,
    ) {
        if end == OfferEnd::Accepted {
            self.win(number, held, effects);
        } else if held.holds() {
            held.view_of = self.succeed(number, held, effects);
        }
    }

    /// The first accept: nobody else can have it.
    fn win(&mut self, number: OfferNumber, held: &mut Held, effects: &mut Effects) {
        let holder = held.view_of.take();
        let others = self.views_of(holder.unwrap_or(number), held.agent);
        for other in holder.into_iter().chain(others) {
            let Some(loser) = self.outbid(other, effects) else {
                continue;
            };
            if loser.holds() {
                self.charge_instead(&loser, held);
            }
        }
    }

    /// Who was shown an offer first has it now. Of the others stay those whose views are a part of
    /// what is held now; the rest is free.
    fn succeed(
        &mut self,
        number: OfferNumber,
        held: &Held,
        effects: &mut Effects,
    ) -> Option<OfferNumber> {
        let mut views = self.views_of(number, held.agent).into_iter();
        let heir = views.next()?;
        let next = self.offers.get_mut(heir)?;
        next.view_of = None;
        let next = next.clone();
        self.charge_instead(held, &next);
        for view in views {
            if self.is_within(view, &next.offer.resources) {
                if let Some(other) = self.offers.get_mut(view) {
                    other.view_of = Some(heir);
                }
            } else {
                self.outbid(view, effects);
            }
        }
        Some(heir)
    }

    fn is_within(&self, view: OfferNumber, resources: &Resources) -> bool {
        let view = self.offers.get(view);
        view.is_some_and(|view| resources.contains(&view.offer.resources))
    }

    fn charge_instead(&mut self, from: &Held, to: &Held) {
        self.allocator.pass_on(
            from.agent,
            ((from.framework, &from.offer.role), &from.offer.resources),
            ((to.framework, &to.offer.role), &to.offer.resources),
        );
    }

    /// An offer is over because what it offers is not there for it any longer. Its framework hears
    /// at once, and has refused nothing.
    fn outbid(&mut self, number: OfferNumber, effects: &mut Effects) -> Option<Held> {
        let held = self.remove_offer(number, OfferEnd::Rescinded, effects)?;
        self.allocator.reopen(
            held.framework,
            &held.offer.role,
            held.agent,
            &held.offer.resources,
        );
        self.tell_rescinded(&held, effects);
        Some(held)
    }

    pub(super) fn tell_rescinded(&self, held: &Held, effects: &mut Effects) {
        let framework = self.frameworks.get(held.framework);
        if let Some(connection) = framework.and_then(|framework| framework.connection) {
            effects.tell_framework(connection, FrameworkEvent::Rescind(held.offer.id.clone()));
        }
    }

    /// A view was declined or taken back: others hold what it showed.
    pub(super) fn return_view(&mut self, held: &Held, filter: Option<Filter>) {
        let (framework, agent) = (held.framework, held.agent);
        let (role, resources) = (&held.offer.role, &held.offer.resources);
        self.allocator.reopen(framework, role, agent, resources);
        if let Some(filter) = filter {
            self.allocator
                .refuse(framework, role, agent, resources, filter);
        }
    }

    /// Takes an offer back together with all views of it, so that what it holds is free.
    pub(crate) fn reclaim_offer(&mut self, number: OfferNumber, effects: &mut Effects) {
        if let Some(agent) = self.offers.get(number).map(|held| held.agent) {
            for view in self.views_of(number, agent) {
                self.outbid(view, effects);
            }
        }
        self.rescind_offer(number, OfferEnd::Rescinded, effects);
    }

    /// A framework will not be shown what others are shown, nor others what it is: what it is
    /// offered is its alone from now on, and of what others are offered it sees nothing.
    pub(crate) fn part_from_others(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let framework = self.frameworks.get(key);
        let own = framework.map_or_else(Vec::new, |framework| {
            framework.offers.iter().copied().collect()
        });
        for number in own {
            let Some(held) = self.offers.get(number) else {
                continue;
            };
            let over = match held.holds() {
                true => self.views_of(number, held.agent),
                false => vec![number],
            };
            for view in over {
                self.outbid(view, effects);
            }
        }
    }

    /// Whether others are shown what an offer shows.
    pub(super) fn is_shared(&self, number: OfferNumber) -> bool {
        self.offers
            .get(number)
            .is_some_and(|held| !held.holds() || !self.views_of(number, held.agent).is_empty())
    }

    /// The views of an offer, the oldest first.
    fn views_of(&self, number: OfferNumber, agent: AgentKey) -> Vec<OfferNumber> {
        let agent = self.agents.get(agent).into_iter();
        let numbers = agent.flat_map(|agent| agent.offers.iter().copied());
        let is_view = |other: &OfferNumber| {
            let other = self.offers.get(*other);
            other.is_some_and(|other| other.view_of == Some(number))
        };
        numbers.filter(is_view).collect()
    }
}

#[cfg(test)]
mod tests;
