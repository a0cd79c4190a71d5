//! Demand: a framework says what it waits for, and its offers are cut to that.

pub(crate) mod fit;

use core::cmp::Reverse;
use std::sync::Arc;

use tepui_model::{AgentKey, Resources, Scalars};

use self::fit::take;
use crate::limits::{MAX_ASKS, MAX_COPIES};

/// What a framework waits for: so many times those resources, each on one agent.
///
/// Quantities may come from what is reserved to the framework's role or its ancestors, or from
/// what is unreserved; what has traits of its own is asked for as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What one task needs.
    pub resources: Resources,
    /// How many of them.
    pub count: u32,
    /// The one agent that will do; any, if unset.
    pub agent: Option<AgentKey>,
    /// What it is asked together with: asks of one name are offered all together or not at all.
    pub gang: Option<Arc<str>>,
    /// The higher comes first among what the same role asks for; who asks for nothing has 0.
    pub priority: i32,
}

impl Ask {
    /// So many times those resources, each on any agent.
    #[must_use]
    pub fn new(resources: Resources, count: u32) -> Self {
        Self {
            resources,
            count,
            agent: None,
            gang: None,
            priority: 0,
        }
    }

    /// Whether it is the same but for how often it is asked for.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.resources == other.resources
            && self.agent == other.agent
            && self.gang == other.gang
            && self.priority == other.priority
    }

    /// Whether that agent will do.
    pub(crate) fn may_be_on(&self, agent: AgentKey) -> bool {
        self.agent.is_none_or(|wanted| wanted == agent)
    }
}

/// What one client waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// What has not been offered yet.
    asks: Vec<Ask>,
    /// The offers that wait for an answer.
    shown: Vec<Shown>,
}

/// An offer that covers asks.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    agent: AgentKey,
    resources: Resources,
    parts: Parts,
}

/// Which asks an offer covers, by their place, and how many times.
pub(crate) type Parts = Vec<(usize, u32)>;

impl Demand {
    /// The demand of those asks, those of the highest priority first; those beyond the limit, and
    /// empty ones, are passed over.
    pub(crate) fn new(asks: Vec<Ask>) -> Self {
        let asks = asks.into_iter().filter(|ask| !ask.resources.is_empty());
        let mut asks: Vec<Ask> = asks.take(MAX_ASKS).collect();
        asks.sort_by_key(|ask| Reverse(ask.priority));
        let shown = Vec::new();
        Self { asks, shown }
    }

    /// Where an ask that has not been offered yet is among the others.
    pub(crate) fn place(&self, ask: &Ask) -> Option<usize> {
        let it = |own: &Ask| own.count > 0 && own.is_like(ask);
        self.asks.iter().position(it)
    }

    /// The highest priority of what has not been offered yet; 0 if there is nothing.
    pub(crate) fn priority(&self) -> i32 {
        self.open().next().map_or(0, |ask| ask.priority)
    }

    /// What has not been offered yet.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Ask> + '_ {
        self.asks.iter().filter(|ask| ask.count > 0)
    }

    /// As many asks as fit into an offer of an agent, by priority and as they were made, and
    /// what they take together; nothing if none fits.
    pub(crate) fn fit(&self, agent: AgentKey, offer: &Resources) -> Option<(Resources, Parts)> {
        let mut left = offer.clone();
        let (mut sum, mut parts) = (Resources::new(), Parts::new());
        let mut copies = 0;
        let asks = self.asks.iter().enumerate();
        for (place, ask) in asks.filter(|(_, ask)| ask.may_be_on(agent)) {
            let mut count = 0;
            while count < ask.count && copies < MAX_COPIES {
                let Some(taken) = take(&mut left, &ask.resources) else {
                    break;
                };
                sum += taken;
                count += 1;
                copies += 1;
            }
            if count > 0 {
                parts.push((place, count));
            }
        }
        (!parts.is_empty()).then_some((sum, parts))
    }

    /// The scalars that are missing for the ask that comes closest to fitting into an offer of an
    /// agent.
    pub(crate) fn nearest_miss(
        &self,
        agent: AgentKey,
        offer: &Resources,
    ) -> Option<(Ask, Scalars)> {
        let have = offer.scalars();
        let missing = |ask: &Ask| ask.resources.scalars().saturating_sub(&have);
        let here = self.open().filter(|ask| ask.may_be_on(agent));
        let misses = here.map(|ask| (ask.clone(), missing(ask)));
        misses.min_by(|(one, left), (two, right)| {
            let part =
                |ask: &Ask, missing: &Scalars| missing.dominant_share(&ask.resources.scalars());
            part(one, left).cmp(&part(two, right))
        })
    }

    /// An offer was made.
    pub(crate) fn show(&mut self, agent: AgentKey, resources: &Resources, parts: Parts) {
        for (place, count) in &parts {
            self.asks[*place].count -= count;
        }
        self.shown.push(Shown {
            agent,
            resources: resources.clone(),
            parts,
        });
    }

    /// An offer came back whole: its asks are open again. Whether it covered any.
    pub(crate) fn give_back(&mut self, agent: AgentKey, offer: &Resources) -> bool {
        let shown = self.take(agent, offer);
        if let Some(shown) = &shown {
            self.reopen(shown);
        }
        shown.is_some()
    }

    /// An offer was accepted: what it covered is no longer asked for.
    pub(crate) fn accept(&mut self, agent: AgentKey, offer: &Resources) {
        self.take(agent, offer);
    }

    fn take(&mut self, agent: AgentKey, offer: &Resources) -> Option<Shown> {
        let it = |shown: &Shown| shown.agent == agent && shown.resources == *offer;
        let at = self.shown.iter().position(it)?;
        Some(self.shown.swap_remove(at))
    }

    /// An agent is gone, with whatever was offered of it. Whether asks are open again. What was
    /// asked of that agent only is asked no longer: another may get its key.
    pub(crate) fn lose(&mut self, agent: AgentKey) -> bool {
        let lost: Vec<Shown> = self
            .shown
            .extract_if(.., |shown| shown.agent == agent)
            .collect();
        lost.iter().for_each(|shown| self.reopen(shown));
        for ask in self.asks.iter_mut().filter(|ask| ask.agent == Some(agent)) {
            ask.count = 0;
        }
        !lost.is_empty()
    }

    fn reopen(&mut self, shown: &Shown) {
        for (place, count) in &shown.parts {
            self.asks[*place].count += count;
        }
    }
}

#[cfg(test)]
mod tests;
