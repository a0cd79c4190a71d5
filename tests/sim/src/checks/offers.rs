//! No resource is in two live offers, unless all are views of one, of which the first accept
//! leaves none; and an offer that stands no longer launches nothing.

use std::collections::{BTreeMap, BTreeSet};

use tepui_master_core::{Notice, OfferEnd};
use tepui_model::{AgentId, FrameworkId, Offer, OfferId, Resources};
use tepui_proto::v1::master::response::get_agents;

use super::{Held, Violation, ensure};

/// The live offers, as those hear of them who watch the master.
#[derive(Debug, Default)]
pub(crate) struct OfferBook {
    totals: BTreeMap<AgentId, Resources>,
    offers: BTreeMap<OfferId, Offer>,
    /// For each view the offer that it was made as a view of, whether or not that one still stands.
    pools: BTreeMap<OfferId, OfferId>,
    /// What was accepted of such a pool: no offer of it may stand when anything else happens.
    won: BTreeSet<OfferId>,
    /// Tasks for which somebody accepted what was not offered to it any longer.
    outrun: u64,
}

impl OfferBook {
    /// What an agent has now: operations change its nature.
    pub(crate) fn learn(&mut self, agent: &get_agents::Agent) -> Held {
        let total = Resources::from_proto(&agent.total_resources);
        let (total, _) = total.map_err(|error| Violation(error.to_string()))?;
        let id = agent.agent_info.id.as_ref().map(AgentId::try_from);
        let id = id.transpose();
        let id = id.map_err(|error| Violation(error.to_string()))?;
        self.totals.extend(id.map(|id| (id, total)));
        Ok(())
    }

    /// Takes in one change of the cluster.
    pub(crate) fn note(&mut self, notice: &Notice) -> Held {
        match notice {
            Notice::AgentAdded(agent) => self.learn(agent),
            Notice::AgentRemoved(id) => {
                self.totals.remove(id);
                let left = self.offers.values().find(|offer| offer.agent_id == *id);
                ensure(left.is_none(), || {
                    format!("agent {id} is removed and still offered")
                })
            }
            Notice::OfferAdded { offer, view_of } => {
                self.settled()?;
                if let Some(holder) = view_of {
                    self.pools.insert(offer.id.clone(), holder.clone());
                }
                self.add(offer)
            }
            Notice::OfferRemoved { offer_id, end, .. } => {
                if *end == OfferEnd::Accepted {
                    self.won.insert(self.pool_of(offer_id).clone());
                }
                self.pools.remove(offer_id);
                let removed = self.offers.remove(offer_id);
                ensure(removed.is_some(), || format!("offer {offer_id} ends twice"))
            }
            _ => Ok(()),
        }
    }

    fn pool_of<'a>(&'a self, offer: &'a OfferId) -> &'a OfferId {
        self.pools.get(offer).unwrap_or(offer)
    }

    /// After the first accept of what several were shown nobody else has it to accept.
    pub(crate) fn settled(&mut self) -> Held {
        let won = core::mem::take(&mut self.won);
        let left = self.offers.keys().find(|id| won.contains(self.pool_of(id)));
        ensure(left.is_none(), || {
            let left = left.map_or("", |id| id.as_str());
            format!("offer {left} stands and what it shows was accepted")
        })
    }

    /// Of the offers of an agent one for each pool: the one that all others are a part of.
    fn holders(&self, agent: &AgentId) -> Result<Vec<&Offer>, Violation> {
        let mut holders: BTreeMap<&OfferId, &Offer> = BTreeMap::new();
        let offers = self.offers.values();
        for offer in offers.filter(|offer| offer.agent_id == *agent) {
            let holder = holders.entry(self.pool_of(&offer.id)).or_insert(offer);
            if offer.resources.contains(&holder.resources) {
                *holder = offer;
            }
            ensure(holder.resources.contains(&offer.resources), || {
                format!("offers {} and {} are not of one", holder.id, offer.id)
            })?;
        }
        Ok(holders.into_values().collect())
    }

    fn add(&mut self, offer: &Offer) -> Held {
        let before = self.offers.insert(offer.id.clone(), offer.clone());
        ensure(before.is_none(), || {
            format!("offer {} is made twice", offer.id)
        })?;
        let agent = &offer.agent_id;
        let total = self.totals.get(agent);
        let mut left = total
            .cloned()
            .ok_or_else(|| Violation(format!("agent {agent} is not there")))?;
        for other in self.holders(agent)? {
            left.subtract(&other.resources).map_err(|lack| {
                Violation(format!(
                    "agent {agent} is offered twice: {}: {lack}",
                    other.id
                ))
            })?;
        }
        Ok(())
    }

    /// Whether a framework may accept all of these.
    pub(crate) fn are_live(&self, offers: &[OfferId], framework: &FrameworkId) -> bool {
        let is_live = |id| {
            self.offers
                .get(id)
                .is_some_and(|it| it.framework_id == *framework)
        };
        !offers.is_empty() && offers.iter().all(is_live)
    }

    /// Somebody accepts, for so many tasks, what it is not offered any longer.
    pub(crate) const fn outran(&mut self, tasks: u64) {
        self.outrun += tasks;
    }

    /// How many tasks were to be launched on what was over by then.
    pub(crate) const fn outrun(&self) -> u64 {
        self.outrun
    }

    /// A new master has offered nothing yet.
    pub(crate) fn new_master(&mut self) {
        let outrun = self.outrun;
        *self = Self {
            outrun,
            ..Self::default()
        };
    }

