//! ACCEPT that is all or nothing: offers of several agents, and a task for each that names it.

use std::collections::BTreeSet;

use tepui_model::{ExecutorId, OfferOperation, Reason, Resources, TaskId, TaskState};
use tepui_proto::v1;

use super::{Grant, accept::Refusal};
use crate::{
    Master,
    calls::{Accept, Operation},
    effects::Effects,
    executors::Started,
    ids::OfferNumber,
    notices::OfferEnd,
    tasks::Verdict,
};

/// What such an ACCEPT may do.
const LAUNCHES_ONLY: &str = "an ACCEPT that is all or nothing may only LAUNCH and LAUNCH_GROUP";

/// Why none of the tasks is launched.
struct Obstacle {
    /// The task that cannot be, if it is one.
    culprit: Option<String>,
    problem: String,
}

impl Obstacle {
    fn of(task: &v1::TaskInfo, problem: String) -> Self {
        Self {
            culprit: Some(task.task_id.value.clone()),
            problem,
        }
    }

    const fn of_operation(problem: String) -> Self {
        Self {
            culprit: None,
            problem,
        }
    }
}

/// The tasks of an ACCEPT that can be launched, as far as it was looked through.
#[derive(Default)]
struct Checked {
    ids: BTreeSet<TaskId>,
    executors: Started,
}

impl Master {
    /// Looks at the whole before anything is done, so that all is done or nothing is.
    pub(super) fn accept_together(
        &mut self,
        numbers: &[OfferNumber],
        accept: Accept,
        effects: &mut Effects,
    ) {
        match self.check_together(self.grants(numbers), &accept.operations) {
            Ok(()) => self.launch_together(numbers, accept, effects),
            Err(obstacle) => self.refuse_together(numbers, accept, &obstacle, effects),
        }
    }

