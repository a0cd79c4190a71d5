//! Operations from the wire and for it.

use std::sync::Arc;

use tepui_proto::v1::{self, offer::operation, value};

use super::{OfferOperation, ResourceOperation};
use crate::{Quantity, Resources, resources::DiskKind};

impl From<v1::offer::Operation> for OfferOperation {
    /// What is malformed becomes [`OfferOperation::Invalid`]: the framework hears of it where it
    /// hears of what breaks a rule.
    fn from(wire: v1::offer::Operation) -> Self {
        match wire.r#type() {
            operation::Type::Launch => {
                let tasks = wire.launch.map(|launch| launch.task_infos);
                without_id(wire.id.as_ref(), "LAUNCH", tasks, Self::Launch)
            }
            operation::Type::LaunchGroup => {
                let id = wire.id;
                let (executor, group) = wire
                    .launch_group
                    .map(|group| (group.executor, group.task_group.tasks))
                    .unzip();
                without_id(id.as_ref(), "LAUNCH_GROUP", group, |tasks| {
                    let named =
                        |executor: &v1::ExecutorInfo| !executor.executor_id.value.is_empty();
                    let executor = executor.filter(named).map(Box::new);
                    Self::LaunchGroup { executor, tasks }
                })
            }
            _ => match ResourceOperation::try_from(wire) {
                Ok(operation) => Self::Resources(operation),
                Err(MalformedOperation(reason)) => Self::Invalid {
                    reason,
                    tasks: Vec::new(),
                },
            },
        }
    }
}

/// Each task of a launch has an end of its own; the launch has none that could be told
/// (Mesos: OFF-05).
fn without_id(
    id: Option<&v1::OperationId>,
    name: &str,
    tasks: Option<Vec<v1::TaskInfo>>,
    launch: impl FnOnce(Vec<v1::TaskInfo>) -> OfferOperation,
) -> OfferOperation {
    let tasks = tasks.unwrap_or_default();
    match id {
        None => launch(tasks),
        Some(_) => OfferOperation::Invalid {
            reason: format!("The `id` field cannot be set on {name} operations"),
            tasks,
        },
    }
}

/// Why a message is no operation on resources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedOperation(String);

impl MalformedOperation {
    fn missing(field: &str) -> Self {
        Self(format!("Expecting '{field}' to be present"))
    }
}

impl TryFrom<v1::offer::Operation> for ResourceOperation {
    type Error = MalformedOperation;

    fn try_from(wire: v1::offer::Operation) -> Result<Self, MalformedOperation> {
        let missing = MalformedOperation::missing;
        match wire.r#type() {
            operation::Type::Reserve => reserve(&wire.reserve.ok_or_else(|| missing("reserve"))?),
            operation::Type::Unreserve => {
                let unreserve = wire.unreserve.ok_or_else(|| missing("unreserve"))?;
                let resources = parse(&unreserve.resources, "Invalid resources")?;
                Ok(Self::Unreserve { resources })
            }
            operation::Type::Create => {
                let create = wire.create.ok_or_else(|| missing("create"))?;
                let volumes = parse(&create.volumes, "Invalid resources")?;
                Ok(Self::Create { volumes })
            }
            operation::Type::Destroy => {
                let destroy = wire.destroy.ok_or_else(|| missing("destroy"))?;
                let volumes = parse(&destroy.volumes, "Invalid resources")?;
                Ok(Self::Destroy { volumes })
            }
            operation::Type::GrowVolume => {
                grow(wire.grow_volume.ok_or_else(|| missing("grow_volume"))?)
            }
            operation::Type::ShrinkVolume => {
                shrink(wire.shrink_volume.ok_or_else(|| missing("shrink_volume"))?)
            }
            operation::Type::CreateDisk => {
                create_disk(wire.create_disk.ok_or_else(|| missing("create_disk"))?)
            }
            operation::Type::DestroyDisk => {
                let destroy = wire.destroy_disk.ok_or_else(|| missing("destroy_disk"))?;
                let source = parse(&[destroy.source], "Invalid resource")?;
                Ok(Self::DestroyDisk { source })
            }
            operation::Type::Unknown | operation::Type::Launch | operation::Type::LaunchGroup => {
                Err(MalformedOperation("Unknown offer operation".to_owned()))
            }
        }
    }
}

/// The resources of an operation. What they are allocated to is that of the offer, so nothing
/// else may be named here; that is the caller's to check, who knows the offer.
fn parse(wire: &[v1::Resource], place: &str) -> Result<Resources, MalformedOperation> {
    Resources::try_from(wire).map_err(|error| MalformedOperation(format!("{place}: {error}")))
}

