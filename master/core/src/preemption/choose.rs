//! Whose tasks end for an ask, and where.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use tepui_allocator::{
    Ask,
    preempt::{Budgets, Holding, Trial, Wanted},
};
use tepui_model::{AgentKey, FrameworkKey, Role, TaskId};

use super::{Phase, Plan, PlanKey, Preemption};
use crate::{
    Master,
    agents::Agent,
    effects::Effects,
    frameworks::FrameworkState,
    limits::{
        HOLD_AFTER_NOTICE, MAX_AGENTS_TRIED, MAX_ASKS_TRIED, MAX_PLANS, MAX_PLANS_PER_REVIEW,
        MAX_PROPOSALS_COMPARED,
    },
    tasks::Task,
};

/// Who asks, and for what.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) framework: FrameworkKey,
    pub(super) role: Role,
    pub(super) ask: Ask,
}

impl Asker {
    /// Whom a plan is for.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            framework: plan.framework,
            role: plan.role.clone(),
            ask: plan.ask.clone(),
        }
    }
}

/// Victims on one agent. The smaller price is the better one: few regular tasks, few tasks, of a
/// low priority.
#[derive(Debug)]
struct Proposal {
    price: (usize, usize, (i32, i32)),
    agent: AgentKey,
    victims: Vec<(FrameworkKey, TaskId)>,
}

impl Master {
    /// Makes plans for asks that have waited too long, the most urgent first. Whether any is still
    /// without one.
    pub(super) fn plan_preemptions(&mut self, settings: Preemption, effects: &mut Effects) -> bool {
        let mut overdue = self.overdue_asks(settings);
        let too_many = overdue.len() > MAX_ASKS_TRIED;
        overdue.truncate(MAX_ASKS_TRIED);
        let (mut made, mut waits) = (0, too_many);
        for (asker, copies) in overdue {
            for _ in 0..copies {
                if made >= MAX_PLANS_PER_REVIEW || self.preemptions.plans.len() >= MAX_PLANS {
                    return true;
                }
                let Some(proposal) = self.propose(&asker) else {
                    waits = true;
                    break;
                };
                if !self.give_notice(&asker, proposal, settings, effects) {
                    return true;
                }
                made += 1;
            }
        }
        waits
    }

    /// Asks that wait too long, of those who may preempt, and how many copies of each have no plan.
    fn overdue_asks(&self, settings: Preemption) -> Vec<(Asker, u32)> {
        let now = self.now;
        let waits = self.preemptions.waits.iter();
        let late = waits.filter(|(.., wait)| now.since(wait.since) >= settings.patience);
        let wastes = &self.preemptions.wastes;
        let late = late.filter(|(framework, ..)| wastes.barred(*framework, now).is_none());
        let mut late: Vec<_> = late.collect();
        late.sort_by_key(|(_, role, wait)| {
            let priority = (self.allocator.priority(role), wait.ask.priority);
            (Reverse(priority), wait.since)
        });
        let without_plan = late.into_iter().filter_map(|(framework, role, wait)| {
            let plans = self.preemptions.plans.values();
            let planned = plans.filter(|plan| plan.is_for(framework, role, &wait.ask));
            let planned = u32::try_from(planned.count()).unwrap_or(u32::MAX);
            let copies = wait.ask.count.saturating_sub(planned);
            let ask = Ask {
                count: 1,
                ..wait.ask.clone()
            };
            let role = role.clone();
            let asker = Asker {
                framework,
                role,
                ask,
            };
            (copies > 0).then_some((asker, copies))
        });
        without_plan.collect()
    }

    /// The cheapest victims for an ask; none if nobody can give way, or if nobody has to.
    fn propose(&mut self, asker: &Asker) -> Option<Proposal> {
        self.preemptions.turn = self.preemptions.turn.wrapping_add(1);
        let wanted = asker.ask.resources.scalars();
        let large_enough = |agent: &&Agent| {
            let total = self.allocator.total(agent.key);
            let named = asker.ask.agent.is_none_or(|named| named == agent.key);
            let large = total.is_some_and(|total| total.scalars().contains(&wanted));
            named && large && self.is_reachable(agent.key) && !agent.tasks.is_empty()
        };
        let mut agents: Vec<&Agent> = self.agents.iter().filter(large_enough).collect();
        if !agents.is_empty() {
            let first = self.preemptions.turn % agents.len();
            agents.rotate_left(first);
        }
        let mut trial = self.trial(None);
        let mut proposals = Vec::new();
        for agent in agents.into_iter().take(MAX_AGENTS_TRIED) {
            match self.victims_on(agent, asker, &mut trial) {
                // It is about to be offered.
                Some(proposal) if proposal.victims.is_empty() => return None,
                found => proposals.extend(found),
            }
            if proposals.len() >= MAX_PROPOSALS_COMPARED {
                break;
            }
        }
        proposals.into_iter().min_by_key(|proposal| proposal.price)
    }

