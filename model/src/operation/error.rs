//! Why an operation on resources is refused, in Mesos' words.

use crate::Role;

/// Why an operation on resources is refused: `OPERATION_ERROR` with this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperation {
    /// Resources break a rule of their own.
    #[error("Invalid {field}: {rule}")]
    Resources {
        /// `resources` or `source`.
        field: &'static str,
        /// The rule they break.
        rule: ResourceRule,
    },
    /// A framework changes reservations in place, which operators only do (Mesos: OFF-06).
    #[error("Reservation updates are not yet implemented for the scheduler API.")]
    SourceOfFramework,
    /// The two sides of a change of reservations differ in more than reservations.
    #[error(
        "Source and target resources should refer to identical resource quantities: {0} vs. {1}"
    )]
    DifferentQuantities(String, String),
    /// The reservation is the agent's own, or there is none.
    #[error("Resource {0} is not dynamically reserved")]
    NotDynamicallyReserved(String),
    /// The agent does not know roles below others.
    #[error(
        "{what} {resource} with reservation for hierarchical role '{role}' cannot be {done} on an \
         agent without HIERARCHICAL_ROLE capability"
    )]
    HierarchicalRole {
        /// `Resource` or `Volume`.
        what: &'static str,
        /// Which.
        resource: String,
        /// The role.
        role: Role,
        /// `reserved` or `created`.
        done: &'static str,
    },
    /// The agent does not know stacks of reservations.
    #[error(
        "{what} {resource} with reservation refinement cannot be {done} on an agent without \
         RESERVATION_REFINEMENT capability"
    )]
    Refinement {
        /// `Resource` or `Volume`.
        what: &'static str,
        /// Which.
        resource: String,
        /// `reserved` or `created`.
        done: &'static str,
    },
    /// The reservation names nobody (Mesos: RES-03).
    #[error(
        "A reserve operation was attempted by principal '{0}', but there is a reserved resource \
         in the request with no principal set"
    )]
    ReserveWithoutPrincipal(String),
    /// The reservation names somebody else (Mesos: RES-03).
    #[error(
        "A reserve operation was attempted by authenticated principal '{actor}', which does not \
         match a reserved resource in the request with principal '{named}'"
    )]
    ReservePrincipal {
        /// Who acts.
        actor: String,
        /// Who is named.
        named: String,
    },
    /// A framework reserves for another role than it was offered for (Mesos: RES-02).
    #[error(
        "A reserve operation was attempted for a resource with role '{reserved}', but the \
         resource was allocated to role '{allocated}'"
    )]
    ReserveRole {
        /// The role of the reservation.
        reserved: Role,
        /// The role of the offer.
        allocated: Role,
    },
    /// Something is made of a volume, which must go first (Mesos: RES-06).
    #[error(
        "A dynamically reserved persistent volume {0} cannot be unreserved directly. Please \
         destroy the persistent volume first then unreserve the resource"
    )]
    UnreserveVolume(String),
    /// A volume is reserved, which what it is made of already is.
    #[error("A persistent volume {0} must already be reserved")]
    ReserveVolume(String),
    /// No volume (Mesos: VOL-01).
    #[error("Not a persistent volume: {0}")]
    NotAVolume(VolumeRule),
    /// The role has a volume of that name on the agent (Mesos: VOL-01).
    #[error("Persistence ID '{0}' is not unique")]
    PersistenceIdNotUnique(String),
    /// Shared volumes are for frameworks that know them (Mesos: VOL-04).
    #[error(
        "Create volume operation for '{0}' has been attempted by a framework with no \
         SHARED_RESOURCES capability"
    )]
    SharedResources(String),
    /// The volume names nobody (Mesos: RES-03).
    #[error(
        "Create volume operation attempted by principal '{0}', but there is a volume in the \
         operation with no principal set in 'disk.persistence'"
    )]
    CreateWithoutPrincipal(String),
    /// The volume names somebody else (Mesos: RES-03).
    #[error(
        "Create volume operation attempted by authenticated principal '{actor}', which does not \
         match a volume in the operation with principal '{named}' set in 'disk.persistence'"
    )]
    CreatePrincipal {
        /// Who acts.
        actor: String,
        /// Who is named.
        named: String,
    },
    /// No such volume on the agent (Mesos: VOL-02).
    #[error("Persistent volumes not found")]
    VolumesNotFound,
    /// A task uses the volume, or is about to (Mesos: VOL-02).
    #[error("Persistent volumes in use")]
    VolumesInUse,
    /// Not one quantity of disk.
    #[error("Invalid resource in the '{0}' field: it must be one quantity of 'disk'")]
    NotOneDisk(&'static str),
    /// No volume to grow or to shrink.
    #[error("Invalid persistent volume in the '{field}' field: {rule}")]
    NotAVolumeIn {
        /// The field.
        field: &'static str,
        /// What makes it none.
        rule: VolumeRule,
    },
    /// Growing or shrinking a disk of a resource provider.
    #[error("{0} a volume from a resource provider is not supported")]
    ResizeProvider(
        /// `Growing` or `Shrinking`.
        &'static str,
    ),
    /// Growing or shrinking a volume that several tasks use (Mesos: VOL-04).
    #[error("{0} a shared persistent volume is not supported")]
    ResizeShared(
        /// `Growing` or `Shrinking`.
        &'static str,
    ),
    /// The addition is not of what the volume is made of.
    #[error("Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields")]
    Incompatible,
    /// A mounted disk is given whole (Mesos: VOL-06).
    #[error("Shrinking a volume on a MOUNT disk is not supported")]
    ShrinkMount,
    /// Nothing or less is taken.
    #[error("Value of 'ShrinkVolume.subtract' must be greater than zero")]
    SubtractNothing,
    /// All or more is taken.
    #[error(
        "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'"
    )]
    SubtractAll,
    /// The agent cannot change the size of volumes.
    #[error("Volume {volume} cannot be {done} on an agent without RESIZE_VOLUME capability")]
    ResizeCapability {
        /// The volume.
        volume: String,
        /// `grown` or `shrunk`.
        done: &'static str,
    },
    /// A disk is not what it must be to be made, or to be made raw again (Mesos: CSI-01).
    #[error("{0}")]
    Disk(&'static str),
    /// A disk with a volume on it.
    #[error(
        "A disk resource containing a persistent volume {0} cannot be destroyed directly. Please \
         destroy the persistent volume first then destroy the disk resource"
    )]
    DestroyDiskWithVolume(String),
    /// Nothing on the agent can do it.
    #[error("{0} is not supported by the agent: it has no resource provider")]
    NoResourceProvider(&'static str),
}

