//! New offers, from what the allocator gives.

use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::Allocation;
use tepui_model::{FrameworkKey, Offer};

use super::{
    Held,
    gangs::{Made, events},
};
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    notices::Notice,
};

impl Master {
    /// Gives out what changed since the last time. Each framework hears of all its new offers at
    /// once.
    pub(crate) fn allocate(&mut self, effects: &mut Effects) {
        let mut offers: BTreeMap<FrameworkKey, Vec<Made>> = BTreeMap::new();
        for allocation in self.allocator.allocate(self.now) {
            let (framework, gang) = (allocation.framework, allocation.gang);
            if let Some(offer) = self.make_offer(allocation) {
                effects.publish(Notice::OfferAdded(Arc::clone(&offer)));
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

    fn make_offer(&mut self, allocation: Allocation) -> Option<Arc<Offer>> {
        let Allocation {
            framework: framework_key,
            role,
            agent: agent_key,
            resources,
            gang,
        } = allocation;
        let framework = self.frameworks.get_mut(framework_key)?;
        let agent = self.agents.get_mut(agent_key)?;
        let (number, id) = self.ids.next_offer();
        let offer = Arc::new(Offer {
            id,
            framework_id: framework.id.clone(),
            agent_id: agent.id.clone(),
            hostname: agent.info.hostname.clone(),
            port: agent.info.port,
            role,
            resources,
            attributes: agent.info.attributes.clone(),
            // Tasks run without executors of their own that others could join.
            executor_ids: Vec::new(),
            domain: agent.info.domain.clone(),
            unavailability: agent.unavailability,
        });
        framework.offers.insert(number);
        agent.offers.insert(number);
        let held = Held {
            offer: Arc::clone(&offer),
            framework: framework_key,
            agent: agent_key,
            made: self.now,
            gang,
        };
        self.offers.insert(number, held);
        Some(offer)
    }
}