    /// A trial that counts with what all plans, but for one, will free and have promised.
    pub(super) fn trial(&self, except: Option<PlanKey>) -> Trial<'_> {
        let mut trial = self.allocator.trial(self.now);
        let plans = self.preemptions.plans.iter();
        for (_, plan) in plans.filter(|(key, _)| Some(**key) != except) {
            for (framework, id) in &plan.victims {
                let known = self.frameworks.get(*framework);
                let task = known.and_then(|known| known.tasks.get(id));
                if let Some(task) = task.filter(|task| !task.is_over()) {
                    trial.assume_freed(plan.agent, &holding(0, *framework, task));
                }
            }
            if self.allocator.is_held(plan.hold) {
                trial.assume_promised(plan.wanted());
            }
        }
        trial
    }

    fn victims_on(&self, agent: &Agent, asker: &Asker, trial: &mut Trial<'_>) -> Option<Proposal> {
        let candidates: Vec<(FrameworkKey, &Task)> = self.candidates(agent).collect();
        let holdings = self.holdings(asker, &candidates);
        let budgets = self.budgets(&candidates);
        let wanted = Wanted {
            framework: asker.framework,
            role: &asker.role,
            ask: &asker.ask,
            agent: agent.key,
        };
        let chosen = trial.victims(wanted, &holdings, &budgets)?;
        let chosen = chosen.iter().filter_map(|id| {
            let at = usize::try_from(*id).ok()?;
            Some((holdings.get(at)?, candidates.get(at)?))
        });
        let chosen: Vec<_> = chosen.collect();
        let regular = chosen.iter().filter(|(it, _)| !it.is_revocable()).count();
        let dearest = chosen.iter().map(|(holding, _)| holding.rank).max();
        let victims = chosen
            .iter()
            .map(|(_, (key, task))| (*key, task.id().clone()));
        Some(Proposal {
            price: (regular, chosen.len(), dearest.unwrap_or_default()),
            agent: agent.key,
            victims: victims.collect(),
        })
    }

    /// The tasks on an agent that are not about to end anyway.
    fn candidates<'a>(
        &'a self,
        agent: &'a Agent,
    ) -> impl Iterator<Item = (FrameworkKey, &'a Task)> + 'a {
        agent.tasks.iter().filter_map(|place| {
            let framework = self.frameworks.get(place.0)?;
            let task = framework.tasks.get(&place.1)?;
            let stays = !task.is_over()
                && task.kill.is_none()
                && framework.state != FrameworkState::Ending
                && !self.preemptions.by_victim.contains_key(place);
            stays.then_some((place.0, &**task))
        })
    }

    /// What tasks hold, as seen by who asks; each is called by its place.
    pub(super) fn holdings(&self, asker: &Asker, tasks: &[(FrameworkKey, &Task)]) -> Vec<Holding> {
        let mut roles: BTreeMap<&Role, (bool, i32)> = BTreeMap::new();
        let all = tasks.iter().zip(0..);
        let seen = all.map(|((framework, task), id)| {
            let (before, priority) = *roles.entry(&task.role).or_insert_with(|| {
                let before = self.allocator.is_before(&asker.role, &task.role);
                (before, self.allocator.priority(&task.role))
            });
            let urgent = task.role == asker.role && asker.ask.priority > task.priority;
            let budget = self.budget(*framework).map(|_| u64::from(framework.0));
            Holding {
                yields: before || urgent,
                rank: (priority, task.priority),
                budget,
                ..holding(id, *framework, task)
            }
        });
        seen.collect()
    }

    /// How many tasks of a framework may be under preemption at a time.
    pub(super) fn budget(&self, framework: FrameworkKey) -> Option<u32> {
        self.frameworks.get(framework)?.info.preemption_budget
    }

    fn budgets(&self, tasks: &[(FrameworkKey, &Task)]) -> Budgets {
        let mut budgets = Budgets::new();
        for (framework, _) in tasks {
            if let Some(budget) = self.budget(*framework) {
                let left = || budget.saturating_sub(self.preemptions.under(*framework));
                budgets.entry(framework.0.into()).or_insert_with(left);
            }
        }
        budgets
    }

    /// Makes a plan of a proposal: the room is set aside, and the victims' frameworks hear of it.
    fn give_notice(
        &mut self,
        asker: &Asker,
        proposal: Proposal,
        settings: Preemption,
        effects: &mut Effects,
    ) -> bool {
        let until = self.now + settings.notice;
        let Asker {
            framework,
            role,
            ask,
        } = asker;
        let agent = proposal.agent;
        let end = until + HOLD_AFTER_NOTICE;
        let held = self
            .allocator
            .hold(agent, *framework, role, &ask.resources, end);
        let hold = match held {
            Ok(hold) => hold,
            Err(problem) => {
                effects.warn(format!("nobody gives way for now: {problem}"));
                return false;
            }
        };
        self.preemptions.made += 1;
        let key = self.preemptions.made;
        let victims = proposal.victims.into_iter();
        let named = victims.inspect(|victim| {
            self.preemptions.by_victim.insert(victim.clone(), key);
        });
        let plan = Plan {
            framework: *framework,
            role: role.clone(),
            ask: ask.clone(),
            agent,
            victims: named.collect(),
            phase: Phase::Notice { until },
            hold,
            notices: Vec::new(),
            has_killed: false,
            why: self.reason_for(asker),
        };
        self.preemptions.plans.insert(key, plan);
        self.send_notices(key, until, effects);
        true
    }

    /// What the victims' frameworks are told.
    fn reason_for(&self, asker: &Asker) -> Arc<str> {
        let framework = self.frameworks.get(asker.framework);
        let name = framework.map_or("", |framework| framework.info.name.as_str());
        let (role, priority) = (&asker.role, self.allocator.priority(&asker.role));
        let mut why = format!("Preempted by '{name}' in role {role} of priority {priority}");
        if asker.ask.priority != 0 {
            why.push_str(&format!(", whose ask has priority {}", asker.ask.priority));
        }
        why.into()
    }
}

/// What a task holds.
pub(super) fn holding(id: u64, framework: FrameworkKey, task: &Task) -> Holding {
    Holding {
        id,
        framework,
        role: task.role.clone(),
        yields: false,
        rank: (0, task.priority),
        resources: task.resources.clone(),
        budget: None,
    }
}
