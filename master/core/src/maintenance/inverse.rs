//! Inverse offers: frameworks are asked to leave agents that will be away (Mesos: OFF-13).

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{
    AgentId, AgentKey, Filters, FrameworkId, FrameworkKey, OfferId, Resources, Role, Time,
    Unavailability,
};

use crate::{
    Master,
    calls::InverseAnswer,
    effects::{Effects, FrameworkEvent},
    frameworks::FrameworkState,
    ids::OfferNumber,
    limits::MIN_INVERSE_OFFER_PAUSE,
    timers::Timer,
};

/// A framework is asked to give all that it has of an agent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InverseOffer {
    /// Names it; of the same row as the ids of offers.
    pub id: OfferId,
    /// Who is asked.
    pub framework_id: FrameworkId,
    /// Which agent it is about.
    pub agent_id: AgentId,
    /// When the agent will be away.
    pub unavailability: Unavailability,
    /// What the framework will lose there, by role; all that it has when empty.
    pub resources: Vec<(Role, Resources)>,
}

/// What a framework answered. Neither answer changes what the master does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It will leave in time.
    Accepted,
    /// It will not, or cannot say.
    Declined,
}

/// How it stands between one framework and one agent.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The one that waits for an answer.
    pub(crate) outstanding: Option<(OfferNumber, InverseOffer)>,
    /// The last answer.
    pub(crate) answer: Option<Answer>,
    /// When it was asked or answered.
    pub(crate) at: Time,
    /// Not asked again before.
    pub(crate) quiet_until: Time,
}

/// Who was asked about which agent.
#[derive(Debug, Default)]
pub(crate) struct InverseOffers {
    asked: BTreeMap<(AgentKey, FrameworkKey), Asked>,
    outstanding: BTreeMap<OfferNumber, (AgentKey, FrameworkKey)>,
}

impl InverseOffers {
    /// How it stands with all frameworks that were asked about an agent.
    pub(crate) fn about(
        &self,
        agent: AgentKey,
    ) -> impl Iterator<Item = (FrameworkKey, &Asked)> + '_ {
        let all = (agent, FrameworkKey(0))..=(agent, FrameworkKey(u32::MAX));
        self.asked.range(all).map(|((_, key), asked)| (*key, asked))
    }

    /// The inverse offers that wait for an answer of a framework.
    pub(crate) fn to(&self, framework: FrameworkKey) -> impl Iterator<Item = &InverseOffer> + '_ {
        let all = self.asked.iter();
        let own = all.filter(move |((_, key), _)| *key == framework);
        own.filter_map(|(_, asked)| asked.outstanding.as_ref().map(|(_, offer)| offer))
    }

    fn waits(&self, agent: AgentKey, framework: FrameworkKey, now: Time) -> bool {
        let asked = self.asked.get(&(agent, framework));
        asked.is_some_and(|asked| asked.outstanding.is_some() || asked.quiet_until > now)
    }

    fn put(&mut self, agent: AgentKey, framework: FrameworkKey, offer: InverseOffer, at: Place) {
        let Place { number, now } = at;
        let asked = self.asked.entry((agent, framework)).or_insert(Asked {
            outstanding: None,
            answer: None,
            at: now,
            quiet_until: now,
        });
        asked.outstanding = Some((number, offer));
        self.outstanding.insert(number, (agent, framework));
    }

    fn take_answer(&mut self, number: OfferNumber, answer: Answer, now: Time, filters: Filters) {
        let Some(pair) = self.outstanding.remove(&number) else {
            return;
        };
        if let Some(asked) = self.asked.get_mut(&pair) {
            asked.outstanding = None;
            asked.answer = Some(answer);
            asked.at = now;
            let pause = filters.refuse.unwrap_or_default();
            asked.quiet_until = now + pause.max(MIN_INVERSE_OFFER_PAUSE);
        }
    }

    /// Forgets everything about some pairs; gives the ids that waited for an answer.
    fn forget(
        &mut self,
        which: impl Fn(AgentKey, FrameworkKey) -> bool,
    ) -> Vec<(FrameworkKey, OfferId)> {
        let mut rescinded = Vec::new();
        self.asked.retain(|(agent, framework), asked| {
            let goes = which(*agent, *framework);
            if goes && let Some((number, offer)) = asked.outstanding.take() {
                self.outstanding.remove(&number);
                rescinded.push((*framework, offer.id));
            }
            !goes
        });
        rescinded
    }

    /// When a framework may be asked again that may not now.
    fn next_end_of_quiet(&self, now: Time) -> Option<Time> {
        let quiet = self.asked.values().map(|asked| asked.quiet_until);
        quiet.filter(|until| *until > now).min()
    }
}

