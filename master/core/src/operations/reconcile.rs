//! RECONCILE_OPERATIONS: what the master knows of operations, told again (Mesos: REC-04).

use tepui_model::{AgentId, FrameworkKey};

use super::{Operation, OperationState, OperationStatus};
use crate::{
    Master,
    calls::OperationQuery,
    effects::{Effects, FrameworkEvent},
};

impl Master {
    /// The answers want no acknowledgement; no query means all that are known.
    pub(crate) fn reconcile_operations(
        &self,
        key: FrameworkKey,
        queries: &[OperationQuery],
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let answers: Vec<OperationStatus> = if queries.is_empty() {
            let named = framework.operations.keys();
            named
                .filter_map(|id| self.named_operation(key, id))
                .map(|(_, operation)| latest(operation))
                .collect()
        } else {
            queries.iter().map(|query| self.fate(key, query)).collect()
        };
        for status in answers {
            let update = FrameworkEvent::OperationUpdate(Box::new(status));
            self.tell(key, update, effects);
        }
    }

    fn fate(&self, key: FrameworkKey, query: &OperationQuery) -> OperationStatus {
        let id = &query.operation_id;
        if let Some((_, operation)) = self.named_operation(key, id) {
            return latest(operation);
        }
        let agent = query.agent_id.as_ref();
        let is = |known: &dyn Fn(&AgentId) -> bool| agent.is_some_and(known);
        let (state, message) = if is(&|id| self.agents.recovered.contains_key(id)) {
            let message = "Reconciliation: Agent is recovered but has not re-registered";
            (OperationState::Recovering, message)
        } else if is(&|id| self.agents.unreachable.contains(id)) {
            let message = "Reconciliation: Agent is unreachable";
            (OperationState::Unreachable, message)
        } else if is(&|id| self.agents.gone.contains(id)) {
            let message = "Reconciliation: Agent marked gone by operator";
            (OperationState::GoneByOperator, message)
        } else {
            let message = "Reconciliation: Operation is unknown";
            (OperationState::Unknown, message)
        };
        OperationStatus::new(Some(id.clone()), state)
            .saying(message)
            .at(agent)
    }
}

fn latest(operation: &Operation) -> OperationStatus {
    OperationStatus {
        uuid: None,
        ..operation.status.clone()
    }
    .saying("Reconciliation: Latest operation state")
}

#[cfg(test)]
mod tests;
