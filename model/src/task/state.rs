//! The states of a task and the ways between them.

use std::fmt;

use tepui_proto::v1;

/// Where a task stands (Mesos: TSK-01).
///
#[doc = include_str!("transitions.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Accepted by the master; the agent has not begun.
    Staging,
    /// The executor prepares it.
    Starting,
    /// It runs.
    Running,
    /// It is being killed; only told to frameworks with `TASK_KILLING_STATE` (Mesos: TSK-02).
    Killing,
    /// It ended by itself, well.
    Finished,
    /// It ended by itself, badly.
    Failed,
    /// It was killed.
    Killed,
    /// It was refused, because its description is wrong.
    Error,
    /// Something happened to it; told to frameworks that are not partition-aware.
    Lost,
    /// It was never launched, for a passing reason.
    Dropped,
    /// Its agent does not answer.
    Unreachable,
    /// It was on an agent that does not know it any more.
    Gone,
    /// An operator said that its agent is gone for good.
    GoneByOperator,
    /// The master knows neither it nor its agent.
    Unknown,
}

/// A step that a task cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task cannot go from {from} to {to}")]
pub struct IllegalTransition {
    /// Where it stands.
    pub from: TaskState,
    /// Where it was to go.
    pub to: TaskState,
}

impl TaskState {
    /// Every state, in the order of a task's life.
    pub const ALL: [Self; 14] = [
        Self::Staging,
        Self::Starting,
        Self::Running,
        Self::Killing,
        Self::Finished,
        Self::Failed,
        Self::Killed,
        Self::Error,
        Self::Lost,
        Self::Dropped,
        Self::Unreachable,
        Self::Gone,
        Self::GoneByOperator,
        Self::Unknown,
    ];

    /// Whether the task holds resources and is expected to go on: staging, starting, running or
    /// being killed.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Staging | Self::Starting | Self::Running | Self::Killing
        )
    }

    /// Whether the task is over for its framework, which may launch another in its place
    /// (Mesos: TSK-01). A task [`TaskState::may_return`] from two of these states all the same.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !self.is_active() && !matches!(self, Self::Unreachable | Self::Unknown)
    }

    /// Whether the task may be heard of again though nobody expects it: its agent was given up and
    /// may come back (Mesos: TSK-01, TSK-04).
    #[must_use]
    pub const fn may_return(self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Unreachable | Self::GoneByOperator | Self::Unknown
        )
    }

    /// The state after news of `to`. News may repeat a state. An active task goes forward only; one
    /// that may return may be found in any state; nothing follows the true ends.
    pub fn next(self, to: Self) -> Result<Self, IllegalTransition> {
        let legal = if self == to || self.may_return() {
            true
        } else if self.is_active() {
            // The order of the variants is the order of an active task's life.
            to != Self::Unknown && (!to.is_active() || self < to)
        } else {
            false
        };
        if legal {
            Ok(to)
        } else {
            Err(IllegalTransition { from: self, to })
        }
    }

    /// Mesos' name, as `TASK_RUNNING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        v1::TaskState::from(self).as_str_name()
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl From<TaskState> for v1::TaskState {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Staging => Self::TaskStaging,
            TaskState::Starting => Self::TaskStarting,
            TaskState::Running => Self::TaskRunning,
            TaskState::Killing => Self::TaskKilling,
            TaskState::Finished => Self::TaskFinished,
            TaskState::Failed => Self::TaskFailed,
            TaskState::Killed => Self::TaskKilled,
            TaskState::Error => Self::TaskError,
            TaskState::Lost => Self::TaskLost,
            TaskState::Dropped => Self::TaskDropped,
            TaskState::Unreachable => Self::TaskUnreachable,
            TaskState::Gone => Self::TaskGone,
            TaskState::GoneByOperator => Self::TaskGoneByOperator,
            TaskState::Unknown => Self::TaskUnknown,
        }
    }
}

impl From<v1::TaskState> for TaskState {
    fn from(wire: v1::TaskState) -> Self {
        match wire {
            v1::TaskState::TaskStaging => Self::Staging,
            v1::TaskState::TaskStarting => Self::Starting,
            v1::TaskState::TaskRunning => Self::Running,
            v1::TaskState::TaskKilling => Self::Killing,
            v1::TaskState::TaskFinished => Self::Finished,
            v1::TaskState::TaskFailed => Self::Failed,
            v1::TaskState::TaskKilled => Self::Killed,
            v1::TaskState::TaskError => Self::Error,
            v1::TaskState::TaskLost => Self::Lost,
            v1::TaskState::TaskDropped => Self::Dropped,
            v1::TaskState::TaskUnreachable => Self::Unreachable,
            v1::TaskState::TaskGone => Self::Gone,
            v1::TaskState::TaskGoneByOperator => Self::GoneByOperator,
            v1::TaskState::TaskUnknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that stands in the documentation of [`TaskState`].
    fn table() -> String {
        let mark = |from: TaskState, to: TaskState| match from.next(to) {
            Ok(_) if from == to => "=",
            Ok(_) => "x",
            Err(_) => " ",
        };
        let short = |state: TaskState| format!("{state:?}");
        let mut lines = vec![format!(
            "| from \\ to | {} |",
            TaskState::ALL.map(short).join(" | ")
        )];
        lines.push(format!("|---|{}", "---|".repeat(TaskState::ALL.len())));
        for from in TaskState::ALL {
            let marks = TaskState::ALL.map(|to| mark(from, to)).join(" | ");
            lines.push(format!("| {from:?} | {marks} |"));
        }
        lines.join("\n")
    }

    #[test]
    fn the_table_in_the_documentation_is_the_one_in_force() {
        let documented = include_str!("transitions.md");
        let table = table();
        assert!(
            documented.trim_end().ends_with(&table),
            "transitions.md should end with:\n{table}"
        );
    }

    #[test]
    fn nothing_follows_a_true_end() {
        for from in TaskState::ALL
            .into_iter()
            .filter(|state| state.is_terminal() && !state.may_return())
        {
            for to in TaskState::ALL.into_iter().filter(|to| *to != from) {
                assert_eq!(from.next(to), Err(IllegalTransition { from, to }));
            }
        }
    }

    #[test]
    fn an_active_task_can_end_in_every_way_and_never_goes_back() {
        for from in TaskState::ALL.into_iter().filter(|state| state.is_active()) {
            for to in TaskState::ALL
                .into_iter()
                .filter(|state| state.is_terminal())
            {
                assert_eq!(from.next(to), Ok(to));
            }
            assert_eq!(
                from.next(TaskState::Unreachable),
                Ok(TaskState::Unreachable)
            );
            assert!(from.next(TaskState::Unknown).is_err());
        }
        assert!(TaskState::Running.next(TaskState::Starting).is_err());
        assert!(TaskState::Killing.next(TaskState::Running).is_err());
    }

    #[test]
    fn the_terminal_states_are_mesos() {
        let terminal = TaskState::ALL
            .into_iter()
            .filter(|state| state.is_terminal());
        let names: Vec<&str> = terminal.map(TaskState::name).collect();
        let expected = [
            "TASK_FINISHED",
            "TASK_FAILED",
            "TASK_KILLED",
            "TASK_ERROR",
            "TASK_LOST",
            "TASK_DROPPED",
            "TASK_GONE",
            "TASK_GONE_BY_OPERATOR",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_state_goes_over_the_wire_and_back() {
        for state in TaskState::ALL {
            assert_eq!(TaskState::from(v1::TaskState::from(state)), state);
        }
    }
}
