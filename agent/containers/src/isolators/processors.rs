//! `cgroups/cpuset`: processors of its own for who asks for whole ones; others have the rest.

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, cgroups::Controller};

pub(super) struct OwnProcessors;

impl Isolate for OwnProcessors {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Processors)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // Who is inside of another runs where that one may.
        if container.parent.is_some() {
            return Ok(());
        }
        let Some(hierarchies) = container.hierarchies else {
            return Ok(());
        };
        let id = &container.spec.id;
        container
            .grants
            .settle(hierarchies, id, container.group()?)?;
        Ok(())
    }
}
