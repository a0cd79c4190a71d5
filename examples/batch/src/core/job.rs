//! One job: its stages, and what its state means for its tasks.

use serde::{Deserialize, Serialize};
use tepui_sdk::model::{AgentId, TaskId, Time};

use super::{Change, Effect, Effects, Site, State, Task};
use crate::{
    ids::{Attempt, JobId, Place},
    limits::LOSSES,
    plan::Source,
    spec,
};

/// Whether a job goes on, and if not, how it ended. Ended is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// Its result is here.
    Succeeded,
    /// A task could not be done.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl JobState {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        !matches!(self, Self::Running)
    }
}

/// How much a job reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Files; none if the job file has the lines themselves.
    pub files: u64,
    /// Bytes, as found when the job was submitted.
    pub bytes: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The number of its submission.
    pub number: u64,
    /// The job file.
    pub spec: spec::Job,
    /// What each task of the first stage reads.
    pub sources: Vec<Source>,
    /// How much that is.
    pub extent: Extent,
    /// Whether it goes on.
    pub state: JobState,
    /// Why it ended, if not because it succeeded.
    pub reason: String,
    /// Why the next task waits, when no offer had room for it at the last look.
    pub obstacle: String,
    /// When it was submitted.
    pub submitted: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// The tasks of each stage.
    pub stages: Vec<Vec<Task>>,
}

impl Job {
    pub(super) fn new(
        number: u64,
        spec: spec::Job,
        sources: Vec<Source>,
        extent: Extent,
        now: Time,
    ) -> Self {
        let size = |(stage, spec): (usize, &spec::Stage)| match stage {
            0 => sources.len(),
            _ => spec.partitions as usize,
        };
        let sizes = spec.stages.iter().enumerate().map(size);
        Self {
            id: JobId::new(&spec.name, number),
            number,
            stages: sizes.map(|size| vec![Task::new(); size]).collect(),
            spec,
            sources,
            extent,
            state: JobState::Running,
            reason: String::new(),
            obstacle: String::new(),
            submitted: now,
            ended: None,
        }
    }

    /// The task at a place.
    #[must_use]
    pub fn task(&self, place: Place) -> Option<&Task> {
        self.stages
            .get(place.stage as usize)?
            .get(place.partition as usize)
    }

    pub(super) fn task_mut(&mut self, place: Place) -> Option<&mut Task> {
        self.stages
            .get_mut(place.stage as usize)?
            .get_mut(place.partition as usize)
    }

    /// The task whose present attempt this is.
    pub(super) fn present(&self, attempt: &Attempt) -> Option<&Task> {
        self.task(attempt.place)
            .filter(|task| task.attempt == attempt.number)
    }

    /// Every task with its place, stage by stage.
    pub fn tasks(&self) -> impl Iterator<Item = (Place, &Task)> {
        (0..).zip(&self.stages).flat_map(|(stage, tasks)| {
            (0..)
                .zip(tasks)
                .map(move |(partition, task)| (Place { stage, partition }, task))
        })
    }

    /// Every task that may be launched as soon as its pause is over: it waits, and all its input is
    /// there.
    pub(super) fn ready(&self) -> impl Iterator<Item = (Place, &Task)> {
        let stages = (0..).zip(&self.stages);
        let fed = stages.filter(|(stage, _)| !self.state.has_ended() && self.is_fed(*stage));
        fed.flat_map(|(stage, tasks)| {
            (0..)
                .zip(tasks)
                .filter(|(_, task)| task.state == State::Waiting)
                .map(move |(partition, task)| (Place { stage, partition }, task))
        })
    }

    /// Whether everything that a stage reads is there.
    fn is_fed(&self, stage: u32) -> bool {
        let before = stage
            .checked_sub(1)
            .and_then(|before| self.stages.get(before as usize));
        before.is_none_or(|tasks| {
            tasks
                .iter()
                .all(|task| matches!(task.state, State::Done(_)))
        })
    }

    /// Every attempt that may be alive.
    pub(super) fn live(&self) -> impl Iterator<Item = (Attempt, &Site)> {
        let live = self.tasks().filter(|(_, task)| task.state.is_live());
        live.filter_map(|(place, task)| Some((self.attempt(place, task), task.state.site()?)))
    }

    /// The present attempt at a place.
    pub(super) fn attempt(&self, place: Place, task: &Task) -> Attempt {
        Attempt {
            job: self.id.clone(),
            place,
            number: task.attempt,
        }
    }

    pub(super) const fn is_last(&self, stage: u32) -> bool {
        stage as usize + 1 == self.stages.len()
    }

