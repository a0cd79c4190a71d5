//! The states of an agent and how one follows from another.

/// How an agent stands to the master.
///
/// | state        | Register  | Disconnect   | Lose        | Remove  |
/// |--------------|-----------|--------------|-------------|---------|
/// | Recovered    | Connected | refused      | Unreachable | Gone    |
/// | Connected    | Connected | Disconnected | Unreachable | Gone    |
/// | Disconnected | Connected | refused      | Unreachable | Gone    |
/// | Unreachable  | Connected | refused      | refused     | Gone    |
/// | Gone         | refused   | refused      | refused     | refused |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// It is known from the registry and has not come back yet.
    Recovered,
    /// It has a stream; its resources are offered.
    Connected,
    /// Its stream is over; its tasks may go on.
    Disconnected,
    /// It was silent for too long; its tasks may go on (Mesos: TSK-04).
    Unreachable,
    /// It is removed for good, with its tasks.
    Gone,
}

/// What changes the state of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentStep {
    /// It registers under its id.
    Register,
    /// Its stream is over.
    Disconnect,
    /// It was silent for too long.
    Lose,
    /// It unregistered, was replaced, or was declared gone.
    Remove,
}

/// A step that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agent that is {state:?} cannot {step:?}")]
pub struct IllegalAgentStep {
    /// The state.
    pub state: AgentState,
    /// The step.
    pub step: AgentStep,
}

impl AgentState {
    /// The state after a step.
    pub const fn next(self, step: AgentStep) -> Result<Self, IllegalAgentStep> {
        match (self, step) {
            (Self::Gone, step) => Err(IllegalAgentStep { state: self, step }),
            (_, AgentStep::Register) => Ok(Self::Connected),
            (_, AgentStep::Remove) => Ok(Self::Gone),
            (Self::Connected, AgentStep::Disconnect) => Ok(Self::Disconnected),
            (Self::Recovered | Self::Connected | Self::Disconnected, AgentStep::Lose) => {
                Ok(Self::Unreachable)
            }
            (state, step) => Err(IllegalAgentStep { state, step }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentState::*, AgentStep::*};

    #[test]
    fn the_table_of_an_agents_states_is_the_one_in_the_docs() {
        let table = [
            (
                Recovered,
                [Some(Connected), None, Some(Unreachable), Some(Gone)],
            ),
            (
                Connected,
                [
                    Some(Connected),
                    Some(Disconnected),
                    Some(Unreachable),
                    Some(Gone),
                ],
            ),
            (
                Disconnected,
                [Some(Connected), None, Some(Unreachable), Some(Gone)],
            ),
            (Unreachable, [Some(Connected), None, None, Some(Gone)]),
            (Gone, [None, None, None, None]),
        ];
        for (state, row) in table {
            let next = [Register, Disconnect, Lose, Remove].map(|step| state.next(step).ok());
            assert_eq!(next, row, "{state:?}");
        }
    }
}