fn reserve(wire: &operation::Reserve) -> Result<ResourceOperation, MalformedOperation> {
    let resources = parse(&wire.resources, "Invalid resources")?;
    let source = match wire.source.as_slice() {
        [] => None,
        source => Some(parse(source, "Invalid source")?),
    };
    Ok(ResourceOperation::Reserve { source, resources })
}

fn grow(wire: operation::GrowVolume) -> Result<ResourceOperation, MalformedOperation> {
    let place = |field: &str| format!("Invalid resource in the 'GrowVolume.{field}' field");
    Ok(ResourceOperation::GrowVolume {
        volume: parse(&[wire.volume], &place("volume"))?,
        addition: parse(&[wire.addition], &place("addition"))?,
    })
}

fn shrink(wire: operation::ShrinkVolume) -> Result<ResourceOperation, MalformedOperation> {
    let place = "Invalid resource in the 'ShrinkVolume.volume' field";
    let subtract = Quantity::from_f64(wire.subtract.value).map_err(|error| {
        MalformedOperation(format!("Invalid value of 'ShrinkVolume.subtract': {error}"))
    })?;
    Ok(ResourceOperation::ShrinkVolume {
        volume: parse(&[wire.volume], place)?,
        subtract,
    })
}

fn create_disk(wire: operation::CreateDisk) -> Result<ResourceOperation, MalformedOperation> {
    let Some(target_type) = DiskKind::from_proto(wire.target_type()) else {
        let reason = "'target_type' is neither MOUNT or BLOCK";
        return Err(MalformedOperation(reason.to_owned()));
    };
    Ok(ResourceOperation::CreateDisk {
        target_type,
        target_profile: wire.target_profile.as_deref().map(Arc::from),
        source: parse(&[wire.source], "Invalid resource")?,
    })
}

impl ResourceOperation {
    /// The operation for the wire, without an id.
    #[must_use]
    pub fn to_proto(&self) -> v1::offer::Operation {
        let mut wire = v1::offer::Operation {
            r#type: Some(self.kind().into()),
            ..v1::offer::Operation::default()
        };
        match self {
            Self::Reserve { source, resources } => {
                wire.reserve = Some(operation::Reserve {
                    source: source.as_ref().map(Into::into).unwrap_or_default(),
                    resources: resources.into(),
                });
            }
            Self::Unreserve { resources } => {
                let resources = resources.into();
                wire.unreserve = Some(operation::Unreserve { resources });
            }
            Self::Create { volumes } => {
                let volumes = volumes.into();
                wire.create = Some(operation::Create { volumes });
            }
            Self::Destroy { volumes } => {
                let volumes = volumes.into();
                wire.destroy = Some(operation::Destroy { volumes });
            }
            Self::GrowVolume { volume, addition } => {
                wire.grow_volume = Some(operation::GrowVolume {
                    volume: only(volume),
                    addition: only(addition),
                });
            }
            Self::ShrinkVolume { volume, subtract } => {
                wire.shrink_volume = Some(operation::ShrinkVolume {
                    volume: only(volume),
                    subtract: value::Scalar {
                        value: subtract.as_f64(),
                    },
                });
            }
            Self::CreateDisk {
                source,
                target_type,
                target_profile,
            } => {
                wire.create_disk = Some(operation::CreateDisk {
                    source: only(source),
                    target_type: target_type.to_proto().into(),
                    target_profile: target_profile.as_deref().map(str::to_owned),
                });
            }
            Self::DestroyDisk { source } => {
                let source = only(source);
                wire.destroy_disk = Some(operation::DestroyDisk { source });
            }
        }
        wire
    }

    pub(super) const fn kind(&self) -> operation::Type {
        match self {
            Self::Reserve { .. } => operation::Type::Reserve,
            Self::Unreserve { .. } => operation::Type::Unreserve,
            Self::Create { .. } => operation::Type::Create,
            Self::Destroy { .. } => operation::Type::Destroy,
            Self::GrowVolume { .. } => operation::Type::GrowVolume,
            Self::ShrinkVolume { .. } => operation::Type::ShrinkVolume,
            Self::CreateDisk { .. } => operation::Type::CreateDisk,
            Self::DestroyDisk { .. } => operation::Type::DestroyDisk,
        }
    }
}

/// The one resource there is; what is parsed as one stays one.
fn only(resources: &Resources) -> v1::Resource {
    let wire = resources.to_proto(None);
    wire.into_iter().next().unwrap_or_default()
}
