//! How far a job has come, in numbers.

use super::{Job, State};

/// The tasks of a stage by what they are doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageProgress {
    /// For input, offers, or another try.
    pub waiting: u32,
    /// On their way to an agent, or there.
    pub running: u32,
    /// Their output is there.
    pub done: u32,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stage by stage.
    pub stages: Vec<StageProgress>,
    /// Attempts that failed by their own doing.
    pub failures: u32,
    /// Attempts and outputs that were lost otherwise.
    pub losses: u32,
}

impl StageProgress {
    /// All its tasks.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.waiting + self.running + self.done
    }
}

impl Progress {
    /// All tasks that are done, and all there are.
    #[must_use]
    pub fn done_of(&self) -> (u32, u32) {
        let done = self.stages.iter().map(|stage| stage.done).sum();
        (done, self.stages.iter().map(StageProgress::total).sum())
    }
}

impl Job {
    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for tasks in &self.stages {
            let mut stage = StageProgress::default();
            for task in tasks {
                match task.state {
                    State::Waiting => stage.waiting += 1,
                    State::Done(_) => stage.done += 1,
                    _ => stage.running += 1,
                }
                progress.failures += task.failures;
                progress.losses += task.losses;
            }
            progress.stages.push(stage);
        }
        progress
    }
}