    /// How many offers are live.
    pub(crate) fn len(&self) -> usize {
        self.offers.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tepui_model::{Attributes, ImageNames};
    use tepui_proto::v1;

    use super::*;

    fn agent() -> Notice {
        let resources: Resources = "cpus:2;ports:[1-9]".parse().unwrap();
        let info = v1::AgentInfo {
            id: Some(v1::AgentId {
                value: "a".to_owned(),
            }),
            hostname: "host".to_owned(),
            ..v1::AgentInfo::default()
        };
        let agent = get_agents::Agent {
            agent_info: info,
            total_resources: resources.to_proto(None),
            ..get_agents::Agent::default()
        };
        Notice::AgentAdded(Box::new(agent))
    }

    fn offer(id: &str, resources: &str) -> Notice {
        view(id, resources, None)
    }

    fn view(id: &str, resources: &str, of: Option<&str>) -> Notice {
        let offer = Arc::new(Offer {
            id: OfferId::new(id).unwrap(),
            framework_id: FrameworkId::new("f").unwrap(),
            agent_id: AgentId::new("a").unwrap(),
            hostname: "host".to_owned(),
            port: 1,
            role: tepui_model::Role::default(),
            resources: resources.parse().unwrap(),
            attributes: Attributes::default(),
            executor_ids: Vec::new(),
            domain: None,
            unavailability: None,
            images: ImageNames::default(),
        });
        let view_of = of.map(|id| OfferId::new(id).unwrap());
        Notice::OfferAdded { offer, view_of }
    }

    fn end(id: &str) -> Notice {
        ended(id, OfferEnd::Declined)
    }

    fn ended(id: &str, end: OfferEnd) -> Notice {
        Notice::OfferRemoved {
            offer_id: OfferId::new(id).unwrap(),
            framework_id: FrameworkId::new("f").unwrap(),
            agent_id: AgentId::new("a").unwrap(),
            end,
        }
    }

    fn note(notices: &[Notice]) -> Result<OfferBook, Violation> {
        let mut book = OfferBook::default();
        notices.iter().try_for_each(|notice| book.note(notice))?;
        Ok(book)
    }

    #[test]
    fn a_resource_in_two_live_offers_is_noticed() {
        assert!(note(&[agent(), offer("1", "cpus:1"), offer("2", "cpus:1")]).is_ok());
        assert!(note(&[agent(), offer("1", "cpus:1.5"), offer("2", "cpus:1")]).is_err());
        assert!(
            note(&[
                agent(),
                offer("1", "ports:[1-5]"),
                offer("2", "ports:[5-6]")
            ])
            .is_err()
        );
        assert!(
            note(&[
                agent(),
                offer("1", "cpus:2"),
                end("1"),
                offer("2", "cpus:2")
            ])
            .is_ok()
        );
    }

    #[test]
    fn views_of_one_offer_may_show_the_same_and_nothing_beyond() {
        let shown = [
            agent(),
            offer("1", "cpus:2"),
            view("2", "cpus:1", Some("1")),
        ];
        let and = |more: &[Notice]| note(&[&shown[..], more].concat());
        assert!(and(&[view("3", "cpus:2", Some("1"))]).is_ok());
        assert!(and(&[view("3", "ports:[1-2]", Some("1"))]).is_err());
        assert!(and(&[offer("3", "cpus:1")]).is_err());
        let left = [
            end("1"),
            offer("3", "cpus:1"),
            view("4", "cpus:1", Some("2")),
        ];
        assert!(and(&left[..2]).is_ok(), "the view holds its part");
        assert!(and(&left).is_err(), "and is a pool of the first");
    }

    #[test]
    fn a_view_that_outlives_the_first_accept_is_noticed() {
        let accepted = |id: &str| ended(id, OfferEnd::Accepted);
        let shown = [
            agent(),
            offer("1", "cpus:2"),
            view("2", "cpus:2", Some("1")),
        ];
        let and = |more: &[Notice]| note(&[&shown[..], more].concat())?.settled();
        assert!(and(&[accepted("2"), end("1")]).is_ok());
        assert!(and(&[accepted("1"), end("2")]).is_ok());
        assert!(and(&[accepted("1")]).is_err());
        assert!(and(&[accepted("2")]).is_err());
        assert!(and(&[end("2")]).is_ok(), "a decline leaves the others");
    }

    #[test]
    fn an_offer_that_ends_twice_or_outlives_its_agent_is_noticed() {
        assert!(note(&[agent(), offer("1", "cpus:1"), end("1"), end("1")]).is_err());
        let removed = Notice::AgentRemoved(AgentId::new("a").unwrap());
        assert!(note(&[agent(), offer("1", "cpus:1"), removed]).is_err());
    }

    #[test]
    fn only_the_own_live_offers_can_be_accepted() {
        let book = note(&[
            agent(),
            offer("1", "cpus:1"),
            offer("2", "cpus:1"),
            end("2"),
        ])
        .unwrap();
        let (one, two) = (OfferId::new("1").unwrap(), OfferId::new("2").unwrap());
        let (own, foreign) = (
            FrameworkId::new("f").unwrap(),
            FrameworkId::new("g").unwrap(),
        );
        assert!(book.are_live(std::slice::from_ref(&one), &own));
        assert!(!book.are_live(std::slice::from_ref(&one), &foreign));
        assert!(!book.are_live(&[one, two], &own));
        assert!(!book.are_live(&[], &own));
    }
}
