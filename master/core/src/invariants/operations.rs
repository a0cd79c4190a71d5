//! What must hold of operations, and of what they make of an agent's resources.

use std::collections::BTreeSet;

use tepui_model::Resources;

use super::{Violation, ensure};
use crate::{
    Master,
    agents::Agent,
    frameworks::FrameworkState,
    operations::{Operation, OperationUuid},
};

impl Master {
    /// What an agent has is what it registered with and the operations since: their nature may
    /// differ, their amounts may not. A role has no two volumes of one name there.
    pub(super) fn check_total(&self, agent: &Agent) -> Result<(), Violation> {
        let id = &agent.id;
        let none = Resources::new();
        let total = self.allocator.total(agent.key).unwrap_or(&none);
        let expected = agent.ledger.total();
        ensure(*total == expected, || {
            format!("{id} has '{total}', by its operations it has '{expected}'")
        })?;
        let (before, now) = (&agent.info.resources, total);
        let conserved = before.to_plain_quantities() == now.to_plain_quantities();
        ensure(conserved, || format!("{id} had '{before}' and has '{now}'"))?;
        let mut volumes = BTreeSet::new();
        for (traits, _, count) in total.bundles() {
            let disk = traits.disk.as_ref();
            let Some(volume) = disk.and_then(|disk| disk.persistence.as_ref()) else {
                continue;
            };
            let name = (traits.reservation_role(), &volume.id);
            ensure(volumes.insert(name) && count == 1, || {
                format!("{id} has a volume {} twice for one role", volume.id)
            })?;
        }
        Ok(())
    }

    /// One operation is found under its name. Whether there is a framework that gave it one.
    pub(super) fn check_operation(
        &self,
        agent: &Agent,
        uuid: &OperationUuid,
        operation: &Operation,
    ) -> Result<bool, Violation> {
        let Some((framework, id)) = operation.listener() else {
            return Ok(false);
        };
        let Some(framework) = self.frameworks.find(framework) else {
            return Ok(false);
        };
        let found = framework.operations.get(id) == Some(&(agent.key, *uuid));
        let ending = framework.state == FrameworkState::Ending;
        ensure(found, || format!("operation {id} is not found"))?;
        let over = operation.state().is_terminal();
        ensure(!(ending && over), || {
            format!("operation {id} of a removed framework has ended and is kept")
        })?;
        Ok(true)
    }

    /// An operation is in one place, and found there under its name.
    pub(super) fn check_operations(&self) -> Result<(), Violation> {
        let (mut uuids, mut named) = (BTreeSet::new(), 0);
        for agent in self.agents.iter() {
            for (uuid, operation) in &agent.operations {
                let whole = operation.uuid == *uuid && uuids.insert(*uuid);
                ensure(whole, || format!("operation {uuid} is in two places"))?;
                named += usize::from(self.check_operation(agent, uuid, operation)?);
            }
        }
        let known = self.frameworks.iter();
        let known: usize = known.map(|framework| framework.operations.len()).sum();
        ensure(known == named, || {
            format!("{known} names of operations, {named} operations with a name")
        })
    }
}
