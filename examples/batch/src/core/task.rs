//! One place of a job, and how far its present attempt has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tepui_sdk::model::{AgentId, Time};

use super::record::{as_micros, as_text};
use crate::limits::{MESSAGE_BYTES, RETRY_PAUSE, RETRY_PAUSE_MOST};

/// Where an attempt runs, or its output is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The agent.
    #[serde(with = "as_text")]
    pub agent: AgentId,
    /// Where it answers, `HOST:PORT`.
    pub address: String,
}

/// How far the present attempt has come.
///
/// | from \ step | launch | start | finish | deliver | fail | return |
/// |---|---|---|---|---|---|---|
/// | waiting | launched | - | - | - | - | - |
/// | launched | - | running | done | collecting | failing | waiting |
/// | running | - | running | done | collecting | failing | waiting |
/// | failing | - | - | - | - | - | waiting |
/// | collecting | - | - | done | - | - | waiting |
/// | done | - | - | - | - | - | waiting |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// For its input, for an offer, or for the end of a pause.
    Waiting,
    /// It was handed to the master, and nothing was heard of it yet.
    Launched(Site),
    /// It runs.
    Running(Site),
    /// It failed; the report of why is being read.
    Failing(Site),
    /// It finished; its result is being brought here.
    Collecting(Site),
    /// Its output is there.
    Done(Site),
}

/// What moves a task on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is handed to the master.
    Launch(Site),
    /// It runs.
    Start,
    /// Its output is where it must be.
    Finish,
    /// Its output is on the agent, and must be brought here.
    Deliver,
    /// It failed.
    Fail,
    /// There is no output, or no more: back to the beginning.
    Return,
}

/// A step that this state does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {state} does not {step}")]
pub struct IllegalTransition {
    /// The state.
    pub state: &'static str,
    /// The step.
    pub step: &'static str,
}

impl State {
    /// The state after a step.
    ///
    /// # Errors
    /// [`IllegalTransition`]: the step is a repeated or belated one, and nothing changes.
    pub fn next(&self, step: Step) -> Result<Self, IllegalTransition> {
        match (self.clone(), step) {
            (Self::Waiting, Step::Launch(site)) => Ok(Self::Launched(site)),
            (Self::Launched(site) | Self::Running(site), Step::Start) => Ok(Self::Running(site)),
            (Self::Launched(site) | Self::Running(site) | Self::Collecting(site), Step::Finish) => {
                Ok(Self::Done(site))
            }
            (Self::Launched(site) | Self::Running(site), Step::Deliver) => {
                Ok(Self::Collecting(site))
            }
            (Self::Launched(site) | Self::Running(site), Step::Fail) => Ok(Self::Failing(site)),
            (
                Self::Launched(_)
                | Self::Running(_)
                | Self::Failing(_)
                | Self::Collecting(_)
                | Self::Done(_),
                Step::Return,
            ) => Ok(Self::Waiting),
            (state, step) => Err(IllegalTransition {
                state: state.name(),
                step: step.name(),
            }),
        }
    }

    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Launched(_) => "launched",
            Self::Running(_) => "running",
            Self::Failing(_) => "failing",
            Self::Collecting(_) => "collecting",
            Self::Done(_) => "done",
        }
    }

    /// Where it is, unless it waits.
    #[must_use]
    pub const fn site(&self) -> Option<&Site> {
        match self {
            Self::Waiting => None,
            Self::Launched(site)
            | Self::Running(site)
            | Self::Failing(site)
            | Self::Collecting(site)
            | Self::Done(site) => Some(site),
        }
    }

    /// Whether a process of it may be alive.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Launched(_) | Self::Running(_))
    }
}

impl Step {
    const fn name(&self) -> &'static str {
        match self {
            Self::Launch(_) => "launch",
            Self::Start => "start",
            Self::Finish => "finish",
            Self::Deliver => "deliver",
            Self::Fail => "fail",
            Self::Return => "return",
        }
    }
}

/// A place of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// How far it has come.
    pub state: State,
    /// The number of the last attempt; 0 before the first.
    pub attempt: u32,
    /// How often it failed by its own doing.
    pub failures: u32,
    /// How often it was lost, or its output, by no doing of its own.
    pub losses: u32,
    /// No sooner is it tried again.
    #[serde(with = "as_micros")]
    pub not_before: Time,
    /// The last thing that went wrong.
    #[serde(default)]
    pub message: String,
    /// Where that was: another agent is better.
    #[serde(default)]
    pub failed_on: Option<Site>,
}

impl Task {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Waiting,
            attempt: 0,
            failures: 0,
            losses: 0,
            not_before: Time::ZERO,
            message: String::new(),
            failed_on: None,
        }
    }

    /// Where the last attempt is or was.
    #[must_use]
    pub fn site(&self) -> Option<&Site> {
        self.state.site().or(self.failed_on.as_ref())
    }

    /// Takes a step; false if the present state does not take it.
    pub(super) fn step(&mut self, step: Step) -> bool {
        let next = self.state.next(step);
        next.map(|state| self.state = state).is_ok()
    }

    /// Remembers what went wrong, and where.
    pub(super) fn remember(&mut self, message: &str) {
        cut(message).clone_into(&mut self.message);
        self.failed_on = self.state.site().cloned();
    }

    /// Back to the beginning, after a pause that doubles each time.
    pub(super) fn retry(&mut self, now: Time) {
        if self.step(Step::Return) {
            self.not_before = now + pause(self.failures + self.losses);
        }
    }
}

/// The beginning of a text about a failure, as much of it as is kept.
pub(super) fn cut(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// The pause after the `count`th thing that went wrong.
fn pause(count: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(count.saturating_sub(1));
    RETRY_PAUSE.saturating_mul(doubled).min(RETRY_PAUSE_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            agent: AgentId::new("a").unwrap(),
            address: "a:1".into(),
        }
    }

    #[test]
    fn the_table_of_transitions_is_the_one_in_the_docs() {
        let states = [
            State::Waiting,
            State::Launched(site()),
            State::Running(site()),
            State::Failing(site()),
            State::Collecting(site()),
            State::Done(site()),
        ];
        let steps = [
            Step::Launch(site()),
            Step::Start,
            Step::Finish,
            Step::Deliver,
            Step::Fail,
            Step::Return,
        ];
        let names: Vec<_> = steps.iter().map(Step::name).collect();
        let mut table = format!("/// | from \\ step | {} |\n", names.join(" | "));
        table += "/// |---|---|---|---|---|---|---|\n";
        for state in &states {
            let after = |step: &Step| state.next(step.clone()).map_or("-", |state| state.name());
            let row: Vec<_> = steps.iter().map(after).collect();
            table += &format!("/// | {} | {} |\n", state.name(), row.join(" | "));
        }
        assert!(include_str!("task.rs").contains(&table), "{table}");
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        assert_eq!(pause(1), RETRY_PAUSE);
        assert_eq!(pause(3), RETRY_PAUSE * 4);
        assert_eq!(pause(100), RETRY_PAUSE_MOST);
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let mut task = Task::new();
        task.remember(&"\u{e9}".repeat(MESSAGE_BYTES));
        assert_eq!(task.message.len(), MESSAGE_BYTES);
        task.remember(&format!("x{}", "\u{e9}".repeat(MESSAGE_BYTES)));
        assert_eq!(task.message.len(), MESSAGE_BYTES - 1);
    }
}
