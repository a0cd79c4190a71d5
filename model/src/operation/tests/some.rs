//! Some operations, and what they are about.

use std::sync::Arc;

use tepui_proto::v1::{Label, Labels as WireLabels};

use super::*;
use crate::{
    Labels, Ranges, Reservation, Value,
    resources::{DiskSource, DiskTraits, Persistence, ReservationKind, Volume, VolumeMode},
};

/// The traits with a reservation on top, made while the agent runs.
pub(super) fn dynamic(mut traits: Traits, role: &str) -> Traits {
    traits.reservations.push(Reservation {
        kind: ReservationKind::Dynamic,
        ..Reservation::fixed(Role::new(role).unwrap())
    });
    traits
}

pub(super) fn stack(roles: &[&str]) -> Traits {
    roles
        .iter()
        .fold(Traits::plain(), |traits, role| dynamic(traits, role))
}

pub(super) fn item(traits: &Traits, name: &str, units: i64) -> Resources {
    let quantity = Quantity::from_units(units);
    Resources::from_item(traits, name, &Value::Scalar(quantity))
}

pub(super) fn reserved(name: &str, units: i64, roles: &[&str]) -> Resources {
    item(&stack(roles), name, units)
}

/// A port reserved to `a`, with a label.
pub(super) fn port(number: u64, label: &str) -> Resources {
    let mut traits = stack(&["a"]);
    traits.reservations[0].labels = Labels::from(&WireLabels {
        labels: vec![Label {
            key: label.to_owned(),
            value: None,
        }],
    });
    let port = Ranges::from_pairs([(number, number)]).unwrap();
    Resources::from_item(&traits, "ports", &Value::Ranges(port))
}

/// The resources as a volume of that name.
pub(super) fn as_volume(resources: &Resources, id: &str) -> Resources {
    resources.with_traits(|traits| {
        let source = traits.disk.as_ref().and_then(|disk| disk.source.clone());
        Traits {
            disk: Some(DiskTraits {
                persistence: Some(Persistence {
                    id: Arc::from(id),
                    principal: None,
                }),
                volume: Some(Volume {
                    container_path: Arc::from("data"),
                    host_path: None,
                    mode: VolumeMode::ReadWrite,
                }),
                source,
            }),
            ..traits.clone()
        }
    })
}

/// A volume of the agent's own disk, reserved to `a`.
pub(super) fn volume(id: &str, megabytes: i64) -> Resources {
    as_volume(&reserved("disk", megabytes, &["a"]), id)
}

pub(super) fn shared(resources: &Resources) -> Resources {
    resources.with_traits(|traits| Traits {
        shared: true,
        ..traits.clone()
    })
}

/// A disk of that kind, reserved to `a`.
pub(super) fn disk(kind: DiskKind, megabytes: i64) -> Resources {
    let mut traits = stack(&["a"]);
    traits.disk = Some(DiskTraits {
        source: Some(DiskSource {
            kind,
            root: Some(Arc::from("/mnt")),
            vendor: None,
            id: None,
            metadata: Labels::new(),
            profile: None,
        }),
        ..DiskTraits::default()
    });
    item(&traits, "disk", megabytes)
}

/// One operation of every sort.
pub(super) fn one_of_each() -> Vec<ResourceOperation> {
    let resources = reserved("cpus", 1, &["a"]);
    vec![
        ResourceOperation::Reserve {
            source: None,
            resources: resources.clone(),
        },
        ResourceOperation::Reserve {
            source: Some(reserved("cpus", 1, &["b"])),
            resources: resources.clone(),
        },
        ResourceOperation::Unreserve { resources },
        ResourceOperation::Create {
            volumes: volume("v", 10),
        },
        ResourceOperation::Destroy {
            volumes: volume("v", 10),
        },
        ResourceOperation::GrowVolume {
            volume: volume("v", 10),
            addition: reserved("disk", 5, &["a"]),
        },
        ResourceOperation::ShrinkVolume {
            volume: volume("v", 10),
            subtract: Quantity::from_units(5),
        },
        ResourceOperation::CreateDisk {
            source: disk(DiskKind::Path, 5),
            target_type: DiskKind::Mount,
            target_profile: Some(Arc::from("fast")),
        },
        ResourceOperation::DestroyDisk {
            source: disk(DiskKind::Mount, 5),
        },
    ]
}

pub(super) fn all_capable() -> AgentCapabilities {
    AgentCapability::ALL.into_iter().collect()
}

/// The rules for an operator, on an agent that has the volume `v` and can do everything.
pub(super) fn rules(checkpointed: &Resources) -> OperationRules<'_> {
    static NOTHING: Resources = Resources::new();
    OperationRules {
        principal: None,
        allocation_role: None,
        framework: None,
        agent: all_capable(),
        checkpointed,
        used: &NOTHING,
        pending: &NOTHING,
    }
}
