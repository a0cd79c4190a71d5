//! ACCEPT: offers are used, and what is not used is declined (Mesos: OFF-03, OFF-04).

use std::collections::{BTreeMap, BTreeSet};

use tepui_allocator::Filter;
use tepui_model::{
    AgentKey, FrameworkKey, Insufficient, OfferId, OfferOperation, Reason, Resources, Role,
    Scalars, TaskState, Traits,
};
use tepui_proto::v1;

use super::Held;
use crate::{
    Master,
    calls::{Accept, Operation},
    effects::Effects,
    ids::OfferNumber,
    notices::OfferEnd,
    tasks::Verdict,
};

/// What an ACCEPT has to work with: one agent, one role, and what is left of the offers.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) framework: FrameworkKey,
    pub(crate) agent: AgentKey,
    pub(crate) role: Role,
    pub(crate) left: Resources,
    /// What no further operation of the ACCEPT may use.
    pub(crate) aside: Resources,
    /// All that was accepted.
    offered: Resources,
    /// What of it others were killed for.
    pub(crate) room: Scalars,
}

impl Grant {
    pub(super) fn of(held: &Held) -> Self {
        Self {
            framework: held.framework,
            agent: held.agent,
            role: held.offer.role.clone(),
            left: held.offer.resources.clone(),
            aside: Resources::new(),
            offered: held.offer.resources.clone(),
            room: held.room.clone().unwrap_or_default(),
        }
    }

    /// Another offer of the same agent in the same role is accepted too.
    pub(super) fn add(&mut self, held: &Held) {
        self.left += &held.offer.resources;
        self.offered += &held.offer.resources;
        if let Some(room) = &held.room {
            self.room.add(room);
        }
    }

    /// How much of what was offered does not come back as it was: tasks have it, or it was made
    /// something else.
    pub(crate) fn used(&self) -> Scalars {
        let offered: BTreeMap<_, _> = bundles(&self.offered).collect();
        let mut left: Scalars = Scalars::new();
        for (traits, scalars) in bundles(&self.left).chain(bundles(&self.aside)) {
            if offered.contains_key(traits) {
                left.add(scalars);
            }
        }
        self.offered.scalars().saturating_sub(&left)
    }

    /// A task takes what it needs. A shared volume stays for the tasks that follow
    /// (Mesos: VOL-04).
    pub(super) fn take(&mut self, resources: &Resources) -> Result<(), Insufficient> {
        if resources.shared().is_empty() {
            return self.left.subtract(resources);
        }
        self.left.subtract(&resources.exclusive())
    }
}

/// The scalars of each nature.
fn bundles(resources: &Resources) -> impl Iterator<Item = (&Traits, &Scalars)> {
    let bundles = resources.bundles();
    bundles.map(|(traits, amounts, _)| (traits, amounts.scalars()))
}

/// How the tasks of an operation that is not done are told.
pub(super) struct Refusal<'a> {
    pub(super) state: TaskState,
    pub(super) reason: Reason,
    pub(super) message: &'a str,
}

impl Master {
    pub(crate) fn accept(&mut self, key: FrameworkKey, accept: Accept, effects: &mut Effects) {
        match self.check_offers(key, &accept) {
            Ok(numbers) if accept.all_or_nothing && !accept.operations.is_empty() => {
                self.accept_together(&numbers, accept, effects);
            }
            Ok(numbers) => self.accept_offers(&numbers, accept, effects),
            Err(problem) => self.refuse_accept(key, accept, &problem, effects),
        }
    }

    fn accept_offers(&mut self, numbers: &[OfferNumber], accept: Accept, effects: &mut Effects) {
        let declines = accept.operations.is_empty();
        if declines {
            // What others are shown too does not come back together with what is held alone.
            let shared = numbers.iter().copied();
            let shared: Vec<_> = shared.filter(|number| self.is_shared(*number)).collect();
            self.decline_offers(&shared, accept.filters, effects);
        }
        let (end, filter) = if declines {
            (OfferEnd::Declined, Some(self.declined(accept.filters)))
        } else {
            let filter = self.config.allocator.unused(self.now, &accept.filters);
            (OfferEnd::Accepted, filter)
        };
        let mut grants = self.end_offers(numbers, end, effects);
        // Only if there are no operations can there be several agents.
        if let Some(grant) = grants.first_mut() {
            for operation in accept.operations {
                self.operate_on(grant, operation, effects);
            }
        }
        self.settle(grants, filter);
    }

