//! Resources from the wire, with the rules for what comes from outside.

mod write;

pub use self::write::ReservationForm;

use std::{collections::BTreeMap, mem, sync::Arc};

use tepui_proto::v1::{
    self,
    resource::{DiskInfo, ReservationInfo, disk_info, reservation_info},
    value,
};

use super::{
    DiskKind, DiskSource, DiskTraits, Kind, Labels, PORTS, Persistence, Ranges, Reservation,
    ReservationKind, ResourceError, Resources, Set, Traits, Value, Volume, VolumeMode,
};
use crate::{
    Quantity, Role, ids,
    limits::{MAX_ITEMS, MAX_NAME_BYTES, MAX_RESERVATION_DEPTH},
};

impl Resources {
    /// Checks resources from the wire, and gives the role they are allocated to beside them
    /// (Mesos: SPC-08, SPC-10). Both forms of reservations are taken: `reservations`, and the
    /// older `role` with `reservation`.
    pub fn from_proto(wire: &[v1::Resource]) -> Result<(Self, Option<Role>), ResourceError> {
        if wire.len() > MAX_ITEMS {
            return Err(ResourceError::TooMany {
                what: "resources",
                most: MAX_ITEMS,
            });
        }
        let mut resources = Self::new();
        let mut types = TypeCheck::default();
        for resource in wire {
            check_name(&resource.name)?;
            // Clients are known to send `gpus:0`, and Mesos takes it for nothing.
            if is_zero(resource) {
                continue;
            }
            let value = value_from(resource)?;
            types.check(&resource.name, &value)?;
            resources.insert(&traits_from(resource)?, &resource.name, &value);
        }
        Ok((resources, allocation_of(wire)?))
    }
}

impl DiskKind {
    /// The kind of that type on the wire; none if it is unknown.
    #[must_use]
    pub const fn from_proto(wire: disk_info::source::Type) -> Option<Self> {
        match wire {
            disk_info::source::Type::Path => Some(Self::Path),
            disk_info::source::Type::Mount => Some(Self::Mount),
            disk_info::source::Type::Block => Some(Self::Block),
            disk_info::source::Type::Raw => Some(Self::Raw),
            disk_info::source::Type::Unknown => None,
        }
    }
}

impl TryFrom<&[v1::Resource]> for Resources {
    type Error = ResourceError;

    /// As [`Resources::from_proto`], without the allocation.
    fn try_from(wire: &[v1::Resource]) -> Result<Self, ResourceError> {
        Self::from_proto(wire).map(|(resources, _)| resources)
    }
}

/// Sees to it that a name has one type within one message or text.
#[derive(Debug, Default)]
pub(super) struct TypeCheck<'names>(BTreeMap<&'names str, mem::Discriminant<Value>>);

