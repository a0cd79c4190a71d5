//! An operation that was checked and counted goes to its agent.

use tepui_model::{
    AgentCapability, AgentKey, Conversion, FrameworkId, OperationId, ResourceOperation,
};

use super::{Operation, OperationState, OperationStatus};
use crate::{
    Master,
    agents::Agent,
    effects::{AgentCommand, Effects},
};

impl Agent {
    /// Whether it says what became of an operation (Mesos: AGT-08).
    const fn gives_feedback(&self) -> bool {
        self.capabilities
            .has(AgentCapability::AgentOperationFeedback)
    }
}

impl Master {
    /// Whether an agent can be sent one more operation. One that would not say what became of it
    /// cannot: the master would not know what it has.
    pub(crate) fn takes_operation(&self, agent: &Agent) -> Result<(), String> {
        if !agent.gives_feedback() {
            return Err(format!(
                "Operation on agent default resources requested feedback, but agent {} does not \
                 have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities",
                agent.id,
            ));
        }
        let limit = self.config.limits.operations_per_agent;
        if agent.operations.len() >= limit || agent.ledger.len() >= limit {
            let id = &agent.id;
            return Err(format!(
                "Agent {id} has {limit} operations already that have not ended or are not \
                 acknowledged"
            ));
        }
        Ok(())
    }

    /// Sends an operation whose conversions the allocator has made.
    pub(crate) fn send_operation(
        &mut self,
        key: AgentKey,
        (framework, id): (Option<FrameworkId>, Option<OperationId>),
        operation: &ResourceOperation,
        conversions: Vec<Conversion>,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let uuid = self.ids.next_operation();
        let mut info = Box::new(operation.to_proto());
        info.id = id.as_ref().map(Into::into);
        agent.ledger.sent(uuid, conversions);
        if let Some(connection) = agent.connection {
            let command = AgentCommand::ApplyOperation {
                framework_id: framework.clone(),
                uuid,
                operation: info.clone(),
            };
            effects.tell_agent(connection, command);
        }
        let status = OperationStatus::new(id, OperationState::Pending).at(Some(&agent.id));
        let operation = Operation {
            uuid,
            framework,
            info,
            status,
        };
        self.keep_operation(key, operation);
    }
}
