//! `disk/quota`: the kernel bounds what the sandbox holds, by a project quota of xfs or ext4
//! (Mesos: ISO-06, `disk/xfs`).

use super::{Isolate, Machine, Preparation};
use crate::{LaunchError, disk::Room, launch::step, seccomp};

pub(super) struct DiskQuota;

impl Isolate for DiskQuota {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine
            .lacks_capability("SYS_ADMIN")
            .or_else(|| machine.lacks_projects.clone())
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        let (Some(project), Some(most)) = (&container.granted.project, container.spec.disk) else {
            // It asks for no disk, or its file system has no quotas: then it is measured.
            return Ok(());
        };
        let begun = project.begin(Room::of(most, container.bytes_per_file));
        begun.map_err(|source| step("bound what the sandbox holds by a project quota", source))?;
        // One without any filter may do what the kernel lets it do.
        if !container.plan.rights.filters.is_empty() {
            let filters = seccomp::keeping_projects()?;
            container.plan.rights.filters.extend(filters);
        }
        Ok(())
    }
}
