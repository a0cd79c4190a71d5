//! What must hold of preemption after every event.

use std::collections::BTreeMap;

use tepui_model::FrameworkKey;

use super::{Phase, Plan};
use crate::{Master, invariants::Violation};

impl Master {
    /// No budget is overdrawn, nobody ends for an equal or lower priority, nobody twice.
    pub(crate) fn check_preemptions(&self) -> Result<(), Violation> {
        let broken = |what: String| Err(Violation::Contradiction(what));
        let plans = &self.preemptions.plans;
        let listed: usize = plans.values().map(|plan| plan.victims.len()).sum();
        if listed != self.preemptions.by_victim.len() {
            return broken("a task is a victim twice, or of nothing".to_owned());
        }
        if self.config.preemption.is_none() && !plans.is_empty() {
            return broken("somebody is to give way though preemption is off".to_owned());
        }
        for (key, plan) in plans {
            for victim in &plan.victims {
                if self.preemptions.by_victim.get(victim) != Some(key) {
                    return broken(format!("task {} is a victim of another plan", victim.1));
                }
            }
            self.check_precedence(plan)?;
        }
        self.check_budgets()
    }

    /// While it can be taken back, and when it is done.
    fn check_precedence(&self, plan: &Plan) -> Result<(), Violation> {
        let decided = match plan.phase {
            Phase::Notice { .. } => true,
            Phase::Killing { since } => since == self.now,
            Phase::Freed { .. } => false,
        };
        if !decided {
            return Ok(());
        }
        for (owner, id) in &plan.victims {
            let Some(task) = self.live_victim(plan, *owner, id) else {
                continue;
            };
            let urgent = plan.ask.priority > task.priority && plan.role == task.role;
            let before = self.allocator.is_before(&plan.role, &task.role);
            let mut bundles = task.resources.bundles();
            if !before && !urgent && !bundles.any(|(traits, ..)| traits.revocable) {
                let what = format!("task {id} gives way to an equal or lower priority");
                return Err(Violation::Contradiction(what));
            }
        }
        Ok(())
    }

    fn check_budgets(&self) -> Result<(), Violation> {
        let mut under: BTreeMap<FrameworkKey, (u32, bool)> = BTreeMap::new();
        for plan in self.preemptions.plans.values() {
            for (owner, _) in &plan.victims {
                let (count, withdrawable) = under.entry(*owner).or_default();
                *count += 1;
                *withdrawable |= plan.phase.is_notice();
            }
        }
        // A budget that fell leaves only those whose kill was sent.
        for (owner, (count, withdrawable)) in under {
            let budget = self.budget(owner).unwrap_or(u32::MAX);
            if count > budget && withdrawable {
                let what = format!("{count} tasks of {owner} give way, its budget is {budget}");
                return Err(Violation::Contradiction(what));
            }
        }
        Ok(())
    }
}
