//! What keeps resources of the same name apart: for whom they are kept, what disk they lie on.

use std::{cmp::Ordering, fmt, hash, sync::Arc};

use super::Labels;
use crate::Role;

/// How a reservation came about (Mesos: RES-01, RES-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationKind {
    /// By the agent's own configuration.
    Static,
    /// By a framework or an operator while the agent ran.
    Dynamic,
}

/// One level of a stack of reservations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    /// For whom; never `*`.
    pub role: Role,
    /// How it came about.
    pub kind: ReservationKind,
    /// Who made it.
    pub principal: Option<Arc<str>>,
    /// What keeps it apart from others of the same role (Mesos: RES-04).
    pub labels: Labels,
}

impl Reservation {
    /// The reservation of an agent's configuration.
    #[must_use]
    pub const fn fixed(role: Role) -> Self {
        Self {
            role,
            kind: ReservationKind::Static,
            principal: None,
            labels: Labels::new(),
        }
    }
}

/// A volume that outlives its tasks (Mesos: VOL-01).
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Unique per role on an agent.
    pub id: Arc<str>,
    /// Who made it. It takes no part in comparisons.
    pub principal: Option<Arc<str>>,
}

/// Whether a task may write to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeMode {
    /// Read and write.
    ReadWrite,
    /// Read only.
    ReadOnly,
}

/// Where a volume shows up inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The path inside.
    pub container_path: Arc<str>,
    /// The path on the host, for volumes that are not persistent.
    pub host_path: Option<Arc<str>>,
    /// Whether it may be written to.
    pub mode: VolumeMode,
}

/// The kind of a disk (Mesos: VOL-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskKind {
    /// A folder that can be shared out by quantity.
    Path,
    /// A file system given whole.
    Mount,
    /// A block device given whole.
    Block,
    /// Storage not yet made into a disk.
    Raw,
}

/// A disk other than the agent's own (Mesos: VOL-06).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskSource {
    /// The kind of disk.
    pub kind: DiskKind,
    /// The folder of a path or mount disk.
    pub root: Option<Arc<str>>,
    /// The storage plugin it comes from.
    pub vendor: Option<Arc<str>>,
    /// The plugin's name of it.
    pub id: Option<Arc<str>>,
    /// The plugin's notes on it.
    pub metadata: Labels,
    /// The plugin's profile of it.
    pub profile: Option<Arc<str>>,
}

/// What is said of a `disk` resource.
///
/// Comparisons ignore the volume and the volume's owner, as Mesos does: a task may mount the same
/// volume elsewhere, or read-only (Mesos: VOL-05).
#[derive(Clone, Debug, Default)]
pub struct DiskTraits {
    /// Set on a persistent volume.
    pub persistence: Option<Persistence>,
    /// Where it is mounted.
    pub volume: Option<Volume>,
    /// Set when it is not the agent's own disk.
    pub source: Option<DiskSource>,
}

impl DiskTraits {
    /// What comparisons look at.
    fn identity(&self) -> (Option<&str>, Option<&DiskSource>) {
        (
            self.persistence.as_ref().map(|volume| &*volume.id),
            self.source.as_ref(),
        )
    }
}

impl PartialEq for DiskTraits {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for DiskTraits {}

impl PartialOrd for DiskTraits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DiskTraits {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl hash::Hash for DiskTraits {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// What makes resources of the same name unmergeable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits {
    /// The stack of reservations, the most refined last (Mesos: RES-05).
    pub reservations: Vec<Reservation>,
    /// What is said of a disk.
    pub disk: Option<DiskTraits>,
    /// Whether it may be taken back at any time.
    pub revocable: bool,
    /// Whether several tasks may use it at once (Mesos: VOL-04).
    pub shared: bool,
    /// The resource provider it comes from, if not the agent itself.
    pub provider: Option<Arc<str>>,
}

impl Traits {
    /// Nothing special: unreserved, and the agent's own.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            reservations: Vec::new(),
            disk: None,
            revocable: false,
            shared: false,
            provider: None,
        }
    }

    /// Reserved to that role by configuration; plain for `*`.
    #[must_use]
    pub fn reserved(role: Role) -> Self {
        let mut traits = Self::plain();
        if !role.is_default() {
            traits.reservations.push(Reservation::fixed(role));
        }
        traits
    }