/// The number of an inverse offer, and when it was made.
struct Place {
    number: OfferNumber,
    now: Time,
}

impl Master {
    /// After what may have changed who is to be asked. Nothing without maintenance.
    pub(crate) fn arm_inverse_offers(&mut self) {
        if self.maintenance.agents.is_empty() {
            return;
        }
        let soon = self.now + self.config.allocation_window;
        if self
            .timers
            .due(Timer::InverseOffers)
            .is_none_or(|at| at > soon)
        {
            self.timers.set(Timer::InverseOffers, soon);
        }
    }

    /// Asks every active framework that holds anything of an agent that will be away, unless it
    /// was asked and has not answered, or answered not long ago.
    pub(crate) fn send_inverse_offers(&mut self, effects: &mut Effects) {
        let now = self.now;
        let mut offers: BTreeMap<FrameworkKey, Vec<InverseOffer>> = BTreeMap::new();
        for agent in self.maintenance.agents.clone() {
            for framework in self.holders(agent) {
                if self.inverse_offers.waits(agent, framework, now) {
                    continue;
                }
                if let Some(offer) = self.make_inverse_offer(agent, framework) {
                    offers.entry(framework).or_default().push(offer);
                }
            }
        }
        for (key, offers) in offers {
            self.tell(key, FrameworkEvent::InverseOffers(offers), effects);
        }
        if let Some(at) = self.inverse_offers.next_end_of_quiet(now) {
            self.timers.set(Timer::InverseOffers, at);
        }
    }

    /// The connected frameworks that have tasks on an agent or offers of it.
    fn holders(&self, key: AgentKey) -> BTreeSet<FrameworkKey> {
        let Some(agent) = self.agents.get(key).filter(|_| self.is_reachable(key)) else {
            return BTreeSet::new();
        };
        let with_tasks = agent.tasks.iter().filter(|(key, id)| {
            let framework = self.frameworks.get(*key);
            let task = framework.and_then(|framework| framework.tasks.get(id));
            task.is_some_and(|task| !task.is_over())
        });
        let offers = agent.offers.iter();
        let with_offers = offers.filter_map(|number| self.offers.get(*number));
        let all = with_tasks
            .map(|(key, _)| *key)
            .chain(with_offers.map(|held| held.framework));
        let connected = |key: &FrameworkKey| {
            let framework = self.frameworks.get(*key);
            framework.is_some_and(|framework| framework.state == FrameworkState::Connected)
        };
        all.filter(connected).collect()
    }

    fn make_inverse_offer(
        &mut self,
        agent_key: AgentKey,
        key: FrameworkKey,
    ) -> Option<InverseOffer> {
        let framework = self.frameworks.get(key)?;
        let agent = self.agents.get(agent_key)?;
        let unavailability = agent.unavailability?;
        let (number, id) = self.ids.next_offer();
        let offer = InverseOffer {
            id,
            framework_id: framework.id.clone(),
            agent_id: agent.id.clone(),
            unavailability,
            resources: Vec::new(),
        };
        let place = Place {
            number,
            now: self.now,
        };
        self.inverse_offers
            .put(agent_key, key, offer.clone(), place);
        Some(offer)
    }

    /// ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS.
    pub(crate) fn answer_inverse_offers(
        &mut self,
        key: FrameworkKey,
        said: &InverseAnswer,
        effects: &mut Effects,
    ) {
        for id in &said.offers {
            let number = self.ids.offer_number(id);
            let own = number.filter(|number| {
                let pair = self.inverse_offers.outstanding.get(number);
                pair.is_some_and(|(_, framework)| *framework == key)
            });
            match own {
                Some(number) => {
                    let now = self.now;
                    self.inverse_offers
                        .take_answer(number, said.answer, now, said.filters);
                }
                // Neither answer to a notice of preemption changes anything.
                None if number.is_some_and(|it| self.preemptions.has_notice(it, key)) => {}
                None => effects.warn(format!(
                    "ignoring an answer to inverse offer {id}: it stands no longer"
                )),
            }
        }
    }

    /// An agent will not be away, or in another time, or is no more there to be left.
    pub(crate) fn forget_inverse_offers_of_agent(&mut self, key: AgentKey, effects: &mut Effects) {
        for (framework, id) in self.inverse_offers.forget(|agent, _| agent == key) {
            self.tell(framework, FrameworkEvent::RescindInverseOffer(id), effects);
        }
    }

    /// A framework that is away, or comes back as another process, does not know of them.
    pub(crate) fn forget_inverse_offers_of_framework(&mut self, key: FrameworkKey) {
        self.inverse_offers.forget(|_, framework| framework == key);
        self.forget_notices_of(key);
    }
}
