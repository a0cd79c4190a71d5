//! What is said of an operation goes forward only: an end is final.

use std::collections::BTreeMap;

use tepui_model::OperationId;
use tepui_proto::v1::OperationState;

use super::{Held, ensure};
use crate::framework::is_final;

/// How every operation ended. Frameworks of a run never give the same name to two.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    ends: BTreeMap<OperationId, OperationState>,
    counts: BTreeMap<&'static str, u64>,
}

impl Fates {
    /// An operation is said to be in a state. After its end it may be forgotten, or out of sight or
    /// gone with its agent, for who asks again, but it has no other end, and does not begin anew.
    pub(crate) fn tell(&mut self, operation: &OperationId, state: OperationState) -> Held {
        *self.counts.entry(state.as_str_name()).or_default() += 1;
        let end = self.ends.get(operation).copied();
        if is_final(state) {
            self.ends.entry(operation.clone()).or_insert(state);
        }
        let begins_anew = state == OperationState::OperationPending;
        let is_gone = state == OperationState::OperationGoneByOperator;
        let differs = is_final(state) && !is_gone && end != Some(state);
        ensure(end.is_none() || !(begins_anew || differs), || {
            let end = end.map_or("", |end| end.as_str_name());
            let state = state.as_str_name();
            format!("operation {operation} was {end} and is {state}")
        })
    }

    /// How often frameworks were told each state.
    pub(crate) const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use OperationState::{
        OperationDropped, OperationFinished, OperationGoneByOperator, OperationPending,
        OperationUnknown, OperationUnreachable,
    };

    use super::*;

    fn told(states: &[OperationState]) -> Held {
        let operation = OperationId::new("o").unwrap();
        let mut fates = Fates::default();
        states
            .iter()
            .try_for_each(|state| fates.tell(&operation, *state))
    }

    #[test]
    fn an_end_may_be_repeated_and_forgotten() {
        told(&[OperationPending, OperationUnreachable, OperationFinished]).unwrap();
        told(&[OperationFinished, OperationFinished, OperationUnknown]).unwrap();
    }

    /// Seed 3389: the agent was marked gone while the news of the end was on its way.
    #[test]
    fn an_operation_that_has_ended_may_be_gone_with_its_agent_and_does_not_end_again() {
        told(&[OperationFinished, OperationGoneByOperator]).unwrap();
        assert!(told(&[OperationGoneByOperator, OperationFinished]).is_err());
    }

    #[test]
    fn a_second_end_of_an_operation_is_noticed() {
        assert!(told(&[OperationFinished, OperationDropped]).is_err());
        assert!(told(&[OperationFinished, OperationPending]).is_err());
    }
}