    /// Offers are over: accepted, or declined together. What they have to give, by agent.
    pub(super) fn end_offers(
        &mut self,
        numbers: &[OfferNumber],
        end: OfferEnd,
        effects: &mut Effects,
    ) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        for number in numbers {
            let Some(held) = self.end_offer(*number, end, effects) else {
                continue;
            };
            self.settle_asks(&held, end, effects);
            match grants.iter_mut().find(|grant| grant.agent == held.agent) {
                Some(grant) => grant.add(&held),
                None => grants.push(Grant::of(&held)),
            }
        }
        grants
    }

    /// What an offer was asked for is not asked for any longer, unless it comes back unused.
    fn settle_asks(&mut self, held: &Held, end: OfferEnd, effects: &mut Effects) {
        let (framework, agent) = (held.framework, held.agent);
        let (role, resources) = (&held.offer.role, &held.offer.resources);
        if end == OfferEnd::Accepted {
            self.allocator.accept(framework, role, agent, resources);
            return self.serve_gang(held);
        }
        self.allocator.reopen(framework, role, agent, resources);
        if let Some(gang) = held.gang {
            self.dissolve_gang(framework, gang, OfferEnd::Rescinded, effects);
        }
    }

    /// What was accepted and not used is free again.
    pub(super) fn settle(&mut self, grants: Vec<Grant>, filter: Option<Filter>) {
        for grant in grants {
            self.note_use(&grant);
            let left = grant.left + &grant.aside;
            self.allocator
                .recover(grant.framework, &grant.role, grant.agent, &left, filter);
        }
    }

    /// Operations are applied one after the other; one that fails does not hinder the next.
    fn operate_on(&mut self, grant: &mut Grant, operation: Operation, effects: &mut Effects) {
        let key = grant.framework;
        match operation.kind {
            OfferOperation::Launch(tasks) => {
                for task in tasks {
                    self.launch(grant, task, effects);
                }
            }
            OfferOperation::LaunchGroup { executor, tasks } => {
                self.launch_group(grant, executor.as_deref(), tasks, effects);
            }
            OfferOperation::Resources(resources) => {
                self.convert(grant, operation.id, &resources, effects);
            }
            OfferOperation::Invalid { reason, tasks } if tasks.is_empty() => {
                self.refuse_operation(key, operation.id, &reason, effects);
            }
            OfferOperation::Invalid { reason, tasks } => {
                let refusal = Refusal {
                    state: TaskState::Error,
                    reason: Reason::TaskInvalid,
                    message: &reason,
                };
                self.refuse_tasks(key, tasks, &refusal, effects);
            }
        }
    }

    /// The offers' numbers, or what is wrong with them in Mesos' words and order.
    fn check_offers(&self, key: FrameworkKey, accept: &Accept) -> Result<Vec<OfferNumber>, String> {
        let ids = &accept.offers;
        if ids.is_empty() {
            return Err("No offers specified".to_owned());
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(*id)) {
            return Err(format!("Duplicate offer {twice} in offer list"));
        }
        let number = |id: &OfferId| {
            let number = self.ids.offer_number(id);
            let number = number.filter(|number| self.offers.get(*number).is_some());
            number.ok_or_else(|| format!("Offer {id} is no longer valid"))
        };
        let numbers = ids.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        self.check_owner(key, &numbers)?;
        self.check_role(&numbers)?;
        if !accept.all_or_nothing {
            self.check_agent(&numbers)?;
        }
        Ok(numbers)
    }

    fn check_owner(&self, key: FrameworkKey, numbers: &[OfferNumber]) -> Result<(), String> {
        let offers = numbers.iter().filter_map(|number| self.offers.get(*number));
        let Some(held) = offers.into_iter().find(|held| held.framework != key) else {
            return Ok(());
        };
        let expected = self
            .frameworks
            .get(key)
            .map(|framework| framework.id.clone());
        Err(format!(
            "Offer {} has invalid framework {} while framework {} is expected",
            held.offer.id,
            held.offer.framework_id,
            expected.as_ref().map_or("", |id| id.as_str()),
        ))
    }

    fn check_role(&self, numbers: &[OfferNumber]) -> Result<(), String> {
        let mut offers = numbers.iter().filter_map(|number| self.offers.get(*number));
        let Some(first) = offers.next() else {
            return Ok(());
        };
        match offers.find(|held| held.offer.role != first.offer.role) {
            None => Ok(()),
            Some(other) => Err(format!(
                "Aggregated offers must be allocated to the same role. Offer {} uses role '{}' \
                 but another is using role '{}'",
                other.offer.id, other.offer.role, first.offer.role,
            )),
        }
    }

    fn check_agent(&self, numbers: &[OfferNumber]) -> Result<(), String> {
        let mut offers = numbers.iter().filter_map(|number| self.offers.get(*number));
        let Some(first) = offers.next() else {
            return Ok(());
        };
        match offers.find(|held| held.agent != first.agent) {
            None => Ok(()),
            Some(other) => Err(format!(
                "Aggregated offers must belong to one single agent. Offer {} uses agent {} and \
                 agent {}",
                other.offer.id, other.offer.agent_id, first.offer.agent_id,
            )),
        }
    }

    /// Nothing is launched; the framework's own valid offers among them are over (Mesos: OFF-04).
    fn refuse_accept(
        &mut self,
        key: FrameworkKey,
        accept: Accept,
        problem: &str,
        effects: &mut Effects,
    ) {
        let own = accept.offers.iter();
        let own: Vec<_> = own.filter_map(|id| self.own_offer(key, id)).collect();
        self.decline_offers(&own, accept.filters, effects);
        let aware = self
            .frameworks
            .get(key)
            .is_some_and(|framework| framework.is_partition_aware());
        let message = format!("Task launched with invalid offers: {problem}");
        let refusal = Refusal {
            state: Verdict::Dropped.state(aware),
            reason: Reason::InvalidOffers,
            message: &message,
        };
        for operation in accept.operations {
            let problem = format!("Operation attempted with invalid offers: {problem}");
            self.refuse_operation(key, operation.id, &problem, effects);
            self.refuse_tasks(key, operation.kind.into_tasks(), &refusal, effects);
        }
    }

    pub(super) fn refuse_tasks(
        &self,
        key: FrameworkKey,
        tasks: Vec<v1::TaskInfo>,
        refusal: &Refusal<'_>,
        effects: &mut Effects,
    ) {
        for task in tasks {
            let Refusal {
                state,
                reason,
                message,
            } = *refusal;
            self.tell_refusal(key, &task, (state, reason), message, effects);
        }
    }
}

#[cfg(test)]
mod tests;
