//! Waste: who lets the tasks of others end, and then does not use the room, has to do without that
//! for a while; for longer each time, until it uses such room.

use core::time::Duration;
use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Scalars, Time};

use super::{Phase, Plan, PlanKey};
use crate::{
    Master,
    ids::OfferNumber,
    limits::{MAX_WASTE_BACKOFF, WASTE_BACKOFF},
    notices::OfferEnd,
    offers::{Grant, Held},
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
    /// Offers that others were killed for, and that have no answer yet; with what was asked for.
    unanswered: BTreeMap<OfferNumber, Scalars>,
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

/// Whether so much is a use of room that was made: at least half of some kind that was asked for.
fn makes_use(used: &Scalars, room: &Scalars) -> bool {
    let mut kinds = room.iter();
    kinds.any(|(kind, asked)| used.get(&kind).millis() >= asked.millis() / 2)
}

/// How long nobody ends for who has wasted room so many times in a row.
fn backoff(times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    WASTE_BACKOFF.saturating_mul(factor).min(MAX_WASTE_BACKOFF)
}

impl Master {
    /// An offer is over: the room in it that others were killed for. It is wasted, unless the offer
    /// is accepted; then it is seen afterwards whether it was used.
    pub(crate) fn end_room(
        &mut self,
        number: OfferNumber,
        held: &Held,
        end: OfferEnd,
    ) -> Option<Scalars> {
        let wastes = &mut self.preemptions.wastes;
        let room = wastes.unanswered.remove(&number)?;
        if matches!(end, OfferEnd::Declined | OfferEnd::TimedOut) {
            wastes.punish(held.framework, self.now);
        }
        (end == OfferEnd::Accepted).then_some(room)
    }

    /// Offers were accepted, and what was to be done with them is done. Only the use of such room
    /// counts: a small offer that is used besides says nothing of it.
    pub(crate) fn note_use(&mut self, grant: &Grant) {
        let framework = grant.framework;
        let own = |plan: &&mut Plan| plan.framework == framework && plan.role == grant.role;
        let mut plans = self.preemptions.plans.values_mut().filter(own).peekable();
        if plans.peek().is_none() && grant.room.is_empty() {
            return;
        }
        let used = grant.used();
        for plan in plans {
            // It was served by other means before its room was there.
            if makes_use(&used, &plan.ask.resources.scalars()) {
                plan.has_killed = false;
            }
        }
        let wastes = &mut self.preemptions.wastes;
        if grant.room.is_empty() {
        } else if makes_use(&used, &grant.room) {
            wastes.penalties.remove(&framework);
        } else {
            wastes.punish(framework, self.now);
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
        let asked = plan.ask.resources.scalars();
        let offers = framework.offers.iter().filter_map(|number| {
            let held = self.offers.get(*number)?;
            (held.offer.role == plan.role).then_some((*number, held))
        });
        let offers: Vec<_> = offers.collect();
        let is_withdrawn = offers.is_empty() && !self.is_needed(key, plan);
        let serves = |held: &Held| {
            held.agent == plan.agent && held.offer.resources.scalars().contains(&asked)
        };
        // Of several that would do the newest is the one that was made when the room was there.
        let room = offers.iter().rfind(|(_, held)| serves(held));
        let (room, asker) = (room.map(|(number, _)| *number), plan.framework);
        let wastes = &mut self.preemptions.wastes;
        if let Some(number) = room {
            wastes.unanswered.entry(number).or_default().add(&asked);
        }
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
    fn half_of_one_kind_is_a_use() {
        let scalars = |text: &str| crate::testing::resources(text).scalars();
        let room = scalars("cpus:2;mem:512");
        assert!(makes_use(&scalars("cpus:1;mem:1"), &room));
        assert!(makes_use(&scalars("mem:256"), &room));
        assert!(!makes_use(&scalars("cpus:0.999;mem:255;disk:9"), &room));
        assert!(!makes_use(&Scalars::new(), &room));
    }

    #[test]
    fn the_backoff_doubles_up_to_its_limit() {
        let doubles = [1, 2, 4].map(|factor| WASTE_BACKOFF * factor);
        assert_eq!([1, 2, 3].map(backoff), doubles);
        assert_eq!([20, u32::MAX].map(backoff), [MAX_WASTE_BACKOFF; 2]);
    }
}
