//! The rules for disks of resource providers (Mesos: CSI-01), which no agent of ours has.

use super::{InvalidOperation, rules::check_resources};
use crate::{
    Resources,
    resources::{DiskKind, Traits},
};

pub(super) fn create(
    source: &Resources,
    target: DiskKind,
    has_target_profile: bool,
) -> Result<(), InvalidOperation> {
    let traits = managed(source)?;
    if traits.disk_kind() != Some(DiskKind::Raw) {
        return Err(InvalidOperation::Disk(
            "'source' is not a RAW disk resource",
        ));
    }
    if !matches!(target, DiskKind::Mount | DiskKind::Block) {
        return Err(InvalidOperation::Disk(
            "'target_type' is neither MOUNT or BLOCK",
        ));
    }
    match (has_profile(traits), has_target_profile) {
        (true, true) => Err(InvalidOperation::Disk(
            "'target_profile' must not be set when 'source' has a profile",
        )),
        (false, false) => Err(InvalidOperation::Disk(
            "'target_profile' must be set when 'source' has no profile",
        )),
        _ => Ok(()),
    }
}

pub(super) fn destroy(source: &Resources) -> Result<(), InvalidOperation> {
    let traits = managed(source)?;
    let kinds = [DiskKind::Mount, DiskKind::Block, DiskKind::Raw];
    if !traits.disk_kind().is_some_and(|kind| kinds.contains(&kind)) {
        return Err(InvalidOperation::Disk(
            "'source' is neither a MOUNT, BLOCK or RAW disk resource",
        ));
    }
    let disk = traits.disk.as_ref().and_then(|disk| disk.source.as_ref());
    if disk.is_none_or(|disk| disk.id.is_none()) {
        return Err(InvalidOperation::Disk(
            "'source' is not backed by a CSI volume",
        ));
    }
    if traits.persistence().is_some() {
        return Err(InvalidOperation::DestroyDiskWithVolume(source.to_string()));
    }
    Ok(())
}

fn managed(source: &Resources) -> Result<&Traits, InvalidOperation> {
    check_resources(source, "resource")?;
    let first = source.bundles().next().map(|(traits, ..)| traits);
    first
        .filter(|traits| traits.provider.is_some())
        .ok_or(InvalidOperation::Disk(
            "'source' is not managed by a resource provider",
        ))
}

fn has_profile(traits: &Traits) -> bool {
    let disk = traits.disk.as_ref().and_then(|disk| disk.source.as_ref());
    disk.is_some_and(|disk| disk.profile.is_some())
}
