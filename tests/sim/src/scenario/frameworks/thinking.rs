//! Frameworks that take their time: they look at what they are offered for a while before they
//! answer.

use core::time::Duration;
use std::{collections::VecDeque, sync::Arc};

use tepui_model::{Offer, OfferId, Time};

use crate::scenario::{queue::Turn, world::World};

/// What a framework has not answered yet, and until when it looks at it.
#[derive(Clone, Debug, Default)]
pub(super) struct Thoughts {
    offers: VecDeque<(Time, Vec<Arc<Offer>>)>,
}

impl Thoughts {
    /// An offer is over.
    pub(super) fn drop(&mut self, id: &OfferId) {
        for (_, offers) in &mut self.offers {
            offers.retain(|offer| offer.id != *id);
        }
    }

    /// Those that were looked at for long enough.
    fn ripe(&mut self, now: Time) -> Option<Vec<Arc<Offer>>> {
        self.offers
            .pop_front_if(|(due, _)| *due <= now)
            .map(|it| it.1)
    }

    pub(super) fn forget(&mut self) {
        self.offers.clear();
    }
}

impl World<'_> {
    pub(super) fn think(&mut self, framework: u32, span: Duration, offers: Vec<Arc<Offer>>) {
        let due = self.now + span;
        let thoughts = &mut self.frameworks[framework as usize].thoughts;
        thoughts.offers.push_back((due, offers));
        self.queue.plan(due, Turn::FrameworkDecides(framework));
    }

    /// A framework answers what it has looked at for long enough.
    pub(in crate::scenario) fn framework_decides(&mut self, framework: u32) {
        let now = self.now;
        while let Some(offers) = self.frameworks[framework as usize].thoughts.ripe(now) {
            self.answer(framework, &offers);
        }
        self.state_demand(framework);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_that_is_over_is_looked_at_no_longer() {
        let offer = |id: &str| {
            Arc::new(Offer {
                id: OfferId::new(id).unwrap(),
                framework_id: tepui_model::FrameworkId::new("f").unwrap(),
                agent_id: tepui_model::AgentId::new("a").unwrap(),
                hostname: "host".to_owned(),
                port: 1,
                role: tepui_model::Role::default(),
                resources: tepui_model::Resources::new(),
                attributes: tepui_model::Attributes::default(),
                executor_ids: Vec::new(),
                domain: None,
                unavailability: None,
                images: tepui_model::ImageNames::default(),
            })
        };
        let mut thoughts = Thoughts::default();
        let due = Time::from_micros(7);
        let offers = vec![offer("1"), offer("2")];
        thoughts.offers.push_back((due, offers));
        thoughts.drop(&OfferId::new("1").unwrap());
        assert_eq!(thoughts.ripe(Time::from_micros(6)), None);
        assert_eq!(thoughts.ripe(due), Some(vec![offer("2")]));
        assert_eq!(thoughts.ripe(due), None);
    }
}
