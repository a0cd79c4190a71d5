//! New offers, from what the allocator gives.

use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::{Allocation, GangKey, View};
use tepui_model::{AgentKey, FrameworkKey, Offer};

use super::{
    Held,
    gangs::{Made, events},
};
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    ids::OfferNumber,
    notices::Notice,
};

/// What an offer is of, and what it belongs to.
#[derive(Clone, Copy)]
struct Place {
    agent: AgentKey,
    gang: Option<GangKey>,
    view_of: Option<OfferNumber>,
}

impl Master {
    /// Gives out what changed since the last time. Each framework hears of all its new offers at
    /// once.
    pub(crate) fn allocate(&mut self, effects: &mut Effects) {
        let mut offers: BTreeMap<FrameworkKey, Vec<Made>> = BTreeMap::new();
        for allocation in self.allocator.allocate(self.now) {
            let gang = allocation.gang;
            for (framework, offer) in self.make_offers(allocation, effects) {
                offers.entry(framework).or_default().push((gang, offer));
            }
        }
        for (key, offers) in offers {
            let framework = self.frameworks.get(key);
            let Some((connection, form)) = framework
                .and_then(|framework| Some((framework.connection?, framework.reservation_form())))
            else {
                continue;
            };
            for offers in events(&offers) {
                effects.tell_framework(connection, FrameworkEvent::Offers { offers, form });
            }
        }
    }

    /// The offer that holds what was given, and a view of it for each who is shown it too.
    fn make_offers(
        &mut self,
        allocation: Allocation,
        effects: &mut Effects,
    ) -> Vec<(FrameworkKey, Arc<Offer>)> {
        let Allocation {
            framework,
            role,
            agent,
            resources,
            gang,
            views,
        } = allocation;
        let holder = View {
            framework,
            role,
            resources,
        };
        let place = Place {
            agent,
            gang,
            view_of: None,
        };
        let Some((number, offer)) = self.make_offer(place, holder, effects) else {
            return Vec::new();
        };
        let mut made = vec![(framework, offer)];
        for view in views {
            let framework = view.framework;
            let place = Place {
                view_of: Some(number),
                ..place
            };
            let offer = self.make_offer(place, view, effects);
            made.extend(offer.map(|(_, offer)| (framework, offer)));
        }
        made
    }

    fn make_offer(
        &mut self,
        place: Place,
        shown: View,
        effects: &mut Effects,
    ) -> Option<(OfferNumber, Arc<Offer>)> {
        let View {
            framework: framework_key,
            role,
            resources,
        } = shown;
        let Place {
            agent: agent_key,
            gang,
            view_of,
        } = place;
        let framework = self.frameworks.get_mut(framework_key)?;
        let agent = self.agents.get_mut(agent_key)?;
        let (number, id) = self.ids.next_offer();
        // Tasks that run alone have none that others could join.
        let executors = agent.executors.keys();
        let executors = executors.filter(|(owner, _)| *owner == framework_key);
        let offer = Arc::new(Offer {
            id,
            framework_id: framework.id.clone(),
            agent_id: agent.id.clone(),
            hostname: agent.info.hostname.clone(),
            port: agent.info.port,
            role,
            resources,
            attributes: agent.info.attributes.clone(),
            executor_ids: executors.map(|(_, id)| id.clone()).collect(),
            domain: agent.info.domain.clone(),
            unavailability: agent.unavailability,
            images: agent.images.clone(),
        });
        framework.offers.insert(number);
        agent.offers.insert(number);
        let held = Held {
            offer: Arc::clone(&offer),
            framework: framework_key,
            agent: agent_key,
            made: self.now,
            gang,
            view_of,
            room: None,
        };
        let view_of = view_of.and_then(|number| self.offers.get(number));
        effects.publish(Notice::OfferAdded {
            offer: Arc::clone(&offer),
            view_of: view_of.map(|holder| holder.offer.id.clone()),
        });
        self.offers.insert(number, held);
        Some((number, offer))
    }
}
