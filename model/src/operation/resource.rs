//! The operations that change the nature of resources.

use std::sync::Arc;

use crate::{Quantity, Resources, resources::DiskKind};

/// An operation that changes the nature of resources, but not how much there is (Mesos: OFF-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceOperation {
    /// Keep resources for a role (Mesos: RES-02).
    Reserve {
        /// What the resources are now, when reservations are changed (Mesos: RES-07); what lies
        /// below their last reservation if unset.
        source: Option<Resources>,
        /// What they become.
        resources: Resources,
    },
    /// Take the last reservation back.
    Unreserve {
        /// What the resources are now.
        resources: Resources,
    },
    /// Make persistent volumes of disks (Mesos: VOL-01).
    Create {
        /// The volumes.
        volumes: Resources,
    },
    /// Delete persistent volumes and what is in them (Mesos: VOL-02).
    Destroy {
        /// The volumes.
        volumes: Resources,
    },
    /// Add to a volume (Mesos: VOL-03).
    GrowVolume {
        /// The volume.
        volume: Resources,
        /// The disk to add.
        addition: Resources,
    },
    /// Take from a volume (Mesos: VOL-03).
    ShrinkVolume {
        /// The volume.
        volume: Resources,
        /// How many megabytes to take.
        subtract: Quantity,
    },
    /// Make a disk of raw storage (Mesos: CSI-01).
    CreateDisk {
        /// The raw storage.
        source: Resources,
        /// The kind of disk to make.
        target_type: DiskKind,
        /// The profile of the disk, when the storage has none.
        target_profile: Option<Arc<str>>,
    },
    /// Make a disk raw storage again (Mesos: CSI-01).
    DestroyDisk {
        /// The disk.
        source: Resources,
    },
}

impl ResourceOperation {
    /// Mesos' name of the operation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().as_str_name()
    }

    /// The resources it names: what is to be there before it, or what is to be there after it.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        match self {
            Self::Reserve { resources, .. } | Self::Unreserve { resources } => resources,
            Self::Create { volumes } | Self::Destroy { volumes } => volumes,
            Self::GrowVolume { volume, .. } | Self::ShrinkVolume { volume, .. } => volume,
            Self::CreateDisk { source, .. } | Self::DestroyDisk { source } => source,
        }
    }
}
