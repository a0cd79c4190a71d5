//! `cgroups/net_cls`: a handle on the packets of each container, for filters of the host.

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, cgroups::Controller};

pub(super) struct NetClass;

impl Isolate for NetClass {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::NetClass)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // A group inside of another has that one's handle from the kernel.
        if let Some(class) = container.granted.net_class {
            container.group()?.set_net_class(class)?;
        }
        Ok(())
    }
}
