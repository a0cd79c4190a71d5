//! What must come out of a scenario, so that each is a test.

use core::{fmt, time::Duration};
use std::collections::BTreeMap;

use serde::Deserialize;

use super::figures::{Figures, Group, Waits};

/// Bounds on the figures of a run; what is not named is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expectations {
    /// How many tasks have finished.
    tasks_finished: Option<Bound>,
    /// How many were lost, and launched anew.
    tasks_lost: Option<Bound>,
    /// How many gave way to a role of a higher priority.
    tasks_preempted: Option<Bound>,
    /// How many were launched on an offer that was over by then.
    tasks_late: Option<Bound>,
    /// How many were moved away from agents that were to go down.
    tasks_moved: Option<Bound>,
    /// How many run at the end.
    tasks_running: Option<Bound>,
    /// How near the shares are to the ideal, on the average over the run: 1 is equal.
    jain: Option<Bound>,
    /// Which part of a resource tasks take, on the average over the run.
    utilisation: BTreeMap<String, Bound>,
    /// The longest that 99 of 100 tasks wait.
    wait_p99: Option<Span>,
    /// The same of a group of frameworks.
    groups: BTreeMap<String, GroupExpectations>,
}

/// Bounds on the figures of a group of frameworks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GroupExpectations {
    tasks_finished: Option<Bound>,
    tasks_lost: Option<Bound>,
    tasks_preempted: Option<Bound>,
    tasks_late: Option<Bound>,
    tasks_moved: Option<Bound>,
    tasks_running: Option<Bound>,
    /// How many gangs ran whole.
    gangs: Option<Bound>,
    /// The longest that a gang may run in part.
    gang_partly: Option<Span>,
    wait_p99: Option<Span>,
    /// The longest that any task waits.
    wait_max: Option<Span>,
}

/// A number exactly, or between two.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(from = "BoundText")]
pub(super) struct Bound {
    min: f64,
    max: f64,
}

/// A bound as it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a number, or { min, max } with one of them or both"
)]
enum BoundText {
    Exact(f64),
    Range(Range),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

impl From<BoundText> for Bound {
    fn from(text: BoundText) -> Self {
        match text {
            BoundText::Exact(value) => Self {
                min: value,
                max: value,
            },
            BoundText::Range(Range { min, max }) => Self {
                min: min.unwrap_or(f64::NEG_INFINITY),
                max: max.unwrap_or(f64::INFINITY),
            },
        }
    }
}

impl Bound {
    fn scaled(self, scale: f64) -> Self {
        // A job of one task has one at any scale.
        let of = |bound: f64| (bound * scale).round().max(bound.min(1.0));
        Self {
            min: of(self.min),
            max: of(self.max),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (min, max) if min == max => write!(formatter, "{min}"),
            (min, f64::INFINITY) => write!(formatter, "at least {min}"),
            (f64::NEG_INFINITY, max) => write!(formatter, "at most {max}"),
            (min, max) => write!(formatter, "{min} to {max}"),
        }
    }
}

/// A span of time as people write it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_duration(&text).map(Self)
    }
}

/// One expectation and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// Which figure.
    pub figure: String,
    /// What was expected of it.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// Whether that is as expected.
    pub is_met: bool,
}

fn judge(figure: impl Into<String>, bound: Option<Bound>, found: f64) -> Option<Verdict> {
    let bound = bound?;
    Some(Verdict {
        figure: figure.into(),
        expected: bound.to_string(),
        found: format!("{}", (found * 1e4).round() / 1e4),
        is_met: (bound.min..=bound.max).contains(&found),
    })
}

/// `none` is what is said if there is nothing to judge.
fn judge_span(
    figure: impl Into<String>,
    most: Option<Span>,
    found: Option<f64>,
    none: &str,
) -> Option<Verdict> {
    let Span(most) = most?;
    // Down to a millisecond, which is what people read.
    let found = found.map(|seconds| Duration::from_millis((seconds * 1e3).ceil() as u64));
    Some(Verdict {
        figure: figure.into(),
        expected: format!("at most {}", humantime::format_duration(most)),
        found: match found {
            Some(found) => humantime::format_duration(found).to_string(),
            None => none.to_owned(),
        },
        is_met: found.is_some_and(|found| found <= most),
    })
}

