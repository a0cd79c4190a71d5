//! No update is forgotten before its framework has dealt with it, unless the framework is removed.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{FrameworkId, StatusUuid, TaskId};
use tepui_proto::v1;

use super::{Held, ensure};

/// What frameworks have dealt with.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    dealt_with: BTreeSet<StatusUuid>,
    removed: BTreeSet<FrameworkId>,
    /// The news of operations that agents want to know heard, and for whom they are.
    of_operations: BTreeMap<StatusUuid, FrameworkId>,
}

impl Updates {
    /// A framework has dealt with an update, whether or not it comes to say so.
    pub(crate) fn dealt_with(&mut self, update: StatusUuid) {
        self.dealt_with.insert(update);
    }

    /// A framework is removed. Nobody waits for it any more.
    pub(crate) fn removed(&mut self, framework: &FrameworkId) {
        self.removed.insert(framework.clone());
    }

    /// An agent is told that an update was dealt with, and forgets it.
    pub(crate) fn forgotten(
        &self,
        framework: &FrameworkId,
        task: &TaskId,
        update: StatusUuid,
    ) -> Held {
        let settled = self.dealt_with.contains(&update) || self.removed.contains(framework);
        ensure(settled, || {
            format!("an update of task {task} is forgotten, its framework never had it")
        })
    }

    /// An agent says what became of an operation.
    pub(crate) fn of_operation(
        &mut self,
        framework: Option<&FrameworkId>,
        status: &v1::OperationStatus,
    ) {
        let uuid = status.uuid.as_ref();
        let uuid = uuid.and_then(|uuid| StatusUuid::try_from(uuid.value.as_slice()).ok());
        self.of_operations.extend(uuid.zip(framework.cloned()));
    }

    /// An agent is told that news of an operation were heard, and forgets it.
    pub(crate) fn forgotten_operation(&self, news: StatusUuid) -> Held {
        let framework = self.of_operations.get(&news);
        let gone = framework.is_none_or(|framework| self.removed.contains(framework));
        ensure(self.dealt_with.contains(&news) || gone, || {
            "the end of an operation is forgotten, its framework never had it".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_is_forgotten_too_soon_is_noticed() {
        let (task, framework) = (TaskId::new("t").unwrap(), FrameworkId::new("f").unwrap());
        let [had, not_had] =
            [1, 2].map(|byte| StatusUuid::try_from([byte; 16].as_slice()).unwrap());
        let mut updates = Updates::default();
        updates.dealt_with(had);
        updates.forgotten(&framework, &task, had).unwrap();
        updates.forgotten(&framework, &task, had).unwrap();
        assert!(updates.forgotten(&framework, &task, not_had).is_err());
        updates.removed(&framework);
        updates.forgotten(&framework, &task, not_had).unwrap();
    }

    #[test]
    fn an_end_of_an_operation_that_is_forgotten_too_soon_is_noticed() {
        let framework = FrameworkId::new("f").unwrap();
        let news = StatusUuid::try_from([1; 16].as_slice()).unwrap();
        let uuid = Some(v1::Uuid {
            value: news.to_vec(),
        });
        let status = v1::OperationStatus {
            uuid,
            ..v1::OperationStatus::default()
        };
        let mut updates = Updates::default();
        updates.forgotten_operation(news).unwrap();
        updates.of_operation(Some(&framework), &status);
        assert!(updates.forgotten_operation(news).is_err());
        updates.dealt_with(news);
        updates.forgotten_operation(news).unwrap();
    }
}