/// A rule that resources of an operation break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceRule {
    /// There are none.
    #[error("Resource cannot be empty")]
    Empty,
    /// A fraction of a GPU (Mesos: SPC-05).
    #[error("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer")]
    FractionOfGpu,
    /// What is said of a disk breaks a rule (Mesos: VOL-01).
    #[error("Invalid DiskInfo: {0}")]
    Disk(&'static str),
    /// Revocable resources are reserved (Mesos: RES-08).
    #[error(
        "Invalid ReservationInfo: Dynamically reserved resource {0} cannot be created from \
         revocable resources"
    )]
    Revocable(String),
    /// Some are of a provider (Mesos: SPC-08).
    #[error("Some resources have a resource provider and some do not")]
    SomeOfProvider,
    /// They are of several providers (Mesos: SPC-08).
    #[error("The resources have multiple resource providers: {0}")]
    SeveralProviders(String),
    /// Their reservations differ (Mesos: RES-07).
    #[error("Mixed reservations are not supported {0}")]
    MixedReservations(String),
}

/// What makes a resource no persistent volume that can be written to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeRule {
    /// It is no disk, or nothing is said of it.
    #[error("Resource {0} does not have DiskInfo")]
    NoDisk(String),
    /// It has no name.
    #[error("'persistence' is not set in DiskInfo")]
    NoPersistence,
    /// It is mounted nowhere.
    #[error("Expecting 'volume' to be set for persistent volume")]
    NoVolume,
    /// It can only be read.
    #[error("Read-only persistent volume not supported")]
    ReadOnly,
}
