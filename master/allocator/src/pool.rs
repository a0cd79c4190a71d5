//! Optimistic offers: resources that are shown to several frameworks, and go to whoever accepts
//! them first.
//!
//! They are charged to one of them, the one whose turn it was, exactly as if they were shown to
//! nobody else. So whoever is not optimistic is offered what it would be offered anyway, and every
//! sum stays as it is. The others hold nothing; when one of them accepts, or the first declines,
//! the charge passes on.

use std::collections::BTreeSet;

use tepui_model::{AgentKey, FrameworkKey, Resources, Role};

use crate::{
    agents::Court,
    allocator::Allocator,
    contest::{Load, Stage},
    limits::MAX_VIEWS,
    options::Filter,
    violation::Violation,
};

/// What another framework is shown of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Whom.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: Role,
    /// What: all of the offer, or the part that is for this framework.
    pub resources: Resources,
}

/// Who holds something, or is shown it.
pub(crate) type Holder<'a> = (FrameworkKey, &'a Role);

/// Which client is shown what, and for which of its asks.
type Showing = (u32, Resources, Vec<(usize, u32)>);

impl Allocator {
    /// Shows an offer to others who may be shown it, in the order in which they are served.
    ///
    /// A role that quota is about is offered what it is offered alone: what it is shown is not
    /// counted, and so could be more than it may have.
    pub(crate) fn show_to_others(
        &mut self,
        key: AgentKey,
        lead: u32,
        offer: &Resources,
    ) -> Vec<View> {
        let client = self.contest.client(lead);
        let optimist = client.is_some_and(|client| client.state.is_optimist());
        if !optimist || self.contest.has_guarantees() || !offer.shared().is_empty() {
            return Vec::new();
        }
        self.contest.settle();
        let chosen = self.viewers(key, lead, offer);
        let mut views = Vec::with_capacity(chosen.len());
        for (slot, view, parts) in chosen {
            let Some(client) = self.contest.client(slot) else {
                continue;
            };
            let Some(role) = self.contest.role(client.role) else {
                continue;
            };
            let (framework, role) = (client.framework, role.name.clone());
            if let Some(demand) = self.contest.demand_mut(slot) {
                demand.show(key, &view, parts);
                self.look_again_for(slot);
            }
            views.push(View {
                framework,
                role,
                resources: view,
            });
        }
        views
    }

    /// Who may be shown an offer, what of it, and for which asks: each framework once.
    fn viewers(&self, key: AgentKey, lead: u32, offer: &Resources) -> Vec<Showing> {
        let Some(agent) = self.agents.get(key.0) else {
            return Vec::new();
        };
        let court = Court {
            contest: &self.contest,
            options: &self.options,
            stage: Stage::Shares,
        };
        let lead = self.contest.client(lead).map(|lead| lead.framework);
        let mut served: BTreeSet<FrameworkKey> = lead.into_iter().collect();
        let mut shown = agent.showing(court, offer);
        let viewers = self.contest.in_order().filter_map(|slot| {
            let client = self.contest.client(slot)?;
            let role = self.contest.role(client.role)?;
            if !client.state.is_optimist() || role.limited || served.contains(&client.framework) {
                return None;
            }
            let choice = shown(slot)?;
            served.insert(client.framework);
            let view = choice.offer.unwrap_or_else(|| offer.clone());
            Some((slot, view, choice.parts))
        });
        viewers.take(MAX_VIEWS).collect()
    }

    /// What was charged to one framework is charged to another from now on, who was shown `view`
    /// of it. The rest is free. What the first one asked for is for [`Allocator::reopen`].
    pub fn pass_on(
        &mut self,
        agent: AgentKey,
        (from, offer): (Holder<'_>, &Resources),
        (to, view): (Holder<'_>, &Resources),
    ) {
        let (Some(giver), Some(ledger)) = (
            self.contest.find(from.0, from.1),
            self.agents.get_mut(agent.0),
        ) else {
            return;
        };
        if ledger.release(giver, offer).is_err() {
            let violation = Violation::NotHeld {
                framework: from.0,
                role: from.1.clone(),
                agent,
                resources: offer.to_string(),
            };
            self.misuse.get_or_insert(violation);
            return;
        }
        let last = !ledger.ledger().has(giver);
        self.contest.give_back(giver, &Load::of(offer), last);
        let taker = self.contest.enlist(to.0, to.1);
        let first = !ledger.ledger().has(taker);
        ledger.charge(taker, view);
        self.contest.take(taker, &Load::of(view), first);
        self.nominate(agent);
        self.contest.retire(giver);
    }

    /// A framework refused what it was shown and is not charged for.
    pub fn refuse(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        view: &Resources,
        Filter { until }: Filter,
    ) {
        let Some(client) = self.contest.find(framework, role) else {
            return;
        };
        let known = self.contest.client(client);
        let subscribed = known.is_some_and(|client| client.state.subscribed);
        if let Some(ledger) = self.agents.get_mut(agent.0).filter(|_| subscribed) {
            ledger.refuse(client, view, until);
            self.contest.note_refusal(client, agent);
            self.nominate(agent);
        }
    }
}
