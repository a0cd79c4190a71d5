//! Waste: who lets the tasks of others end, and then does not use the room, has to do without that
//! for a while; for longer each time, until it uses an offer.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{FrameworkKey, Time};

use super::{Phase, PlanKey};
use crate::{
    Master,
    ids::OfferNumber,
    limits::{MAX_WASTE_BACKOFF, WASTE_BACKOFF},
    notices::OfferEnd,
    offers::Held,
};

/// How often a framework has wasted room in a row, and until when nobody ends for it.
#[derive(Clone, Copy, Debug)]
struct Penalty {
    times: u32,
    until: Time,
}

/// Who wasted room, and who may yet.
#[derive(Debug, Default)]
pub(super) struct Wastes {
    /// Offers that others were killed for, and that have no answer yet.
    unanswered: BTreeSet<OfferNumber>,
    penalties: BTreeMap<FrameworkKey, Penalty>,
}

impl Wastes {
    /// Until when nobody ends for a framework, if that is yet to come.
    pub(super) fn barred(&self, framework: FrameworkKey, now: Time) -> Option<Time> {
        let until = self.penalties.get(&framework)?.until;
        (until > now).then_some(until)
    }

    /// When the next that is barred no longer is.
    pub(super) fn next_end(&self, now: Time) -> Option<Time> {
        let ends = self.penalties.values().map(|penalty| penalty.until);
        ends.filter(|until| *until > now).min()
    }

    fn punish(&mut self, framework: FrameworkKey, now: Time) {
        let known = self.penalties.get(&framework);
        let times = known.map_or(0, |penalty| penalty.times).saturating_add(1);
        let until = now + backoff(times);
        self.penalties.insert(framework, Penalty { times, until });
    }
}

/// How long nobody ends for who has wasted room so many times in a row.
fn backoff(times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    WASTE_BACKOFF.saturating_mul(factor).min(MAX_WASTE_BACKOFF)
}

impl Master {
    /// An offer is over: room that others were killed for is used by it, or wasted.
    pub(crate) fn note_use(&mut self, number: OfferNumber, held: &Held, end: OfferEnd) {
        let wastes = &mut self.preemptions.wastes;
        let was_made_room_for = wastes.unanswered.remove(&number);
        match end {
            OfferEnd::Accepted => {
                wastes.penalties.remove(&held.framework);
                let plans = self.preemptions.plans.values_mut();
                for plan in plans.filter(|plan| plan.framework == held.framework) {
                    plan.has_killed = false;
                }
            }
            OfferEnd::Declined | OfferEnd::TimedOut if was_made_room_for => {
                wastes.punish(held.framework, self.now);
            }
            _ => {}
        }
    }

    /// A plan is over: its framework owes an answer to what it is offered for it. If it is offered
    /// nothing and asks no longer, others were killed for nothing.
    pub(super) fn note_outcome(&mut self, key: PlanKey) {
        let Some(plan) = self.preemptions.plans.get(&key) else {
            return;
        };
        let is_free = matches!(plan.phase, Phase::Freed { .. });
        let framework = self.frameworks.get(plan.framework);
        let Some(framework) = framework.filter(|it| it.connection.is_some()) else {
            return;
        };
        if !is_free || !plan.has_killed {
            return;
        }
        let offers = framework.offers.iter().filter_map(|number| {
            let held = self.offers.get(*number)?;
            (held.offer.role == plan.role).then_some((*number, held.agent))
        });
        let offers: Vec<_> = offers.collect();
        let is_withdrawn = offers.is_empty() && !self.is_needed(key, plan);
        let here = offers.iter().filter(|(_, agent)| *agent == plan.agent);
        let asker = plan.framework;
        let wastes = &mut self.preemptions.wastes;
        wastes.unanswered.extend(here.map(|(number, _)| *number));
        if is_withdrawn {
            wastes.punish(asker, self.now);
        }
    }

    /// A framework is removed; its key may become another's.
    pub(crate) fn forget_wastes_of(&mut self, framework: FrameworkKey) {
        self.preemptions.wastes.penalties.remove(&framework);
    }

    /// What an operator should know of who wasted room.
    pub(crate) fn words_on_waste(&self, framework: FrameworkKey) -> Option<String> {
        let until = self.preemptions.wastes.barred(framework, self.now)?;
        let left = until.since(self.now).as_secs_f64();
        Some(format!(
            "nobody ends for it for another {left:.1} s: it did not use the room that tasks \
             ended for"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_limit() {
        let doubles = [1, 2, 4].map(|factor| WASTE_BACKOFF * factor);
        assert_eq!([1, 2, 3].map(backoff), doubles);
        assert_eq!([20, u32::MAX].map(backoff), [MAX_WASTE_BACKOFF; 2]);
    }
}
