//! Preemption: tasks of a low priority give way to what those of a higher one ask for.
//!
//! Off unless configured. When an ask waits longer than the patience, an agent and victims on it
//! are chosen ([`choose`]), the frameworks of the victims get notice ([`notice`]), and at its end
//! the victims are killed ([`strike`]). What becomes free is set aside for who asked. If the ask is
//! withdrawn or served otherwise, the notice is too. Who does not use the room that others were
//! killed for waits longer the next time ([`waste`]). Nothing of it is kept across a restart of the
//! master: notices are forgotten, and tasks whose kill was sent have ended.

mod check;
mod choose;
mod notice;
mod settle;
mod strike;
mod wait;
mod waste;

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_allocator::{Ask, HoldKey, preempt::Wanted};
use tepui_model::{AgentKey, FrameworkKey, OfferId, Role, TaskId, Time};

use self::{wait::Waits, waste::Wastes};
use crate::{Master, effects::Effects, ids::OfferNumber, timers::Timer};

/// How preemption goes, where it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// How long a stated demand waits before others have to give way to it.
    pub patience: Duration,
    /// How long the frameworks of the victims have before these are killed.
    pub notice: Duration,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The victims' frameworks know that they will be killed then.
    Notice { until: Time },
    /// The victims are being killed, since then.
    Killing { since: Time },
    /// The victims have ended; what they left is set aside until then.
    Freed { until: Time },
}

/// What makes a plan go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The notice is over.
    Strike { at: Time },
    /// No victim is left.
    Ended { keep_until: Time },
}

impl Phase {
    /// The phase after a step; none when that cannot be.
    ///
    /// | | Strike | Ended |
    /// |---|---|---|
    /// | Notice | Killing | Freed |
    /// | Killing | - | Freed |
    /// | Freed | - | - |
    pub(crate) const fn next(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Notice { .. }, Step::Strike { at }) => Some(Self::Killing { since: at }),
            (Self::Notice { .. } | Self::Killing { .. }, Step::Ended { keep_until }) => {
                Some(Self::Freed { until: keep_until })
            }
            _ => None,
        }
    }

    const fn is_notice(self) -> bool {
        matches!(self, Self::Notice { .. })
    }
}

/// Who is to end, and for whom: one ask, once, on one agent.
#[derive(Debug)]
pub(crate) struct Plan {
    framework: FrameworkKey,
    role: Role,
    ask: Ask,
    agent: AgentKey,
    /// Those that have not ended yet.
    victims: BTreeSet<(FrameworkKey, TaskId)>,
    phase: Phase,
    hold: HoldKey,
    /// The inverse offers that tell of it.
    notices: Vec<(FrameworkKey, OfferNumber, OfferId)>,
    /// Victims were killed for it, and who asked was not served by another offer since.
    has_killed: bool,
    /// What those concerned are told.
    why: Arc<str>,
}

impl Plan {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            framework: self.framework,
            role: &self.role,
            ask: &self.ask,
            agent: self.agent,
        }
    }

    fn is_for(&self, framework: FrameworkKey, role: &Role, ask: &Ask) -> bool {
        self.framework == framework && self.role == *role && self.ask.is_like(ask)
    }
}

/// Names a plan; the older has the smaller one.
pub(crate) type PlanKey = u64;

/// All plans, and how long asks have waited.
#[derive(Debug, Default)]
pub(crate) struct Preemptions {
    plans: BTreeMap<PlanKey, Plan>,
    made: PlanKey,
    by_victim: BTreeMap<(FrameworkKey, TaskId), PlanKey>,
    by_notice: BTreeMap<OfferNumber, FrameworkKey>,
    waits: Waits,
    wastes: Wastes,
    /// Agents are looked at from another one on each time.
    turn: usize,
    /// Something that plans depend on may have changed since they were looked at.
    touched: bool,
}

impl Preemptions {
    /// A task ended, an agent or a framework went, or what was asked for or set changed.
    pub(crate) const fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether a framework was sent that inverse offer.
    pub(crate) fn has_notice(&self, number: OfferNumber, framework: FrameworkKey) -> bool {
        self.by_notice.get(&number) == Some(&framework)
    }

    /// The plan that a task is a victim of.
    fn plan_of(&self, framework: FrameworkKey, task: &TaskId) -> Option<&Plan> {
        let key = self.by_victim.get(&(framework, task.clone()))?;
        self.plans.get(key)
    }

    /// How many tasks of a framework are under preemption.
    fn under(&self, framework: FrameworkKey) -> u32 {
        let own = self.by_victim.keys().filter(|(key, _)| *key == framework);
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    }
}

impl Master {
    /// After resources were allocated, and when something of it is due.
    pub(crate) fn review_preemptions(&mut self, effects: &mut Effects) {
        let Some(settings) = self.config.preemption else {
            return;
        };
        self.note_waits();
        self.settle_preemptions(effects);
        self.strike(effects);
        let retry = self.plan_preemptions(settings, effects);
        self.arm_preemptions(settings, retry);
    }

    fn arm_preemptions(&mut self, settings: Preemption, retry: bool) {
        let now = self.now;
        let plans = self.preemptions.plans.values();
        let due = plans.filter_map(|plan| match plan.phase {
            Phase::Notice { until } | Phase::Freed { until } => Some(until),
            Phase::Killing { .. } => None,
        });
        let overdue = self.preemptions.waits.next_overdue(now, settings.patience);
        let barred = self.preemptions.wastes.next_end(now);
        let again = retry.then(|| now + crate::limits::PREEMPTION_RETRY);
        let next = due.chain(overdue).chain(barred).chain(again).min();
        match next {
            Some(at) => self.timers.set(Timer::Preemption, at.max(now + SOON)),
            None => self.timers.cancel(Timer::Preemption),
        }
    }

    /// At the end of an event: what it ended or took away changes plans.
    pub(crate) fn touch_up_preemptions(&mut self, effects: &mut Effects) {
        if core::mem::take(&mut self.preemptions.touched) && !self.preemptions.plans.is_empty() {
            self.settle_preemptions(effects);
        }
    }

    /// For how many asks of a framework in a role room is made, and how many tasks have yet to end.
    pub(crate) fn room_for(&self, framework: FrameworkKey, role: &Role) -> (usize, usize) {
        let plans = self.preemptions.plans.values();
        let own = plans.filter(|plan| plan.framework == framework && plan.role == *role);
        own.fold((0, 0), |(asks, tasks), plan| {
            (asks + 1, tasks + plan.victims.len())
        })
    }

    /// What an operator should know of a task that is under preemption.
    pub(crate) fn words_on_preemption(&self, key: FrameworkKey, id: &TaskId) -> Option<String> {
        let plan = self.preemptions.plan_of(key, id)?;
        Some(match plan.phase {
            Phase::Notice { until } => {
                let left = until.since(self.now).as_secs_f64();
                format!("{}, in {left:.1} s", plan.why)
            }
            _ => plan.why.to_string(),
        })
    }
}

/// Not twice in the same instant.
const SOON: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