    /// Whether there is nothing special.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::plain()
    }

    /// The role of the most refined reservation.
    #[must_use]
    pub fn reservation_role(&self) -> Option<&Role> {
        self.reservations
            .last()
            .map(|reservation| &reservation.role)
    }

    /// Whether the last reservation was made while the agent ran.
    #[must_use]
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservations
            .last()
            .is_some_and(|last| last.kind == ReservationKind::Dynamic)
    }

    /// Whether reservations stand on reservations (Mesos: RES-05).
    #[must_use]
    pub fn is_refined(&self) -> bool {
        self.reservations.len() > 1
    }

    /// The persistent volume this is, if it is one.
    #[must_use]
    pub fn persistence(&self) -> Option<&Persistence> {
        self.disk.as_ref()?.persistence.as_ref()
    }

    /// The kind of disk this is; none on the agent's own disk, and on what is no disk.
    #[must_use]
    pub fn disk_kind(&self) -> Option<DiskKind> {
        Some(self.disk.as_ref()?.source.as_ref()?.kind)
    }

    /// The same without the last reservation: what was reserved.
    #[must_use]
    pub fn without_last_reservation(&self) -> Self {
        let mut traits = self.clone();
        traits.reservations.pop();
        traits
    }

    /// The same without the volume: what the volume was made of.
    #[must_use]
    pub fn without_volume(&self) -> Self {
        let source = self.disk.as_ref().and_then(|disk| disk.source.clone());
        Self {
            disk: source.map(|source| DiskTraits {
                source: Some(source),
                ..DiskTraits::default()
            }),
            shared: false,
            ..self.clone()
        }
    }

    /// Whether resources like this may be given to that role: those of no role, of the role
    /// itself and of its ancestors (Mesos: ALL-05).
    #[must_use]
    pub fn is_allocatable_to(&self, role: &Role) -> bool {
        self.reservation_role()
            .is_none_or(|holder| holder == role || role.is_below(holder))
    }

    /// Whether it is given whole or not at all: volumes, mounted and block disks, shared resources.
    #[must_use]
    pub fn is_indivisible(&self) -> bool {
        let exclusive = |source: &DiskSource| match source.kind {
            DiskKind::Path => false,
            DiskKind::Mount | DiskKind::Block => true,
            DiskKind::Raw => source.id.is_some(),
        };
        let whole = |disk: &DiskTraits| {
            disk.persistence.is_some() || disk.source.as_ref().is_some_and(exclusive)
        };
        self.shared || self.disk.as_ref().is_some_and(whole)
    }
}

impl fmt::Display for Traits {
    /// What stands between a resource's name and its value, in Mesos' form: `(role)` for a static
    /// reservation, `(reservations: [(DYNAMIC,role,principal,{labels})])`, `[MOUNT:/root,id:path]`,
    /// `{REV}`, `<SHARED>`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reservations.as_slice() {
            [] => {}
            [only] if *only == Reservation::fixed(only.role.clone()) => {
                write!(formatter, "({})", only.role)?;
            }
            stack => {
                let levels: Vec<String> = stack.iter().map(ToString::to_string).collect();
                write!(formatter, "(reservations: [{}])", levels.join(","))?;
            }
        }
        if let Some(disk) = &self.disk {
            write!(formatter, "[{disk}]")?;
        }
        formatter.write_str(if self.revocable { "{REV}" } else { "" })?;
        formatter.write_str(if self.shared { "<SHARED>" } else { "" })
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ReservationKind::Static => "STATIC",
            ReservationKind::Dynamic => "DYNAMIC",
        };
        write!(formatter, "({kind},{}", self.role)?;
        if let Some(principal) = &self.principal {
            write!(formatter, ",{principal}")?;
        }
        if !self.labels.is_empty() {
            write!(formatter, ",{}", self.labels)?;
        }
        formatter.write_str(")")
    }
}

impl fmt::Display for DiskTraits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let volume = self.volume.as_ref().map(|volume| &volume.container_path);
        let parts = [
            self.source.as_ref().map(ToString::to_string),
            match (&self.persistence, volume) {
                (Some(persistence), Some(path)) => Some(format!("{}:{path}", persistence.id)),
                (Some(persistence), None) => Some(persistence.id.to_string()),
                (None, path) => path.map(ToString::to_string),
            },
        ];
        formatter.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for DiskSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DiskKind::Path => "PATH",
            DiskKind::Mount => "MOUNT",
            DiskKind::Block => "BLOCK",
            DiskKind::Raw => "RAW",
        };
        formatter.write_str(kind)?;
        match (&self.root, &self.id) {
            (Some(place), _) | (None, Some(place)) => write!(formatter, ":{place}"),
            (None, None) => Ok(()),
        }
    }
}
