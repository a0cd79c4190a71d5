//! Volumes: made ready to be bound into the container, or linked where it has no mounts of its own.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown, symlink},
    path::{Path, PathBuf},
};

use super::step;
use crate::{
    Isolation, Isolator, LaunchError, Spec, VolumeSpec,
    init::wire::{UserPlan, VolumePlan},
    isolators::SANDBOX_IN_ROOT,
};

/// Gets the volumes ready; gives what the container's init is to bind.
pub(super) fn prepare(
    spec: &Spec,
    isolation: Isolation,
    user: Option<&UserPlan>,
) -> Result<Vec<VolumePlan>, LaunchError> {
    let own_mounts = isolation.has(Isolator::MountNamespace);
    let sandbox = match spec.root {
        Some(_) => Path::new(SANDBOX_IN_ROOT),
        None => &spec.sandbox,
    };
    let mut plans = Vec::new();
    for volume in &spec.volumes {
        let cannot = |source| {
            step(
                &format!("use the volume {}", volume.source.display()),
                source,
            )
        };
        if let Some(user) = user {
            give(volume, user).map_err(cannot)?;
        }
        let target = sandbox.join(&volume.target);
        let in_sandbox = volume.target.is_relative();
        if own_mounts {
            plans.push(VolumePlan {
                source: volume.source.clone(),
                target,
                read_only: volume.read_only,
                links: true,
            });
        } else if in_sandbox && !volume.read_only {
            link(&volume.source, &target).map_err(cannot)?;
        } else {
            let message = "a volume that is read-only or outside the sandbox needs \
                           namespaces/mnt in --isolation";
            return Err(LaunchError::Invalid(message.to_owned()));
        }
    }
    Ok(plans)
}

/// A volume belongs to the user of the task that mounts it; one that others may be using belongs
/// to the first, as in Mesos.
fn give(volume: &VolumeSpec, user: &UserPlan) -> io::Result<()> {
    let owner = fs::symlink_metadata(&volume.source)?.uid();
    if volume.read_only || (volume.shared && owner != 0) || owner == user.uid {
        return Ok(());
    }
    chown(&volume.source, Some(user.uid), Some(user.gid))
}

fn link(source: &Path, target: &PathBuf) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    symlink(source, target)
}
