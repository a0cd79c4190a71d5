//! The operations of an agent of the test kit: done at once, and told until acknowledged.

use std::collections::BTreeMap;

use tepui_master_core::{
    ConnectionId, Event, KnownOperation, OperationState, OperationStatus, OperationUuid,
};
use tepui_model::{FrameworkId, ResourceOperation, Resources, StatusUuid};
use tepui_proto::v1::offer::Operation;

/// What an agent has, and the operations whose end nobody acknowledged.
#[derive(Debug)]
pub(super) struct Operations {
    total: Resources,
    known: BTreeMap<OperationUuid, KnownOperation>,
}

impl Operations {
    pub(super) fn new(total: Resources) -> Self {
        let known = BTreeMap::new();
        Self { total, known }
    }

    /// What the agent has after all of them.
    pub(super) const fn total(&self) -> &Resources {
        &self.total
    }

    pub(super) fn known(&self) -> Vec<KnownOperation> {
        self.known.values().cloned().collect()
    }

    /// Does an operation, if its resources are there. `news` names what is said of it.
    pub(super) fn apply(
        &mut self,
        framework_id: Option<FrameworkId>,
        uuid: OperationUuid,
        operation: Box<Operation>,
        news: StatusUuid,
    ) {
        let conversions = ResourceOperation::try_from(Operation::clone(&operation))
            .ok()
            .and_then(|operation| operation.conversions().ok());
        let done = conversions.and_then(|conversions| self.total.apply_all(&conversions).ok());
        let state = match done {
            Some(()) => OperationState::Finished,
            None => OperationState::Failed,
        };
        let latest = OperationStatus {
            uuid: Some(news),
            ..OperationStatus::new(None, state)
        };
        let known = KnownOperation {
            framework_id,
            uuid,
            operation,
            latest,
        };
        self.known.insert(uuid, known);
    }

    pub(super) fn acknowledged(&mut self, uuid: OperationUuid, news: StatusUuid) {
        if self
            .known
            .get(&uuid)
            .is_some_and(|known| known.latest.uuid == Some(news))
        {
            self.known.remove(&uuid);
        }
    }

    /// Everything that was said and is not acknowledged.
    pub(super) fn say(&self, connection: ConnectionId) -> impl Iterator<Item = Event> + '_ {
        let event = move |known: &KnownOperation| Event::AgentOperation {
            connection,
            uuid: known.uuid,
            status: Box::new(known.latest.clone()),
        };
        self.known.values().map(event)
    }
}
