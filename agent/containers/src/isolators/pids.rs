//! `cgroups/pids`: a bound on processes and threads, against fork bombs.

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, cgroups::Controller};

/// The container's init, which the task did not ask for.
const INIT: u64 = 1;

pub(super) struct Pids;

impl Isolate for Pids {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Pids)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        if container.has_parents_limits() {
            return Ok(());
        }
        let most = container.spec.limits.pids.unwrap_or(container.default_pids);
        container.group()?.set_pids(most.saturating_add(INIT))?;
        Ok(())
    }
}
