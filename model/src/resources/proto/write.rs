//! Resources for the wire.

use std::sync::Arc;

use tepui_proto::v1::{
    self,
    resource::{AllocationInfo, DiskInfo, ReservationInfo, disk_info, reservation_info},
    value,
};

use crate::{
    Role,
    resources::{
        DiskKind, DiskSource, DiskTraits, Labels, Persistence, Reservation, ReservationKind,
        Resources, Traits, Value, Volume, VolumeMode,
    },
};

/// How reservations look on the wire (Mesos: RES-05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReservationForm {
    /// One `role`, and a `reservation` if it was made while the agent ran: for frameworks without
    /// RESERVATION_REFINEMENT. A stack of several has no such form and is left as it is.
    Legacy,
    /// The stack `reservations`.
    #[default]
    Stack,
    /// Both at once: as the answers to operators have it, whose tools may know either.
    Both,
}

impl Resources {
    /// The resources for the wire, in the `reservations` form; with the role they are allocated
    /// to, if they are.
    #[must_use]
    pub fn to_proto(&self, allocation: Option<&Role>) -> Vec<v1::Resource> {
        self.to_proto_as(ReservationForm::Stack, allocation)
    }

    /// The same, in that form.
    #[must_use]
    pub fn to_proto_as(
        &self,
        form: ReservationForm,
        allocation: Option<&Role>,
    ) -> Vec<v1::Resource> {
        let mut wire = Vec::new();
        for (traits, amounts, count) in self.bundles() {
            let mut template = template(traits, allocation);
            if form != ReservationForm::Stack {
                flatten(&mut template, &traits.reservations);
            }
            if form == ReservationForm::Legacy && traits.reservations.len() == 1 {
                template.reservations.clear();
            }
            for (name, value) in amounts.iter() {
                let resource = fill(template.clone(), name, &value);
                wire.extend((0..count).map(|_| resource.clone()));
            }
        }
        wire
    }
}

impl DiskKind {
    /// The type on the wire.
    #[must_use]
    pub const fn to_proto(self) -> disk_info::source::Type {
        match self {
            Self::Path => disk_info::source::Type::Path,
            Self::Mount => disk_info::source::Type::Mount,
            Self::Block => disk_info::source::Type::Block,
            Self::Raw => disk_info::source::Type::Raw,
        }
    }
}

impl From<&Resources> for Vec<v1::Resource> {
    fn from(resources: &Resources) -> Self {
        resources.to_proto(None)
    }
}

/// The type of a value on the wire.
const fn value_type(value: &Value) -> value::Type {
    match value {
        Value::Scalar(_) => value::Type::Scalar,
        Value::Ranges(_) => value::Type::Ranges,
        Value::Set(_) => value::Type::Set,
    }
}

fn owned(text: &Option<Arc<str>>) -> Option<String> {
    text.as_deref().map(str::to_owned)
}

fn labels(labels: &Labels) -> Option<v1::Labels> {
    (!labels.is_empty()).then(|| labels.into())
}

/// A resource with everything but its name and value.
fn template(traits: &Traits, allocation: Option<&Role>) -> v1::Resource {
    let allocated = |role: &Role| AllocationInfo {
        role: Some(role.to_string()),
    };
    let provider = |id: &Arc<str>| v1::ResourceProviderId {
        value: id.to_string(),
    };
    v1::Resource {
        allocation_info: allocation.map(allocated),
        reservations: traits.reservations.iter().map(reservation_to).collect(),
        disk: traits.disk.as_ref().map(disk_to),
        revocable: traits.revocable.then(Default::default),
        shared: traits.shared.then(Default::default),
        provider_id: traits.provider.as_ref().map(provider),
        ..Default::default()
    }
}

/// Writes a reservation beside the stack as it was written before there were any.
#[allow(deprecated)] // Frameworks without RESERVATION_REFINEMENT know no other form.
fn flatten(resource: &mut v1::Resource, stack: &[Reservation]) {
    match stack {
        [] => resource.role = Some("*".to_owned()),
        [only] => {
            resource.role = Some(only.role.to_string());
            let dynamic = || ReservationInfo {
                principal: owned(&only.principal),
                labels: labels(&only.labels),
                ..ReservationInfo::default()
            };
            resource.reservation = (only.kind == ReservationKind::Dynamic).then(dynamic);
        }
        _ => {}
    }
}

fn reservation_to(reservation: &Reservation) -> ReservationInfo {
    let kind = match reservation.kind {
        ReservationKind::Static => reservation_info::Type::Static,
        ReservationKind::Dynamic => reservation_info::Type::Dynamic,
    };
    ReservationInfo {
        r#type: Some(kind.into()),
        role: Some(reservation.role.to_string()),
        principal: owned(&reservation.principal),
        labels: labels(&reservation.labels),
    }
}

fn disk_to(disk: &DiskTraits) -> DiskInfo {
    let persistence = |volume: &Persistence| disk_info::Persistence {
        id: volume.id.to_string(),
        principal: owned(&volume.principal),
    };
    let volume = |volume: &Volume| v1::Volume {
        mode: match volume.mode {
            VolumeMode::ReadWrite => v1::volume::Mode::Rw.into(),
            VolumeMode::ReadOnly => v1::volume::Mode::Ro.into(),
        },
        container_path: volume.container_path.to_string(),
        host_path: owned(&volume.host_path),
        ..Default::default()
    };
    DiskInfo {
        persistence: disk.persistence.as_ref().map(persistence),
        volume: disk.volume.as_ref().map(volume),
        source: disk.source.as_ref().map(source_to),
    }
}

fn source_to(source: &DiskSource) -> disk_info::Source {
    let root = || owned(&source.root);
    let path = || disk_info::source::Path { root: root() };
    let mount = || disk_info::source::Mount { root: root() };
    disk_info::Source {
        r#type: source.kind.to_proto().into(),
        path: (source.kind == DiskKind::Path).then(path),
        mount: (source.kind == DiskKind::Mount).then(mount),
        vendor: owned(&source.vendor),
        id: owned(&source.id),
        metadata: labels(&source.metadata),
        profile: owned(&source.profile),
    }
}

fn fill(mut resource: v1::Resource, name: &str, value: &Value) -> v1::Resource {
    name.clone_into(&mut resource.name);
    resource.r#type = value_type(value).into();
    match value {
        Value::Scalar(quantity) => {
            resource.scalar = Some(value::Scalar {
                value: quantity.as_f64(),
            });
        }
        Value::Ranges(ranges) => resource.ranges = Some(ranges.into()),
        Value::Set(set) => resource.set = Some(set.into()),
    }
    resource
}
