//! The rules for persistent volumes (Mesos: VOL-01 to VOL-06).

use std::collections::BTreeSet;

use super::{
    InvalidOperation, OperationRules,
    convert::one_disk,
    error::VolumeRule,
    rules::{check_agent, check_resources},
};
use crate::{
    AgentCapability, Capability, Quantity, Resources,
    resources::{DiskKind, DiskTraits, Traits, VolumeMode},
};

pub(super) fn create(
    volumes: &Resources,
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    check_resources(volumes, "resources")?;
    check_volumes(volumes).map_err(InvalidOperation::NotAVolume)?;
    check_unique(rules.checkpointed, volumes)?;
    for volume in volumes.pieces() {
        let understood = rules
            .framework
            .is_none_or(|framework| framework.has(Capability::SharedResources));
        if !understood && !volume.shared().is_empty() {
            return Err(InvalidOperation::SharedResources(volume.to_string()));
        }
        check_agent(&volume, ("Volume", "created"), rules)?;
        check_principal(&volume, rules)?;
    }
    Ok(())
}

/// The name of a volume is unique per role and agent (Mesos: VOL-01, SPC-08).
fn check_unique(checkpointed: &Resources, volumes: &Resources) -> Result<(), InvalidOperation> {
    let mut taken = BTreeSet::new();
    // A shared volume that several tasks hold is still one volume.
    for (traits, ..) in checkpointed.bundles() {
        if let Some(volume) = traits.persistence() {
            taken.insert((traits.reservation_role(), &volume.id));
        }
    }
    for (traits, _, count) in volumes.bundles() {
        if let Some(volume) = traits.persistence()
            && (!taken.insert((traits.reservation_role(), &volume.id)) || count > 1)
        {
            let id = volume.id.to_string();
            return Err(InvalidOperation::PersistenceIdNotUnique(id));
        }
    }
    Ok(())
}

/// If the actor is known, the volume must name it.
fn check_principal(volume: &Resources, rules: &OperationRules<'_>) -> Result<(), InvalidOperation> {
    let Some(actor) = rules.principal else {
        return Ok(());
    };
    for (traits, ..) in volume.bundles() {
        let named = traits.persistence();
        let named = named.and_then(|volume| volume.principal.as_deref());
        let actor = actor.to_owned();
        match named {
            None => return Err(InvalidOperation::CreateWithoutPrincipal(actor)),
            Some(named) if named != actor => {
                let named = named.to_owned();
                return Err(InvalidOperation::CreatePrincipal { actor, named });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

pub(super) fn destroy(
    volumes: &Resources,
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    check_resources(volumes, "resources")?;
    check_volumes(volumes).map_err(InvalidOperation::NotAVolume)?;
    for volume in volumes.pieces() {
        if !rules.checkpointed.contains(&volume) {
            return Err(InvalidOperation::VolumesNotFound);
        }
    }
    refuse_used(volumes, rules)
}

/// A volume that a task uses, or is about to, stays as it is (Mesos: VOL-02, VOL-03).
fn refuse_used(volumes: &Resources, rules: &OperationRules<'_>) -> Result<(), InvalidOperation> {
    let used = |volume: &Resources| rules.used.contains(volume) || rules.pending.contains(volume);
    if volumes.pieces().any(|volume| used(&volume)) {
        Err(InvalidOperation::VolumesInUse)
    } else {
        Ok(())
    }
}

pub(super) fn grow(
    volume: &Resources,
    addition: &Resources,
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    let (traits, _) = one_disk(volume, "GrowVolume.volume")?;
    one_disk(addition, "GrowVolume.addition")?;
    check_resizable(
        traits,
        volume,
        ("GrowVolume.volume", "Growing", "grown"),
        rules,
    )?;
    // What is given whole takes no addition (Mesos: VOL-06).
    if traits.without_volume().is_indivisible() {
        return Err(InvalidOperation::Incompatible);
    }
    refuse_used(volume, rules)
}

pub(super) fn shrink(
    volume: &Resources,
    subtract: Quantity,
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    let (traits, size) = one_disk(volume, "ShrinkVolume.volume")?;
    if !subtract.is_positive() {
        return Err(InvalidOperation::SubtractNothing);
    }
    if size <= subtract {
        return Err(InvalidOperation::SubtractAll);
    }
    if traits.disk_kind() == Some(DiskKind::Mount) && traits.provider.is_none() {
        return Err(InvalidOperation::ShrinkMount);
    }
    let words = ("ShrinkVolume.volume", "Shrinking", "shrunk");
    check_resizable(traits, volume, words, rules)?;
    if traits.without_volume().is_indivisible() {
        return Err(InvalidOperation::Incompatible);
    }
    refuse_used(volume, rules)
}

fn check_resizable(
    traits: &Traits,
    volume: &Resources,
    (field, doing, done): (&'static str, &'static str, &'static str),
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    if traits.provider.is_some() {
        return Err(InvalidOperation::ResizeProvider(doing));
    }
    check_volumes(volume).map_err(|rule| InvalidOperation::NotAVolumeIn { field, rule })?;
    if traits.shared {
        return Err(InvalidOperation::ResizeShared(doing));
    }
    if !rules.agent.has(AgentCapability::ResizeVolume) {
        let volume = volume.to_string();
        return Err(InvalidOperation::ResizeCapability { volume, done });
    }
    Ok(())
}

/// Whether each is a persistent volume that can be written to (Mesos: VOL-01).
fn check_volumes(volumes: &Resources) -> Result<(), VolumeRule> {
    for piece in volumes.pieces() {
        let Some((traits, ..)) = piece.bundles().next() else {
            continue;
        };
        let Some(disk) = &traits.disk else {
            return Err(VolumeRule::NoDisk(piece.to_string()));
        };
        if disk.persistence.is_none() {
            return Err(VolumeRule::NoPersistence);
        }
        match &disk.volume {
            None => return Err(VolumeRule::NoVolume),
            Some(volume) if volume.mode == VolumeMode::ReadOnly => {
                return Err(VolumeRule::ReadOnly);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The rules for what is said of a disk.
pub(super) fn check_disk(traits: &Traits) -> Result<(), &'static str> {
    let Some(disk) = &traits.disk else {
        return if traits.shared {
            Err("only persistent volumes can be shared")
        } else {
            Ok(())
        };
    };
    match disk {
        DiskTraits {
            persistence: Some(_),
            volume,
            ..
        } => {
            if traits.revocable {
                return Err("Persistent volumes cannot be created from revocable resources");
            }
            if traits.reservations.is_empty() {
                return Err("Persistent volumes cannot be created from unreserved resources");
            }
            match volume {
                None => Err("Expecting 'volume' to be set for persistent volume"),
                Some(volume) if volume.host_path.is_some() => {
                    Err("Expecting 'host_path' to be unset for persistent volume")
                }
                Some(_) => Ok(()),
            }
        }
        _ if traits.shared => Err("only persistent volumes can be shared"),
        DiskTraits {
            volume: Some(_), ..
        } => Err("Non-persistent volume not supported"),
        DiskTraits { .. } => Ok(()),
    }
}
