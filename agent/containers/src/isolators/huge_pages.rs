//! `cgroups/hugetlb`: no huge pages, which are set apart by the operator and count for no limit of
//! memory.

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, cgroups::Controller};

pub(super) struct HugePages;

impl Isolate for HugePages {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::HugePages)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        container.group()?.forbid_huge_pages()?;
        Ok(())
    }
}
