//! Master and agent agree again on the agent's operations and on what it has.

use std::collections::BTreeMap;

use tepui_model::{AgentKey, Resources};

use super::{Ledger, Operation, OperationState, OperationStatus, OperationUuid};
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    events::KnownOperation,
};

impl Master {
    /// An agent that registers says what it has, with all that was done to it: what it does not
    /// know has not reached it, or is over.
    pub(crate) fn agree_on_operations(
        &mut self,
        key: AgentKey,
        known: Vec<KnownOperation>,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let known: BTreeMap<OperationUuid, KnownOperation> =
            known.into_iter().map(|known| (known.uuid, known)).collect();
        let here: Vec<OperationUuid> = agent.operations.keys().copied().collect();
        for uuid in here {
            if !known.contains_key(&uuid) {
                self.drop_operation(key, uuid, effects);
            }
        }
        for (uuid, known) in known {
            self.take_operation(key, known);
            self.pass_on(key, uuid, effects);
        }
    }

    /// What an agent has is what it says, and nothing is on its way to it.
    pub(crate) fn restart_ledger(&mut self, key: AgentKey, registered: Resources) {
        if let Some(agent) = self.agents.get_mut(key) {
            agent.ledger = Ledger::new(registered);
        }
        self.correct_total(key);
    }

    /// The allocator takes over what an agent has, by its ledger.
    pub(super) fn correct_total(&mut self, key: AgentKey) {
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let total = agent.ledger.total();
        self.allocator.update_agent(key, agent.profile(total));
    }

    /// An operation that its agent does not know: it never arrived, or its end was acknowledged.
    fn drop_operation(&mut self, key: AgentKey, uuid: OperationUuid, effects: &mut Effects) {
        let Some(operation) = self.forget_operation(key, uuid) else {
            return;
        };
        if operation.state().is_terminal() {
            return;
        }
        let message = "Reconciliation: operation unknown to the agent";
        self.tell_end(&operation, OperationState::Dropped, message, effects);
    }

    /// An operation that its agent knows.
    fn take_operation(&mut self, key: AgentKey, known: KnownOperation) {
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        let KnownOperation {
            framework_id,
            uuid,
            operation,
            latest,
        } = known;
        let id = operation.id.as_ref().map(TryInto::try_into);
        let status = OperationStatus {
            id: id.and_then(Result::ok),
            agent_id: Some(agent.id.clone()),
            ..latest
        };
        self.forget_operation(key, uuid);
        let operation = Operation {
            uuid,
            framework: framework_id,
            info: operation,
            status,
        };
        self.keep_operation(key, operation);
    }

    /// Tells the framework of an operation how it ended, because the master says so.
    pub(super) fn tell_end(
        &self,
        operation: &Operation,
        state: OperationState,
        message: &str,
        effects: &mut Effects,
    ) {
        let Some((framework, id)) = operation.listener() else {
            return;
        };
        let Some(key) = self.frameworks.by_id.get(framework) else {
            return;
        };
        let place = operation.status.agent_id.as_ref();
        let status = OperationStatus::new(Some(id.clone()), state)
            .saying(message)
            .at(place);
        self.tell(
            *key,
            FrameworkEvent::OperationUpdate(Box::new(status)),
            effects,
        );
    }
}

#[cfg(test)]
mod tests;