impl<'names> TypeCheck<'names> {
    pub(super) fn check(&mut self, name: &'names str, value: &Value) -> Result<(), ResourceError> {
        let wrong = |wanted| {
            Err(ResourceError::WrongType {
                name: name.to_owned(),
                wanted,
            })
        };
        let kind = mem::discriminant(value);
        match (Kind::well_known(name), value) {
            (Some(_), Value::Scalar(_)) => Ok(()),
            (Some(_), _) => wrong("SCALAR"),
            (None, Value::Ranges(_)) if name == PORTS => Ok(()),
            (None, _) if name == PORTS => wrong("RANGES"),
            (None, _) if *self.0.entry(name).or_insert(kind) == kind => Ok(()),
            (None, _) => Err(ResourceError::MixedTypes(name.to_owned())),
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), ResourceError> {
    if name.is_empty() {
        Err(ResourceError::EmptyName)
    } else if name.len() > MAX_NAME_BYTES || name.bytes().any(|byte| byte.is_ascii_control()) {
        Err(ResourceError::InvalidName(name.escape_debug().to_string()))
    } else {
        Ok(())
    }
}

/// Whether it is a scalar of exactly nothing; a little that is rounded to nothing is a mistake.
fn is_zero(resource: &v1::Resource) -> bool {
    let scalar = resource.scalar.as_ref().map(|scalar| scalar.value);
    resource.r#type() == value::Type::Scalar && scalar == Some(0.0)
}

fn value_from(resource: &v1::Resource) -> Result<Value, ResourceError> {
    let name = &resource.name;
    match (
        resource.r#type(),
        &resource.scalar,
        &resource.ranges,
        &resource.set,
    ) {
        (value::Type::Scalar, Some(scalar), None, None) => {
            let quantity =
                Quantity::from_f64(scalar.value).map_err(|cause| ResourceError::Quantity {
                    name: name.clone(),
                    cause,
                })?;
            if !quantity.is_positive() {
                return Err(ResourceError::NotPositive { name: name.clone() });
            }
            Ok(Value::Scalar(quantity))
        }
        (value::Type::Ranges, None, Some(ranges), None) => {
            Ranges::try_from(ranges).map(Value::Ranges)
        }
        (value::Type::Set, None, None, Some(set)) => Set::try_from(set).map(Value::Set),
        _ => Err(ResourceError::Type(name.clone())),
    }
}

fn traits_from(resource: &v1::Resource) -> Result<Traits, ResourceError> {
    let disk = resource
        .disk
        .as_ref()
        .map(|disk| disk_from(&resource.name, disk))
        .transpose()?;
    let traits = Traits {
        reservations: reservations_from(resource)?,
        disk: disk.flatten(),
        revocable: resource.revocable.is_some(),
        shared: resource.shared.is_some(),
        provider: resource
            .provider_id
            .as_ref()
            .map(|id| Arc::from(id.value.as_str())),
    };
    if traits.revocable && !traits.reservations.is_empty() {
        return Err(ResourceError::Reservation(
            "revocable resources cannot be reserved",
        ));
    }
    Ok(traits)
}

fn reservations_from(resource: &v1::Resource) -> Result<Vec<Reservation>, ResourceError> {
    #[allow(deprecated)] // Frameworks without RESERVATION_REFINEMENT still speak this form.
    let legacy_role = resource.role.as_deref().filter(|role| *role != "*");
    if resource.reservations.is_empty() {
        return legacy_from(legacy_role, resource.reservation.as_ref());
    }
    if resource.reservations.len() > MAX_RESERVATION_DEPTH {
        let most = MAX_RESERVATION_DEPTH;
        return Err(ResourceError::TooMany {
            what: "reservations on one resource",
            most,
        });
    }
    let stack = resource
        .reservations
        .iter()
        .map(reservation_from)
        .collect::<Result<Vec<_>, _>>()?;
    check_stack(&stack)?;
    let last = stack.last().map(|reservation| reservation.role.as_str());
    if legacy_role.is_some() && legacy_role != last {
        return Err(ResourceError::Reservation(
            "'role' and 'reservations' disagree",
        ));
    }
    Ok(stack)
}

/// The form before reservations were a stack: a role makes it static, a reservation dynamic.
fn legacy_from(
    role: Option<&str>,
    reservation: Option<&ReservationInfo>,
) -> Result<Vec<Reservation>, ResourceError> {
    let Some(role) = role else {
        return match reservation {
            None => Ok(Vec::new()),
            Some(_) => Err(ResourceError::Reservation(
                "role \"*\" cannot be dynamically reserved",
            )),
        };
    };
    let mut level = Reservation::fixed(Role::new(role)?);
    if let Some(reservation) = reservation {
        level.kind = ReservationKind::Dynamic;
        level.principal = reservation.principal.as_deref().map(Arc::from);
        level.labels = reservation
            .labels
            .as_ref()
            .map(Labels::from)
            .unwrap_or_default();
    }
    Ok(vec![level])
}

fn reservation_from(wire: &ReservationInfo) -> Result<Reservation, ResourceError> {
    let kind = match wire.r#type() {
        reservation_info::Type::Static => ReservationKind::Static,
        reservation_info::Type::Dynamic => ReservationKind::Dynamic,
        reservation_info::Type::Unknown => {
            return Err(ResourceError::Reservation(
                "the type must be STATIC or DYNAMIC",
            ));
        }
    };
    let role = Role::new(wire.role.as_deref().unwrap_or_default())?;
    Ok(Reservation {
        role,
        kind,
        principal: wire.principal.as_deref().map(Arc::from),
        labels: wire.labels.as_ref().map(Labels::from).unwrap_or_default(),
    })
}

/// Only the first may be static, nobody reserves to `*`, and each goes strictly below the one
/// before (Mesos: RES-05).
fn check_stack(stack: &[Reservation]) -> Result<(), ResourceError> {
    if stack.iter().any(|level| level.role.is_default()) {
        return Err(ResourceError::Reservation(
            "role \"*\" cannot be reserved to",
        ));
    }
    for pair in stack.windows(2) {
        if pair[1].kind == ReservationKind::Static {
            return Err(ResourceError::Reservation(
                "only the first reservation may be STATIC",
            ));
        }
        if !pair[1].role.is_below(&pair[0].role) {
            let rule = "a refined reservation must be to a role below the one before";
            return Err(ResourceError::Reservation(rule));
        }
    }
    Ok(())
}

/// Disk information that says nothing is none.
fn disk_from(name: &str, wire: &DiskInfo) -> Result<Option<DiskTraits>, ResourceError> {
    let refuse = |rule| {
        Err(ResourceError::Disk {
            name: name.to_owned(),
            rule,
        })
    };
    if name != "disk" {
        return refuse("only 'disk' can have it");
    }
    if *wire == DiskInfo::default() {
        return Ok(None);
    }
    let persistence = wire.persistence.as_ref().map(|persistence| Persistence {
        id: Arc::from(persistence.id.as_str()),
        principal: persistence.principal.as_deref().map(Arc::from),
    });
    if let Some(volume) = &persistence {
        ids::check(&volume.id).map_err(ResourceError::PersistenceId)?;
    }
    let other = |volume: &v1::Volume| volume.image.is_some() || volume.source.is_some();
    if wire.volume.as_ref().is_some_and(other) {
        return refuse("the volume of a resource has neither image nor source");
    }
    let volume = wire.volume.as_ref().map(volume_from);
    let source = wire
        .source
        .as_ref()
        .map(|source| source_from(name, source))
        .transpose()?;
    Ok(Some(DiskTraits {
        persistence,
        volume,
        source,
    }))
}

fn volume_from(wire: &v1::Volume) -> Volume {
    Volume {
        container_path: Arc::from(wire.container_path.as_str()),
        host_path: wire.host_path.as_deref().map(Arc::from),
        mode: match wire.mode() {
            v1::volume::Mode::Rw => VolumeMode::ReadWrite,
            v1::volume::Mode::Ro => VolumeMode::ReadOnly,
        },
    }
}

fn source_from(name: &str, wire: &disk_info::Source) -> Result<DiskSource, ResourceError> {
    let refuse = |rule| {
        Err(ResourceError::Disk {
            name: name.to_owned(),
            rule,
        })
    };
    let Some(kind) = DiskKind::from_proto(wire.r#type()) else {
        return refuse("the type of the source is unknown");
    };
    let foreign_path = wire.path.is_some() && kind != DiskKind::Path;
    let foreign_mount = wire.mount.is_some() && kind != DiskKind::Mount;
    if foreign_path || foreign_mount {
        return refuse("'path' and 'mount' go with a source of that type only");
    }
    let path = wire.path.as_ref().and_then(|path| path.root.as_deref());
    let mount = wire.mount.as_ref().and_then(|mount| mount.root.as_deref());
    let text = |text: &Option<String>| text.as_deref().map(Arc::from);
    Ok(DiskSource {
        kind,
        root: path.or(mount).map(Arc::from),
        vendor: text(&wire.vendor),
        id: text(&wire.id),
        metadata: wire.metadata.as_ref().map(Labels::from).unwrap_or_default(),
        profile: text(&wire.profile),
    })
}

/// Resources are allocated to one role; those that name none belong to it too (Mesos: SPC-08).
fn allocation_of(wire: &[v1::Resource]) -> Result<Option<Role>, ResourceError> {
    fn named(resource: &v1::Resource) -> Option<&str> {
        resource.allocation_info.as_ref()?.role.as_deref()
    }
    let mut roles = wire.iter().filter_map(named);
    let Some(first) = roles.next() else {
        return Ok(None);
    };
    if roles.any(|other| other != first) {
        return Err(ResourceError::MixedAllocations);
    }
    Ok(Some(Role::new(first)?))
}

#[cfg(test)]
mod tests;
