//! The states of a framework and how one follows from another.

/// How a framework stands to the master.
///
/// | state        | Subscribe | Disconnect   | Remove |
/// |--------------|-----------|--------------|--------|
/// | Connected    | Connected | Disconnected | Ending |
/// | Disconnected | Connected | refused      | Ending |
/// | Recovered    | Connected | refused      | Ending |
/// | Ending       | refused   | refused      | refused|
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameworkState {
    /// It has a stream and gets offers.
    Connected,
    /// Its stream is over; it has until its deadline to come back (Mesos: FWK-03).
    Disconnected,
    /// It is known from the registry or from an agent's tasks, and has not come back yet.
    Recovered,
    /// It is removed; its tasks are being ended.
    Ending,
}

/// What changes the state of a framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameworkStep {
    /// It subscribes.
    Subscribe,
    /// Its stream is over.
    Disconnect,
    /// It is torn down, or did not come back in time.
    Remove,
}

/// A step that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a framework that is {state:?} cannot {step:?}")]
pub struct IllegalFrameworkStep {
    /// The state.
    pub state: FrameworkState,
    /// The step.
    pub step: FrameworkStep,
}

impl FrameworkState {
    /// The state after a step.
    pub const fn next(self, step: FrameworkStep) -> Result<Self, IllegalFrameworkStep> {
        match (self, step) {
            (Self::Connected | Self::Disconnected | Self::Recovered, FrameworkStep::Subscribe) => {
                Ok(Self::Connected)
            }
            (Self::Connected, FrameworkStep::Disconnect) => Ok(Self::Disconnected),
            (Self::Connected | Self::Disconnected | Self::Recovered, FrameworkStep::Remove) => {
                Ok(Self::Ending)
            }
            (state, step) => Err(IllegalFrameworkStep { state, step }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameworkState::*, FrameworkStep::*};

    #[test]
    fn the_table_of_a_frameworks_states_is_the_one_in_the_docs() {
        let table = [
            (
                Connected,
                [Some(Connected), Some(Disconnected), Some(Ending)],
            ),
            (Disconnected, [Some(Connected), None, Some(Ending)]),
            (Recovered, [Some(Connected), None, Some(Ending)]),
            (Ending, [None, None, None]),
        ];
        for (state, row) in table {
            let next = [Subscribe, Disconnect, Remove].map(|step| state.next(step).ok());
            assert_eq!(next, row, "{state:?}");
        }
    }
}
