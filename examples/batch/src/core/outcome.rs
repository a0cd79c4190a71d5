//! What becomes of tasks, and what that means for their job.

use tepui_sdk::model::{TaskState, TaskStatus, Time};

use super::{Core, Effect, Effects, Job, JobState, State, Step, Task, job::Named};
use crate::{
    ids::{Attempt, Place},
    plan::Report,
};

impl Core {
    /// A task changed. One that is not what the core waits for is ended if it lives.
    pub(super) fn update(&mut self, now: Time, status: &TaskStatus, effects: &mut Effects) {
        let Ok(attempt) = status.task_id.as_str().parse::<Attempt>() else {
            return;
        };
        let lives = matches!(
            status.state,
            TaskState::Staging | TaskState::Starting | TaskState::Running
        );
        match self
            .job_mut(&attempt.job)
            .filter(|job| job.expects(&attempt))
        {
            Some(job) => job.update(now, &attempt, status, effects),
            // An attempt that was given up, or of a job that ended, came back.
            None if lives => effects.kill(&attempt),
            None => {}
        }
    }
}

impl Job {
    /// Whether this attempt is the present one, and may be alive.
    fn expects(&self, attempt: &Attempt) -> bool {
        !self.state.has_ended()
            && self
                .present(attempt)
                .is_some_and(|task| task.state.is_live())
    }

    /// The present attempt changed.
    fn update(&mut self, now: Time, attempt: &Attempt, status: &TaskStatus, effects: &mut Effects) {
        let place = attempt.place;
        let message = status.message.as_deref().unwrap_or_default();
        match status.state {
            TaskState::Staging | TaskState::Starting | TaskState::Killing => {}
            TaskState::Running => self.started(place, effects),
            TaskState::Finished => self.finished(now, attempt, effects),
            TaskState::Failed => self.failed(attempt, message, effects),
            TaskState::Error => {
                let reason = format!("{} cannot be launched: {message}", Named(place));
                self.end(now, JobState::Failed, &reason, effects);
            }
            TaskState::Killed
            | TaskState::Lost
            | TaskState::Dropped
            | TaskState::Unreachable
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => {
                let message = format!("{}: {message}", status.state.name());
                self.lose(now, place, &message, effects);
            }
        }
    }

    fn started(&mut self, place: Place, effects: &mut Effects) {
        // Reconciliation repeats it: nothing new then, and nothing to write.
        let Some(task) = self.task_mut(place) else {
            return;
        };
        if matches!(task.state, State::Launched(_)) {
            task.step(Step::Start);
            self.store_task(place, effects);
        }
    }

    fn finished(&mut self, now: Time, attempt: &Attempt, effects: &mut Effects) {
        let is_last = self.is_last(attempt.place.stage);
        let Some(task) = self.task_mut(attempt.place) else {
            return;
        };
        task.step(if is_last { Step::Deliver } else { Step::Finish });
        if let State::Collecting(site) = &task.state {
            effects.push(Effect::Collect(attempt.clone(), site.clone()));
        }
        self.store_task(attempt.place, effects);
        self.conclude(now, effects);
    }

    /// The attempt failed: what it left behind says whose fault it is.
    fn failed(&mut self, attempt: &Attempt, message: &str, effects: &mut Effects) {
        let Some(task) = self.task_mut(attempt.place) else {
            return;
        };
        task.remember(message);
        task.step(Step::Fail);
        if let State::Failing(site) = &task.state {
            effects.push(Effect::Inspect(attempt.clone(), site.clone()));
        }
        self.store_task(attempt.place, effects);
    }

    /// The report of a failed attempt was read, or there is none.
    pub(super) fn inspected(
        &mut self,
        now: Time,
        attempt: &Attempt,
        report: Option<Report>,
        effects: &mut Effects,
    ) {
        let is_failing = |task: &Task| matches!(task.state, State::Failing(_));
        if self.state.has_ended() || !self.present(attempt).is_some_and(is_failing) {
            return;
        }
        let Report { error, lost } = report.unwrap_or_default();
        let message = match self.present(attempt) {
            Some(task) if error.is_empty() => task.message.clone(),
            _ => error,
        };
        if lost.is_empty() {
            self.blame(now, attempt.place, &message, effects);
        } else {
            self.lose(now, attempt.place, &message, effects);
            self.remake(now, attempt.place.stage, &lost, effects);
        }
    }

    /// The task failed by its own doing: again, as often as the job allows.
    fn blame(&mut self, now: Time, place: Place, message: &str, effects: &mut Effects) {
        let retries = self.spec.retries;
        let Some(task) = self.task_mut(place) else {
            return;
        };
        task.failures += 1;
        task.remember(message);
        task.retry(now);
        let failures = task.failures;
        self.store_task(place, effects);
        if failures > retries {
            let reason = format!(
                "{} failed {failures} times; at last: {message}",
                Named(place)
            );
            self.end(now, JobState::Failed, &reason, effects);
        }
    }

    /// Makes the outputs again that a task of `stage` could not fetch, unless that has begun.
    fn remake(&mut self, now: Time, stage: u32, lost: &[(u32, u32)], effects: &mut Effects) {
        let Some(stage) = stage.checked_sub(1) else {
            return;
        };
        for &(partition, number) in lost {
            let place = Place { stage, partition };
            let is_lost = self
                .task(place)
                .is_some_and(|task| task.attempt == number && matches!(task.state, State::Done(_)));
            if is_lost && !self.state.has_ended() {
                self.lose(now, place, "its output cannot be fetched", effects);
            }
        }
    }

    /// The result of a task of the last stage is here, or cannot be had.
    pub(super) fn collected(
        &mut self,
        now: Time,
        attempt: &Attempt,
        result: Result<(), String>,
        effects: &mut Effects,
    ) {
        let is_collecting = |task: &Task| matches!(task.state, State::Collecting(_));
        if self.state.has_ended() || !self.present(attempt).is_some_and(is_collecting) {
            return;
        }
        match result {
            Ok(()) => {
                if let Some(task) = self.task_mut(attempt.place) {
                    task.step(Step::Finish);
                }
                self.store_task(attempt.place, effects);
                self.conclude(now, effects);
            }
            Err(message) => {
                let message = format!("its result cannot be collected: {message}");
                self.lose(now, attempt.place, &message, effects);
            }
        }
    }

    /// The job has succeeded when the whole last stage is done: earlier outputs may be lost then.
    fn conclude(&mut self, now: Time, effects: &mut Effects) {
        let done = |task: &Task| matches!(task.state, State::Done(_));
        if self
            .stages
            .last()
            .is_some_and(|tasks| tasks.iter().all(done))
        {
            self.end(now, JobState::Succeeded, "", effects);
        }
    }
}
