//! What an agent of a history has, and the operations that it was sent.

use std::collections::BTreeMap;

use tepui_model::{FrameworkId, ResourceOperation, Resources, StatusUuid};
use tepui_proto::v1::offer::Operation;

use crate::{
    ConnectionId, Event, KnownOperation, OperationState, OperationStatus, OperationUuid,
    testing::Cluster,
};

/// One in so many operations fails.
const FAILURES: u64 = 7;

#[derive(Debug)]
pub(super) struct Machine {
    whole: Resources,
    total: Resources,
    /// Those whose end is not acknowledged.
    known: BTreeMap<OperationUuid, KnownOperation>,
    done: u64,
}

impl Machine {
    pub(super) fn new(number: usize, whole: Resources) -> Self {
        Self {
            total: whole.clone(),
            whole,
            known: BTreeMap::new(),
            done: (number as u64) << 32,
        }
    }

    pub(super) const fn total(&self) -> &Resources {
        &self.total
    }

    pub(super) fn known(&self) -> Vec<KnownOperation> {
        self.known.values().cloned().collect()
    }

    pub(super) fn has_unheard(&self) -> bool {
        !self.known.is_empty()
    }

    /// A new agent on the same machine.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.total.clone_from(&self.whole);
    }

    pub(super) fn apply(
        &mut self,
        framework_id: Option<FrameworkId>,
        uuid: OperationUuid,
        operation: Box<Operation>,
    ) {
        self.done += 1;
        let parsed = ResourceOperation::try_from(Operation::clone(&operation)).unwrap();
        let conversions = parsed.conversions().unwrap();
        let fails = self.done.is_multiple_of(FAILURES);
        let state = if fails || self.total.apply_all(&conversions).is_err() {
            OperationState::Failed
        } else {
            OperationState::Finished
        };
        let id = operation.id.as_ref().map(|id| id.try_into().unwrap());
        let news = u128::from(self.done) << 64;
        let latest = OperationStatus {
            uuid: Some(StatusUuid::from_bytes(news.to_be_bytes())),
            ..OperationStatus::new(id, state)
        };
        let known = KnownOperation {
            framework_id,
            uuid,
            operation,
            latest,
        };
        assert!(self.known.insert(uuid, known).is_none(), "sent twice");
    }

    pub(super) fn acknowledged(&mut self, uuid: OperationUuid, news: StatusUuid) {
        let same = |known: &KnownOperation| known.latest.uuid == Some(news);
        if self.known.get(&uuid).is_some_and(same) {
            self.known.remove(&uuid);
        }
    }

    pub(super) fn tell(&self, connection: ConnectionId, cluster: &mut Cluster) {
        for known in self.known.values() {
            cluster.apply(Event::AgentOperation {
                connection,
                uuid: known.uuid,
                status: Box::new(known.latest.clone()),
            });
        }
    }
}
