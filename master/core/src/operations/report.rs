//! An agent says what became of an operation (Mesos: OPF-01, FWK-11).

use tepui_model::{AgentKey, StatusUuid};

use super::{Operation, OperationState, OperationStatus, OperationStep, OperationUuid};
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    events::ConnectionId,
    frameworks::FrameworkState,
    limits::ORPHAN_ADOPTION,
    master::Peer,
};

impl Master {
    pub(crate) fn operation_reported(
        &mut self,
        connection: ConnectionId,
        uuid: OperationUuid,
        status: OperationStatus,
        effects: &mut Effects,
    ) {
        let Some(Peer::Agent(key)) = self.connections.get(&connection).copied() else {
            return;
        };
        let known = self
            .agents
            .get(key)
            .and_then(|agent| agent.operations.get(&uuid));
        let Some(known) = known else {
            // All is said about it; the agent has not heard that it was heard.
            return self.hear_out(key, uuid, status.uuid, effects);
        };
        let before = known.state();
        let Some(step) = OperationStep::reported(status.state) else {
            return;
        };
        // Told again if it is known already.
        if let Ok(state) = before.next(step) {
            self.settle_operation(key, uuid, state, effects);
        } else if before != status.state {
            let problem = format!("operation {uuid} was {before:?} and is {:?}", status.state);
            return effects.warn(problem);
        }
        self.take_status(key, uuid, status);
        self.pass_on(key, uuid, effects);
    }

    /// What was counted as done is, or is not.
    fn settle_operation(
        &mut self,
        key: AgentKey,
        uuid: OperationUuid,
        state: OperationState,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        if state == OperationState::Finished {
            return agent.ledger.done(uuid);
        }
        if agent.ledger.not_done(uuid) {
            let problem = format!("agent {} did not do operation {uuid}", agent.id);
            effects.warn(problem);
            // What the operation made may be in any offer of the agent.
            self.rescind_offers_of_agent(key, effects);
            self.correct_total(key);
        }
    }

    /// The framework's name for the operation and its place are the master's to say.
    fn take_status(&mut self, key: AgentKey, uuid: OperationUuid, status: OperationStatus) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let Some(operation) = agent.operations.get_mut(&uuid) else {
            return;
        };
        operation.status = OperationStatus {
            id: operation.status.id.take(),
            agent_id: Some(agent.id.clone()),
            ..status
        };
    }

    /// Tells the framework of an operation that has ended, or answers the agent in its place.
    pub(super) fn pass_on(&mut self, key: AgentKey, uuid: OperationUuid, effects: &mut Effects) {
        let operation = self
            .agents
            .get(key)
            .and_then(|agent| agent.operations.get(&uuid));
        let Some(operation) = operation.filter(|operation| operation.state().is_terminal()) else {
            return;
        };
        let status = operation.status.clone();
        if !self.is_awaited(operation) {
            self.forget_operation(key, uuid);
            return self.hear_out(key, uuid, status.uuid, effects);
        }
        let framework = operation.framework.as_ref();
        let listener = framework
            .and_then(|id| self.frameworks.by_id.get(id))
            .copied();
        let wants_answer = status.uuid.is_some();
        if let Some(listener) = listener {
            let update = FrameworkEvent::OperationUpdate(Box::new(status));
            self.tell(listener, update, effects);
            if !wants_answer {
                self.forget_operation(key, uuid);
            }
        }
    }

    /// Whether a framework may still ask for an operation, or acknowledge it. One that nobody has
    /// heard of may be about to subscribe again, for a while (Mesos: FWK-11).
    fn is_awaited(&self, operation: &Operation) -> bool {
        let Some((id, _)) = operation.listener() else {
            return false;
        };
        if self.frameworks.is_removed(id) {
            return false;
        }
        let young = self
            .started
            .is_none_or(|started| self.now.since(started) < ORPHAN_ADOPTION);
        let known = self.frameworks.find(id);
        known.map_or(young, |framework| framework.state != FrameworkState::Ending)
    }

    /// Says to an agent that news were heard, if it wants to know.
    pub(super) fn hear_out(
        &self,
        key: AgentKey,
        uuid: OperationUuid,
        status_uuid: Option<StatusUuid>,
        effects: &mut Effects,
    ) {
        let connection = self.agents.get(key).and_then(|agent| agent.connection);
        if let (Some(connection), Some(status_uuid)) = (connection, status_uuid) {
            let command = AgentCommand::AcknowledgeOperation { uuid, status_uuid };
            effects.tell_agent(connection, command);
        }
    }
}

#[cfg(test)]
mod tests;