fn judge_wait(
    figure: impl Into<String>,
    most: Option<Span>,
    group: &Group,
    wait: fn(&Waits) -> f64,
) -> Option<Verdict> {
    judge_span(
        figure,
        most,
        group.waits.as_ref().map(wait),
        "no task waited",
    )
}

impl GroupExpectations {
    /// What came of each expectation of that group.
    fn judge(&self, group: &Group) -> [Option<Verdict>; 10] {
        let figure = |what: &str| format!("{}: {what}", group.name);
        let partly =
            (group.gangs > 0 || group.longest_partly > 0.0).then_some(group.longest_partly);
        [
            judge(
                figure("tasks finished"),
                self.tasks_finished,
                group.finished as f64,
            ),
            judge(figure("tasks lost"), self.tasks_lost, group.lost as f64),
            judge(
                figure("tasks preempted"),
                self.tasks_preempted,
                group.preempted as f64,
            ),
            judge(figure("tasks too late"), self.tasks_late, group.late as f64),
            judge(figure("tasks moved"), self.tasks_moved, group.moved as f64),
            judge(
                figure("tasks running"),
                self.tasks_running,
                group.running as f64,
            ),
            judge(figure("gangs"), self.gangs, group.gangs as f64),
            judge_span(
                figure("a gang in part"),
                self.gang_partly,
                partly,
                "no gang ran",
            ),
            judge_wait(figure("wait, p99"), self.wait_p99, group, |waits| waits.p99),
            judge_wait(figure("longest wait"), self.wait_max, group, |waits| {
                waits.max
            }),
        ]
    }
}

impl Expectations {
    /// The groups that something is expected of.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// What is to be expected when there are so many times the agents and tasks.
    pub(super) fn scaled(mut self, scale: f64) -> Self {
        let of = |bound: Option<Bound>| bound.map(|bound| bound.scaled(scale));
        self.tasks_finished = of(self.tasks_finished);
        self.tasks_lost = of(self.tasks_lost);
        self.tasks_preempted = of(self.tasks_preempted);
        self.tasks_late = of(self.tasks_late);
        self.tasks_moved = of(self.tasks_moved);
        self.tasks_running = of(self.tasks_running);
        for group in self.groups.values_mut() {
            group.tasks_finished = of(group.tasks_finished);
            group.tasks_lost = of(group.tasks_lost);
            group.tasks_preempted = of(group.tasks_preempted);
            group.tasks_late = of(group.tasks_late);
            group.tasks_moved = of(group.tasks_moved);
            group.tasks_running = of(group.tasks_running);
        }
        self
    }

    /// What came of each expectation.
    pub(super) fn judge(&self, figures: &Figures) -> Vec<Verdict> {
        let all = &figures.all;
        let mut verdicts = vec![
            judge("tasks finished", self.tasks_finished, all.finished as f64),
            judge("tasks lost", self.tasks_lost, all.lost as f64),
            judge(
                "tasks preempted",
                self.tasks_preempted,
                all.preempted as f64,
            ),
            judge("tasks too late", self.tasks_late, all.late as f64),
            judge("tasks moved", self.tasks_moved, all.moved as f64),
            judge("tasks running", self.tasks_running, all.running as f64),
            judge("Jain index, mean", self.jain, figures.jain),
            judge_wait("wait, p99", self.wait_p99, all, |waits| waits.p99),
        ];
        for (kind, bound) in &self.utilisation {
            let found = figures
                .utilisation
                .iter()
                .find(|found| found.resource == *kind);
            let found = found.map_or(0.0, |found| found.mean);
            verdicts.push(judge(format!("use of {kind}, mean"), Some(*bound), found));
        }
        for (name, expected) in &self.groups {
            let Some(group) = figures.groups.iter().find(|group| group.name == *name) else {
                continue;
            };
            verdicts.extend(expected.judge(group));
        }
        verdicts.into_iter().flatten().collect()
    }
}
