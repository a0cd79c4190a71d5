//! At the end of the notice: the victims that are still needed are killed.

use std::{collections::BTreeSet, sync::Arc};

use tepui_allocator::preempt::Budgets;
use tepui_model::{FrameworkKey, TaskId};

use super::{Phase, PlanKey, Step, choose::Asker};
use crate::{
    Master,
    effects::{AgentCommand, Effects},
    limits::MAX_STRIKES_PER_REVIEW,
    tasks::KillWish,
};

type Victims = BTreeSet<(FrameworkKey, TaskId)>;

impl Master {
    pub(super) fn strike(&mut self, effects: &mut Effects) {
        let now = self.now;
        let due = self
            .preemptions
            .plans
            .iter()
            .filter(|(_, plan)| matches!(plan.phase, Phase::Notice { until } if until <= now));
        let due: Vec<PlanKey> = due.map(|(key, _)| *key).collect();
        for key in due.into_iter().take(MAX_STRIKES_PER_REVIEW) {
            match self.still_needed(key) {
                Some(needed) if !needed.is_empty() => self.kill_victims(key, &needed, effects),
                // It cannot be offered any more, or is about to be without anybody's end.
                _ => self.cancel_plan(key, effects),
            }
        }
    }

    /// The victims without whose end the ask would not be offered; nothing, if it would not be
    /// with it either.
    fn still_needed(&self, key: PlanKey) -> Option<Victims> {
        let plan = self.preemptions.plans.get(&key)?;
        let asker = Asker::of(plan);
        let tasks = plan.victims.iter().filter_map(|(owner, id)| {
            let task = self.live_victim(plan, *owner, id)?;
            task.kill.is_none().then_some((*owner, task))
        });
        let tasks: Vec<_> = tasks.collect();
        let holdings = self.holdings(&asker, &tasks);
        // They count as under preemption already.
        let owners = tasks.iter().map(|(owner, _)| (owner.0.into(), u32::MAX));
        let budgets: Budgets = owners.collect();
        let mut trial = self.trial(Some(key));
        let needed = trial.victims(plan.wanted(), &holdings, &budgets)?;
        let task = |id: &u64| {
            let (owner, task) = tasks.get(usize::try_from(*id).ok()?)?;
            Some((*owner, task.id().clone()))
        };
        Some(needed.iter().filter_map(task).collect())
    }

    fn kill_victims(&mut self, key: PlanKey, needed: &Victims, effects: &mut Effects) {
        let at = self.now;
        let Some(plan) = self.preemptions.plans.get_mut(&key) else {
            return;
        };
        let Some(next) = plan.phase.next(Step::Strike { at }) else {
            return;
        };
        plan.phase = next;
        plan.has_killed = true;
        let all = core::mem::replace(&mut plan.victims, needed.clone());
        let why = Arc::clone(&plan.why);
        for spared in all.difference(needed) {
            self.preemptions.by_victim.remove(spared);
        }
        for (owner, id) in needed {
            self.kill_victim(*owner, id, &why, effects);
        }
    }

    fn kill_victim(
        &mut self,
        owner: FrameworkKey,
        id: &TaskId,
        why: &Arc<str>,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get_mut(owner) else {
            return;
        };
        let framework_id = framework.id.clone();
        let Some(task) = framework.task_mut(id) else {
            return;
        };
        let preempted = Some(Arc::clone(why));
        task.kill = Some(KillWish {
            grace: None,
            preempted: preempted.clone(),
        });
        let there = task.agent_id().clone();
        let command = AgentCommand::KillTask {
            framework_id,
            task_id: id.clone(),
            grace: None,
            preempted,
        };
        self.command(&there, command, effects);
    }
}
