//! What becomes of plans when tasks end, or who asked asks no more.

use tepui_model::{FrameworkKey, TaskId};

use super::{Phase, Plan, PlanKey, Step, choose::Asker};
use crate::{Master, effects::Effects, limits::HOLD_AFTER_END, tasks::Task};

impl Master {
    pub(super) fn settle_preemptions(&mut self, effects: &mut Effects) {
        let keys: Vec<PlanKey> = self.preemptions.plans.keys().copied().collect();
        for key in &keys {
            self.strike_off_ended(*key, effects);
        }
        // The newest go first when fewer are needed.
        for key in keys.into_iter().rev() {
            if self.is_pointless(key) {
                self.note_outcome(key);
                self.cancel_plan(key, effects);
            }
        }
    }

    /// Victims that have ended are victims no longer.
    fn strike_off_ended(&mut self, key: PlanKey, effects: &mut Effects) {
        let Some(plan) = self.preemptions.plans.get(&key) else {
            return;
        };
        let victims = plan.victims.iter();
        let over = victims.filter(|(owner, id)| self.live_victim(plan, *owner, id).is_none());
        let over: Vec<_> = over.cloned().collect();
        for victim in &over {
            self.preemptions.by_victim.remove(victim);
        }
        let keep_until = self.now + HOLD_AFTER_END;
        let Some(plan) = self.preemptions.plans.get_mut(&key) else {
            return;
        };
        plan.victims.retain(|victim| !over.contains(victim));
        let ended = Step::Ended { keep_until };
        if plan.victims.is_empty()
            && let Some(next) = plan.phase.next(ended)
        {
            plan.phase = next;
            self.rescind_notices(key, effects);
        }
    }

    /// The task, if it still runs where it is to make room.
    pub(super) fn live_victim(
        &self,
        plan: &Plan,
        owner: FrameworkKey,
        id: &TaskId,
    ) -> Option<&Task> {
        let agent = self.agents.get(plan.agent)?;
        let task = self.frameworks.get(owner)?.tasks.get(id)?;
        (!task.is_over() && *task.agent_id() == agent.id).then_some(task)
    }

    /// Whether nobody has to end for a plan any longer, or nobody may.
    fn is_pointless(&self, key: PlanKey) -> bool {
        let Some(plan) = self.preemptions.plans.get(&key) else {
            return false;
        };
        let is_held = self.allocator.is_held(plan.hold);
        match plan.phase {
            Phase::Notice { .. } => !is_held || !self.is_needed(key, plan) || !self.may_go_on(plan),
            // What was begun is brought to its end, so that budgets count it.
            Phase::Killing { .. } => false,
            Phase::Freed { until } => !is_held || until <= self.now || !self.is_needed(key, plan),
        }
    }

    /// Whether its ask is open as often as there are plans for it that are older.
    pub(super) fn is_needed(&self, key: PlanKey, plan: &Plan) -> bool {
        let open = self.allocator.open_asks(plan.framework, &plan.role);
        let open = open.unwrap_or_default().into_iter();
        let open: u32 = open
            .filter(|ask| ask.is_like(&plan.ask))
            .map(|ask| ask.count)
            .sum();
        let others = self.preemptions.plans.range(..key);
        let same = |other: &&Plan| other.is_for(plan.framework, &plan.role, &plan.ask);
        let older = others.map(|(_, other)| other).filter(same).count();
        older < open as usize
    }

    /// Whether who asks may still preempt, and all its victims are behind it, within their budgets.
    pub(super) fn may_go_on(&self, plan: &Plan) -> bool {
        let asker = Asker::of(plan);
        let tasks = plan.victims.iter().filter_map(|(owner, id)| {
            let task = self.live_victim(plan, *owner, id)?;
            Some((*owner, task))
        });
        let tasks: Vec<_> = tasks.collect();
        let holdings = self.holdings(&asker, &tasks);
        let behind = holdings.iter().all(|it| it.yields || it.is_revocable());
        let within = |(owner, _): &(FrameworkKey, &Task)| {
            let budget = self.budget(*owner);
            budget.is_none_or(|budget| self.preemptions.under(*owner) <= budget)
        };
        let wastes = &self.preemptions.wastes;
        let is_barred = wastes.barred(plan.framework, self.now).is_some();
        !is_barred && behind && tasks.iter().all(within)
    }

    /// Nobody ends for that any longer, and nothing is set aside.
    pub(super) fn cancel_plan(&mut self, key: PlanKey, effects: &mut Effects) {
        self.rescind_notices(key, effects);
        let Some(plan) = self.preemptions.plans.remove(&key) else {
            return;
        };
        for victim in &plan.victims {
            self.preemptions.by_victim.remove(victim);
        }
        self.allocator.release_hold(plan.hold);
    }
}
