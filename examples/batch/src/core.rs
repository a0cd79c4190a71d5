//! The framework's mind: which task runs where, what is tried again, what must be made once more.
//!
//! Everything here is synchronous and knows no clock, no network and no disk: events go in, effects
//! come out. The shell makes every [`Effect::Persist`] of a batch durable before any other effect
//! of that batch leaves.

mod event;
mod job;
mod outcome;
mod place;
mod plans;
mod progress;
mod record;
mod task;

use std::collections::BTreeMap;

use tepui_sdk::model::{FrameworkId, Time};

pub use self::{
    event::{Effect, Effects, Event},
    job::{Extent, Job, JobState},
    progress::{Progress, StageProgress},
    record::{Change, Damaged, Family, Recovered},
    task::{IllegalTransition, Site, State, Step, Task},
};
use crate::{
    ids::{Attempt, JobId},
    limits::{JOBS_FINISHED, JOBS_UNFINISHED},
    plan::{PlanError, Source},
    spec,
};

/// Why a job is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// There are too many others.
    #[error("{JOBS_UNFINISHED} jobs are unfinished already: wait for one, or cancel it")]
    TooMany,
    /// A task of it would have to be told too much.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Why a job is not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// There is no such job.
    #[error("there is no job {0}")]
    Unknown(JobId),
    /// It has ended.
    #[error("job {0} has ended already")]
    Ended(JobId),
}

/// All jobs and their tasks.
#[derive(Debug, Default)]
pub struct Core {
    framework: Option<FrameworkId>,
    /// By the number of their submission: the order in which they get offers.
    jobs: BTreeMap<u64, Job>,
    by_id: BTreeMap<JobId, u64>,
    /// The number of the last job ever submitted.
    last: u64,
    /// How many tasks could be launched when the master last heard whether offers are wanted.
    demand: usize,
}

impl Core {
    /// Takes up where an earlier life ended, and asks for whatever that life was waiting for.
    #[must_use]
    pub fn new(recovered: Recovered, effects: &mut Effects) -> Self {
        let mut core = Self {
            framework: recovered.framework,
            last: recovered.last,
            ..Self::default()
        };
        for job in recovered.jobs {
            job.resume(effects);
            core.by_id.insert(job.id.clone(), job.number);
            core.jobs.insert(job.number, job);
        }
        core
    }

    /// Takes a job whose input is cut into `sources`, one for each task of the first stage.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing has changed then.
    pub fn submit(
        &mut self,
        now: Time,
        spec: spec::Job,
        sources: Vec<Source>,
        extent: Extent,
        effects: &mut Effects,
    ) -> Result<JobId, SubmitError> {
        let unfinished = self
            .jobs
            .values()
            .filter(|job| !job.state.has_ended())
            .count();
        if unfinished >= JOBS_UNFINISHED {
            return Err(SubmitError::TooMany);
        }
        let job = Job::new(self.last + 1, spec, sources, extent, now);
        job.check_plans()?;
        let id = job.id.clone();
        self.last = job.number;
        effects.persist(Change::number(self.last));
        job.store_all(effects);
        effects.push(Effect::Changed(id.clone()));
        self.by_id.insert(id.clone(), job.number);
        self.jobs.insert(job.number, job);
        self.settle(now, effects);
        Ok(id)
    }

    /// Ends a job and its tasks.
    ///
    /// # Errors
    /// [`CancelError`].
    pub fn cancel(
        &mut self,
        now: Time,
        id: &JobId,
        effects: &mut Effects,
    ) -> Result<(), CancelError> {
        let job = self
            .job_mut(id)
            .ok_or_else(|| CancelError::Unknown(id.clone()))?;
        if job.state.has_ended() {
            return Err(CancelError::Ended(id.clone()));
        }
        job.end(now, JobState::Cancelled, "it was cancelled", effects);
        self.settle(now, effects);
        Ok(())
    }

    /// The master forgot the framework, and ended its tasks: what is not here must be made again,
    /// under a new name.
    pub fn begin_again(&mut self, now: Time, effects: &mut Effects) {
        self.framework = None;
        effects.persist(Change::no_framework());
        for job in self.jobs.values_mut() {
            job.lose_all(now, effects);
        }
        self.settle(now, effects);
    }

    /// Something happened at `now`.
    pub fn apply(&mut self, now: Time, event: Event, effects: &mut Effects) {
        match event {
            Event::Subscribed(framework) => self.subscribed(framework, effects),
            Event::Offers(offers) => self.place(now, offers, effects),
            Event::Update(status) => self.update(now, &status, effects),
            Event::AgentLost(agent) => {
                for job in self.jobs.values_mut() {
                    job.agent_lost(now, &agent, effects);
                }
            }
            Event::Inspected { attempt, report } => {
                if let Some(job) = self.job_mut(&attempt.job) {
                    job.inspected(now, &attempt, report, effects);
                }
            }
            Event::Collected { attempt, result } => {
                if let Some(job) = self.job_mut(&attempt.job) {
                    job.collected(now, &attempt, result, effects);
                }
            }
            Event::Wake => {}
        }
        self.settle(now, effects);
    }

    /// When [`Event::Wake`] is due: a task may then be tried again.
    #[must_use]
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        let waiting = self.jobs.values().flat_map(Job::ready);
        waiting
            .map(|(_, task)| task.not_before)
            .filter(|due| *due > now)
            .min()
    }

    /// Every job, in the order of submission.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values()
    }

    /// The job of this id.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(self.by_id.get(id)?)
    }

    /// Every task that may be alive, and where.
    pub fn live(&self) -> impl Iterator<Item = (Attempt, &Site)> {
        self.jobs.values().flat_map(Job::live)
    }

    /// The framework's id, once it has one.
    #[must_use]
    pub const fn framework(&self) -> Option<&FrameworkId> {
        self.framework.as_ref()
    }

    fn job_mut(&mut self, id: &JobId) -> Option<&mut Job> {
        self.jobs.get_mut(self.by_id.get(id)?)
    }

    /// A new subscription begins with offers: say anew whether any are wanted.
    fn subscribed(&mut self, framework: FrameworkId, effects: &mut Effects) {
        if self.framework.as_ref() != Some(&framework) {
            effects.persist(Change::framework(&framework));
        }
        self.framework = Some(framework);
        self.demand = 0;
        effects.push(Effect::Suppress);
    }

    /// After each event: forgets what is old, and says whether offers are wanted.
    fn settle(&mut self, now: Time, effects: &mut Effects) {
        self.forget_old(effects);
        let ready = self.jobs.values().flat_map(Job::ready);
        let demand = ready.filter(|(_, task)| task.not_before <= now).count();
        if demand > self.demand {
            // New work: what was declined for lack of it is wanted at once.
            effects.push(Effect::Revive);
        } else if demand == 0 && self.demand > 0 {
            effects.push(Effect::Suppress);
        }
        self.demand = demand;
    }

    fn forget_old(&mut self, effects: &mut Effects) {
        let ended = |job: &&Job| job.state.has_ended();
        while self.jobs.values().filter(ended).count() > JOBS_FINISHED {
            let Some(number) = self.jobs.values().find(ended).map(|job| job.number) else {
                return;
            };
            if let Some(job) = self.jobs.remove(&number) {
                self.by_id.remove(&job.id);
                job.delete_all(effects);
                effects.push(Effect::Forget(job.id));
            }
        }
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