    /// What the offers have to give, by agent.
    fn grants(&self, numbers: &[OfferNumber]) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        for held in numbers.iter().filter_map(|number| self.offers.get(*number)) {
            match grants.iter_mut().find(|grant| grant.agent == held.agent) {
                Some(grant) => grant.add(held),
                None => grants.push(Grant::of(held)),
            }
        }
        grants
    }

    fn check_together(
        &self,
        mut grants: Vec<Grant>,
        operations: &[Operation],
    ) -> Result<(), Obstacle> {
        let mut checked = Checked::default();
        for operation in operations {
            match &operation.kind {
                OfferOperation::Launch(tasks) => {
                    for task in tasks {
                        self.check_one(&mut grants, task, &mut checked)
                            .map_err(|problem| Obstacle::of(task, problem))?;
                    }
                }
                OfferOperation::LaunchGroup { executor, tasks } => {
                    let group = (executor.as_deref(), tasks.as_slice());
                    self.check_one_group(&mut grants, group, &mut checked)
                        .map_err(Obstacle::of_operation)?;
                }
                OfferOperation::Resources(_) => {
                    return Err(Obstacle::of_operation(LAUNCHES_ONLY.to_owned()));
                }
                OfferOperation::Invalid { reason, .. } => {
                    return Err(Obstacle::of_operation(reason.clone()));
                }
            }
        }
        Ok(())
    }

    /// A task can be launched beside those that were looked at before.
    fn check_one(
        &self,
        grants: &mut [Grant],
        wire: &v1::TaskInfo,
        checked: &mut Checked,
    ) -> Result<(), String> {
        let grant = self.grant_for(grants, wire)?;
        let (task, executor) = self.check_task(grant, wire, &checked.executors)?;
        let framework = self.frameworks.get(grant.framework);
        let known = framework.map_or(0, |framework| framework.tasks.len());
        let limit = self.config.limits.tasks_per_framework;
        if known + checked.ids.len() >= limit {
            return Err(format!("The framework has {limit} tasks already"));
        }
        if !checked.ids.insert(task.id.clone()) {
            return Err(format!("Task has duplicate ID: {}", task.id));
        }
        let started = task.wire.executor.as_ref().filter(|_| executor.is_some());
        if let Some(Ok(id)) = started.map(|info| ExecutorId::try_from(&info.executor_id)) {
            checked.executors.insert((grant.agent, id));
        }
        let take = |grant: &mut Grant, what: &Resources| {
            grant.take(what).map_err(|error| error.to_string())
        };
        executor.map_or(Ok(()), |executor| take(grant, &executor))?;
        take(grant, &task.resources)
    }

    fn check_one_group(
        &self,
        grants: &mut [Grant],
        (executor, tasks): (Option<&v1::ExecutorInfo>, &[v1::TaskInfo]),
        checked: &mut Checked,
    ) -> Result<(), String> {
        let first = tasks.first().ok_or("Task group cannot be empty")?;
        let grant = self.grant_for(grants, first)?;
        let group = self.check_group(grant, executor, tasks, &checked.executors)?;
        for task in &group.tasks {
            if !checked.ids.insert(task.id.clone()) {
                return Err(format!("Task has duplicate ID: {}", task.id));
            }
        }
        if group.started.is_some() {
            let started = (grant.agent, group.executor.clone());
            checked.executors.insert(started);
        }
        grant
            .take(&group.total())
            .map_err(|error| error.to_string())
    }

    /// What was accepted of the agent that a task names.
    fn grant_for<'a>(
        &self,
        grants: &'a mut [Grant],
        task: &v1::TaskInfo,
    ) -> Result<&'a mut Grant, String> {
        let wanted = &task.agent_id.value;
        let is_wanted = |grant: &&mut Grant| {
            let agent = self.agents.get(grant.agent);
            agent.is_some_and(|agent| agent.id.as_str() == wanted)
        };
        let grant = grants.iter_mut().find(is_wanted);
        let wanted = super::launch::quoted(wanted);
        grant.ok_or_else(|| format!("Task uses agent {wanted}, none of whose offers is accepted"))
    }

    fn launch_together(&mut self, numbers: &[OfferNumber], accept: Accept, effects: &mut Effects) {
        let mut grants = self.end_offers(numbers, OfferEnd::Accepted, effects);
        for operation in accept.operations {
            match operation.kind {
                OfferOperation::Launch(tasks) => {
                    for task in tasks {
                        if let Ok(grant) = self.grant_for(&mut grants, &task) {
                            self.launch(grant, task, effects);
                        }
                    }
                }
                OfferOperation::LaunchGroup { executor, tasks } => {
                    let first = tasks.first();
                    let grant = first.and_then(|task| self.grant_for(&mut grants, task).ok());
                    if let Some(grant) = grant {
                        self.launch_group(grant, executor.as_deref(), tasks, effects);
                    }
                }
                // Looked at before: there is none.
                OfferOperation::Resources(_) | OfferOperation::Invalid { .. } => {}
            }
        }
        let filter = self.config.allocator.unused(self.now, &accept.filters);
        self.settle(grants, filter);
    }

    /// Nothing is launched and the offers are over (Mesos: OFF-04). The task that is to blame hears
    /// why; the others hear which one it is.
    fn refuse_together(
        &mut self,
        numbers: &[OfferNumber],
        accept: Accept,
        obstacle: &Obstacle,
        effects: &mut Effects,
    ) {
        let offers = numbers.iter().find_map(|number| self.offers.get(*number));
        let Some(key) = offers.map(|held| held.framework) else {
            return;
        };
        self.decline_offers(numbers, accept.filters, effects);
        let framework = self.frameworks.get(key);
        let aware = framework.is_some_and(|framework| framework.is_partition_aware());
        let problem = &obstacle.problem;
        let whose = match &obstacle.culprit {
            Some(id) => format!("task {id}: {problem}"),
            None => problem.clone(),
        };
        let others = format!("Nothing of an all-or-nothing ACCEPT is launched because of {whose}");
        let blamed = Refusal {
            state: TaskState::Error,
            reason: Reason::TaskInvalid,
            message: problem,
        };
        let dropped = Refusal {
            state: Verdict::Dropped.state(aware),
            reason: Reason::InvalidOffers,
            message: &others,
        };
        for operation in accept.operations {
            self.refuse_operation(key, operation.id, &others, effects);
            for task in operation.kind.into_tasks() {
                let is_culprit = obstacle.culprit.as_ref() == Some(&task.task_id.value);
                let refusal = if is_culprit { &blamed } else { &dropped };
                self.refuse_tasks(key, vec![task], refusal, effects);
            }
        }
    }
}

#[cfg(test)]
mod tests;
