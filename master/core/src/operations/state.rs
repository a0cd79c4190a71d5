//! The states of an operation and how one follows from another (Mesos: OPF-01).

use tepui_proto::v1;

/// How far an operation has come, as frameworks and operators hear of it.
///
/// | state          | Finish   | Fail    | Refuse  | Drop    | Lose        | GiveUp         |
/// |----------------|----------|---------|---------|---------|-------------|----------------|
/// | Pending        | Finished | Failed  | Error   | Dropped | Unreachable | GoneByOperator |
/// | Unreachable    | Finished | Failed  | Error   | Dropped | refused     | GoneByOperator |
/// | Recovering     | Finished | Failed  | Error   | Dropped | Unreachable | GoneByOperator |
/// | Unknown        | refused  | refused | refused | refused | refused     | refused        |
/// | Finished       | refused  | refused | refused | refused | refused     | refused        |
/// | Failed         | refused  | refused | refused | refused | refused     | refused        |
/// | Error          | refused  | refused | refused | refused | refused     | refused        |
/// | Dropped        | refused  | refused | refused | refused | refused     | refused        |
/// | GoneByOperator | refused  | refused | refused | refused | refused     | refused        |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationState {
    /// It is on its way, or its agent is at it.
    Pending,
    /// Its agent was silent for too long.
    Unreachable,
    /// Its agent has not come back since the master started.
    Recovering,
    /// Nobody knows it.
    Unknown,
    /// It is done.
    Finished,
    /// The agent tried and could not.
    Failed,
    /// It breaks a rule.
    Error,
    /// It never reached its agent.
    Dropped,
    /// Its agent was given up, and it with the agent.
    GoneByOperator,
}

/// What changes the state of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationStep {
    /// The agent has done it.
    Finish,
    /// The agent could not do it.
    Fail,
    /// Master or agent will not do it: it breaks a rule.
    Refuse,
    /// It was lost on its way.
    Drop,
    /// Its agent is unreachable.
    Lose,
    /// Its agent is given up.
    GiveUp,
}

/// A step that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operation that is {state:?} cannot {step:?}")]
pub struct IllegalOperationStep {
    /// The state.
    pub state: OperationState,
    /// The step.
    pub step: OperationStep,
}

impl OperationState {
    /// The state after a step.
    pub const fn next(self, step: OperationStep) -> Result<Self, IllegalOperationStep> {
        match (self, step) {
            (Self::Unreachable, OperationStep::Lose) => {
                Err(IllegalOperationStep { state: self, step })
            }
            (Self::Pending | Self::Unreachable | Self::Recovering, step) => Ok(match step {
                OperationStep::Finish => Self::Finished,
                OperationStep::Fail => Self::Failed,
                OperationStep::Refuse => Self::Error,
                OperationStep::Drop => Self::Dropped,
                OperationStep::Lose => Self::Unreachable,
                OperationStep::GiveUp => Self::GoneByOperator,
            }),
            (state, step) => Err(IllegalOperationStep { state, step }),
        }
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Unreachable | Self::Recovering | Self::Unknown => false,
            Self::Finished | Self::Failed | Self::Error | Self::Dropped | Self::GoneByOperator => {
                true
            }
        }
    }
}

impl OperationStep {
    /// The step that an agent's report of a state is; nothing while it has not ended.
    pub(crate) const fn reported(state: OperationState) -> Option<Self> {
        match state {
            OperationState::Finished => Some(Self::Finish),
            OperationState::Failed => Some(Self::Fail),
            OperationState::Error => Some(Self::Refuse),
            OperationState::Dropped => Some(Self::Drop),
            _ => None,
        }
    }
}

impl From<OperationState> for v1::OperationState {
    fn from(state: OperationState) -> Self {
        match state {
            OperationState::Pending => Self::OperationPending,
            OperationState::Unreachable => Self::OperationUnreachable,
            OperationState::Recovering => Self::OperationRecovering,
            OperationState::Unknown => Self::OperationUnknown,
            OperationState::Finished => Self::OperationFinished,
            OperationState::Failed => Self::OperationFailed,
            OperationState::Error => Self::OperationError,
            OperationState::Dropped => Self::OperationDropped,
            OperationState::GoneByOperator => Self::OperationGoneByOperator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OperationState::*, OperationStep::*, *};

    #[test]
    fn the_table_of_an_operations_states_is_the_one_in_the_docs() {
        let steps = [Finish, Fail, Refuse, Drop, Lose, GiveUp];
        let ends = [Finished, Failed, Error, Dropped].map(Some);
        let on_the_way = |lost| [&ends[..], &[lost, Some(GoneByOperator)]].concat();
        let over = vec![None; steps.len()];
        let table = [
            (Pending, on_the_way(Some(Unreachable))),
            (Unreachable, on_the_way(None)),
            (Recovering, on_the_way(Some(Unreachable))),
            (Unknown, over.clone()),
            (Finished, over.clone()),
            (Failed, over.clone()),
            (Error, over.clone()),
            (Dropped, over.clone()),
            (GoneByOperator, over),
        ];
        for (state, row) in table {
            let next: Vec<_> = steps.iter().map(|step| state.next(*step).ok()).collect();
            assert_eq!(next, row, "{state:?}");
        }
    }

    #[test]
    fn what_is_terminal_has_no_step_left() {
        for state in [Finished, Failed, Error, Dropped, GoneByOperator] {
            assert!(state.is_terminal(), "{state:?}");
            assert!(state.next(Finish).is_err(), "{state:?}");
        }
        for state in [Pending, Unreachable, Recovering] {
            assert!(!state.is_terminal(), "{state:?}");
            assert_eq!(state.next(Finish), Ok(Finished));
        }
    }

    #[test]
    fn only_an_end_that_an_agent_can_know_is_a_step() {
        let reported = OperationStep::reported;
        assert_eq!(reported(Finished), Some(Finish));
        assert_eq!(reported(Failed), Some(Fail));
        assert_eq!(reported(Error), Some(Refuse));
        assert_eq!(reported(Dropped), Some(Drop));
        for state in [Pending, Unreachable, Recovering, Unknown, GoneByOperator] {
            assert_eq!(reported(state), None, "{state:?}");
        }
    }
}
