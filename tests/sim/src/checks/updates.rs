//! No update is forgotten before its framework has dealt with it, unless the framework is removed.

use std::collections::BTreeSet;

use tepui_model::{FrameworkId, StatusUuid, TaskId};

use super::{Held, ensure};

/// What frameworks have dealt with.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    dealt_with: BTreeSet<StatusUuid>,
    removed: BTreeSet<FrameworkId>,
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
}
