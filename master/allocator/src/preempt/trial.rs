//! What would be offered if some holdings were free, asked of the functions that decide.

use std::collections::BTreeMap;

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Scalars, Time};

use super::{Budgets, Holding, victims};
use crate::{
    Ask,
    agents::{Court, exclusive, subtract_what_is_there},
    allocator::Allocator,
    contest::{Contest, Load, Stage, open},
};

/// One ask of somebody, on one agent.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who asks.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: &'a Role,
    /// For what.
    pub ask: &'a Ask,
    /// Where it might be had.
    pub agent: AgentKey,
}

/// Tries what would be if tasks ended, and changes nothing. Dear to make where there is a quota:
/// make one for many questions.
#[derive(Debug)]
pub struct Trial<'a> {
    allocator: &'a Allocator,
    /// Where quota makes it matter what others hold: a copy in which they can hold less.
    contest: Option<Contest>,
    now: Time,
    /// What will be free of an agent beyond what is.
    freed: BTreeMap<AgentKey, Resources>,
    /// What of it is promised to whom.
    promised: BTreeMap<(AgentKey, u32), Resources>,
}

impl Allocator {
    /// Begins to try what would be if tasks ended.
    #[must_use]
    pub fn trial(&self, now: Time) -> Trial<'_> {
        Trial {
            allocator: self,
            contest: self.contest.has_quotas().then(|| self.contest.clone()),
            now,
            freed: BTreeMap::new(),
            promised: BTreeMap::new(),
        }
    }
}

impl Trial<'_> {
    /// Counts with the end of a holding that is decided already.
    pub fn assume_freed(&mut self, agent: AgentKey, holding: &Holding) {
        let holder = self
            .allocator
            .contest
            .find(holding.framework, &holding.role);
        let resources = exclusive(&holding.resources);
        if let (Some(copy), Some(holder)) = (&mut self.contest, holder) {
            copy.give_back(holder, &Load::of(&holding.resources), false);
            copy.change_available(&Scalars::new(), &open(&resources));
        }
        *self.freed.entry(agent).or_default() += &*resources;
    }

    /// Counts with what somebody will be offered for whom room is made already.
    pub fn assume_promised(&mut self, wanted: Wanted<'_>) {
        let client = self.allocator.contest.find(wanted.framework, wanted.role);
        let Some(slot) = client else { return };
        let resources = &wanted.ask.resources;
        if let Some(copy) = &mut self.contest {
            copy.take(slot, &Load::of(resources), false);
            copy.change_available(&open(resources), &Scalars::new());
        }
        *self.promised.entry((wanted.agent, slot)).or_default() += resources;
    }

    /// The holdings on an agent to take back so that an ask is offered; nothing if that cannot be,
    /// and none of them if it is offered without.
    pub fn victims(
        &mut self,
        wanted: Wanted<'_>,
        holdings: &[Holding],
        budgets: &Budgets,
    ) -> Option<Vec<u64>> {
        let helpful = holdings.iter();
        let helpful = helpful.filter(|holding| holding.helps(&wanted.ask.resources));
        victims(helpful, budgets, |freed| self.serves(wanted, freed))
    }

    /// Whether an ask would be offered on an agent if those holdings were free.
    pub fn serves(&mut self, wanted: Wanted<'_>, freed: &[&Holding]) -> bool {
        let Some(agent) = self.allocator.agents.get(wanted.agent.0) else {
            return false;
        };
        let Some(slot) = self.allocator.contest.find(wanted.framework, wanted.role) else {
            return false;
        };
        let mut sum = Resources::new();
        for holding in freed {
            sum += &*exclusive(&holding.resources);
        }
        let mut free = agent.free().clone() + &sum;
        if let Some(freed) = self.freed.get(&wanted.agent) {
            free += freed;
        }
        if let Some(promised) = self.promised.get(&(wanted.agent, slot)) {
            subtract_what_is_there(&mut free, promised);
        }
        let Some(copy) = &mut self.contest else {
            let contest = &self.allocator.contest;
            return Self::is_offered(self.allocator, contest, wanted, slot, &free, self.now);
        };
        let none = Scalars::new();
        let allocator = self.allocator;
        let each = |change: &mut dyn FnMut(u32, &Load)| {
            for holding in freed {
                let holder = allocator.contest.find(holding.framework, &holding.role);
                if let Some(holder) = holder {
                    change(holder, &Load::of(&holding.resources));
                }
            }
        };
        each(&mut |holder, load| copy.give_back(holder, load, false));
        copy.change_available(&none, &open(&sum));
        let offered = Self::is_offered(allocator, copy, wanted, slot, &free, self.now);
        each(&mut |holder, load| copy.take(holder, load, false));
        copy.change_available(&open(&sum), &none);
        offered
    }

    fn is_offered(
        allocator: &Allocator,
        contest: &Contest,
        wanted: Wanted<'_>,
        slot: u32,
        free: &Resources,
        now: Time,
    ) -> bool {
        let client = contest.client(slot).filter(|it| it.state.in_play());
        let (Some(agent), Some(client)) = (allocator.agents.get(wanted.agent.0), client) else {
            return false;
        };
        let Some(place) = client.demand.as_ref().and_then(|it| it.place(wanted.ask)) else {
            return false;
        };
        [Stage::Shares, Stage::Guarantees].into_iter().any(|stage| {
            let court = Court {
                contest,
                options: &allocator.options,
                stage,
            };
            let parts = agent.what_if(court, slot, free, now);
            parts.iter().any(|(covered, _)| *covered == place)
        })
    }
}
