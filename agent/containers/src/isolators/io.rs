//! `cgroups/blkio`: what is read from disks and written to them is counted, as in Mesos.

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, cgroups::Controller};

pub(super) struct Io;

impl Isolate for Io {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Io)
    }

    fn prepare(&self, _: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // To be in a group of the controller is all that it takes.
        Ok(())
    }
}