    /// Ends the job, and whatever of it is alive.
    pub(super) fn end(&mut self, now: Time, state: JobState, reason: &str, effects: &mut Effects) {
        self.state = state;
        super::task::cut(reason).clone_into(&mut self.reason);
        self.ended = Some(now);
        for (attempt, _) in self.live() {
            effects.kill(&attempt);
        }
        self.store(effects);
    }

    /// Asks again for what an earlier life did not live to hear.
    pub(super) fn resume(&self, effects: &mut Effects) {
        if self.state.has_ended() {
            return;
        }
        for (place, task) in self.tasks() {
            let attempt = self.attempt(place, task);
            match &task.state {
                State::Failing(site) => effects.push(Effect::Inspect(attempt, site.clone())),
                State::Collecting(site) => effects.push(Effect::Collect(attempt, site.clone())),
                _ => {}
            }
        }
    }

    /// An agent is gone: the outputs it had that are still to be read must be made again.
    pub(super) fn agent_lost(&mut self, now: Time, agent: &AgentId, effects: &mut Effects) {
        if self.state.has_ended() {
            return;
        }
        let had = |state: &State| matches!(state, State::Done(site) if site.agent == *agent);
        let lost: Vec<Place> = self
            .tasks()
            .filter(|(place, task)| had(&task.state) && self.is_read(place.stage))
            .map(|(place, _)| place)
            .collect();
        for place in lost {
            self.lose(now, place, "its output was lost with its agent", effects);
        }
    }

    /// All tasks are gone, and what they left; only results that are here already stay.
    pub(super) fn lose_all(&mut self, now: Time, effects: &mut Effects) {
        let is_here = |place: Place, task: &Task| {
            self.is_last(place.stage) && matches!(task.state, State::Done(_))
        };
        let lost: Vec<Place> = self
            .tasks()
            .filter(|(place, task)| task.state != State::Waiting && !is_here(*place, task))
            .map(|(place, _)| place)
            .collect();
        for place in lost {
            if !self.state.has_ended() {
                self.lose(now, place, "the master ended the framework", effects);
            }
        }
    }

    /// Whether a task of the next stage may still fetch from this one.
    fn is_read(&self, stage: u32) -> bool {
        let next = self.stages.get(stage as usize + 1);
        next.is_some_and(|tasks| {
            tasks
                .iter()
                .any(|task| !matches!(task.state, State::Done(_) | State::Collecting(_)))
        })
    }

    /// A task, or its output, is gone by no doing of its own: again, but not for ever.
    pub(super) fn lose(&mut self, now: Time, place: Place, message: &str, effects: &mut Effects) {
        let Some(task) = self.task_mut(place) else {
            return;
        };
        task.losses += 1;
        task.remember(message);
        task.retry(now);
        let losses = task.losses;
        if losses > LOSSES {
            let reason = format!(
                "{} was lost {losses} times; at last: {message}",
                Named(place)
            );
            self.end(now, JobState::Failed, &reason, effects);
        }
        self.store_task(place, effects);
    }

    /// Stores and shows the job itself.
    pub(super) fn store(&self, effects: &mut Effects) {
        effects.persist(Change::job(self));
        effects.push(Effect::Changed(self.id.clone()));
    }

    /// Stores a task, and shows the job.
    pub(super) fn store_task(&self, place: Place, effects: &mut Effects) {
        if let Some(task) = self.task(place) {
            effects.persist(Change::task(&self.id, place, task));
            effects.push(Effect::Changed(self.id.clone()));
        }
    }

    /// Stores everything of a new job.
    pub(super) fn store_all(&self, effects: &mut Effects) {
        effects.persist(Change::job(self));
        for (partition, source) in (0..).zip(&self.sources) {
            effects.persist(Change::source(&self.id, partition, source));
        }
    }

    /// Removes everything of a job that is forgotten.
    pub(super) fn delete_all(&self, effects: &mut Effects) {
        for (place, _) in self.tasks() {
            effects.persist(Change::delete_task(&self.id, place));
        }
        for (partition, _) in (0..).zip(&self.sources) {
            effects.persist(Change::delete_source(&self.id, partition));
        }
        effects.persist(Change::delete_job(&self.id));
    }
}

/// A place, for people.
pub(super) struct Named(pub(super) Place);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task {} of stage {}", self.0.partition, self.0.stage)
    }
}

impl Effects {
    pub(super) fn kill(&mut self, attempt: &Attempt) {
        // An attempt's name is one by its limits; see the tests of `ids`.
        if let Ok(task) = TaskId::new(attempt.to_string()) {
            self.push(Effect::Kill(task));
        }
    }
}
