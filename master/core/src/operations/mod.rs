//! Operations that change the nature of resources: reserve, make volumes, and back
//! (Mesos: OFF-05, OPF-01).
//!
//! The master checks one, counts it as done and sends it to its agent; messages to an agent arrive
//! in order. The agent does it, remembers it, and says so. Until that is heard, and acknowledged if
//! a framework named the operation, it is kept here, with its agent.

mod accepted;
mod acknowledge;
mod agreement;
mod ledger;
mod lost;
mod reconcile;
mod report;
mod send;
mod state;
mod status;
mod used;

use tepui_model::{AgentKey, FrameworkId, FrameworkKey, OperationId};
use tepui_proto::v1;

pub(crate) use self::ledger::Ledger;
pub use self::{
    state::{IllegalOperationStep, OperationState, OperationStep},
    status::{InvalidOperationStatus, OperationStatus, OperationUuid},
};
use crate::Master;

/// An operation that was sent to an agent.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) uuid: OperationUuid,
    /// Whose it is; an operator's when unset.
    pub(crate) framework: Option<FrameworkId>,
    /// What it is, as the agent gets it.
    pub(crate) info: Box<v1::offer::Operation>,
    /// The newest that is known of it, with the framework's name for it.
    pub(crate) status: OperationStatus,
}

impl Operation {
    pub(crate) const fn id(&self) -> Option<&OperationId> {
        self.status.id.as_ref()
    }

    pub(crate) const fn state(&self) -> OperationState {
        self.status.state
    }

    /// The framework and its name for the operation, when it wants to hear of it.
    pub(crate) fn listener(&self) -> Option<(&FrameworkId, &OperationId)> {
        Some((self.framework.as_ref()?, self.id()?))
    }

    /// The operation as the API shows it.
    pub(crate) fn to_wire(&self) -> v1::Operation {
        let status = v1::OperationStatus::from(&self.status);
        v1::Operation {
            framework_id: self.framework.as_ref().map(Into::into),
            agent_id: self.status.agent_id.as_ref().map(Into::into),
            info: v1::offer::Operation::clone(&self.info),
            latest_status: status.clone(),
            statuses: vec![status],
            uuid: self.uuid.into(),
        }
    }
}

impl Master {
    /// Keeps an operation with its agent, under its name too if it has one.
    fn keep_operation(&mut self, agent: AgentKey, operation: Operation) {
        let uuid = operation.uuid;
        if let Some((framework, id)) = operation.listener()
            && let Some(framework) = self.frameworks.find_mut(framework)
        {
            framework.operations.insert(id.clone(), (agent, uuid));
        }
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.operations.insert(uuid, operation);
        }
    }

    fn forget_operation(&mut self, agent: AgentKey, uuid: OperationUuid) -> Option<Operation> {
        let operation = self.agents.get_mut(agent)?.operations.remove(&uuid)?;
        self.agents.emptied.insert(agent);
        if let Some((framework, id)) = operation.listener()
            && let Some(framework) = self.frameworks.find_mut(framework)
            && framework.operations.get(id) == Some(&(agent, uuid))
        {
            framework.operations.remove(id);
        }
        Some(operation)
    }

    /// The operation of that name, and where it is.
    fn named_operation(
        &self,
        framework: FrameworkKey,
        id: &OperationId,
    ) -> Option<(AgentKey, &Operation)> {
        let framework = self.frameworks.get(framework)?;
        let (agent, uuid) = framework.operations.get(id)?;
        let operation = self.agents.get(*agent)?.operations.get(uuid)?;
        Some((*agent, operation))
    }
}
