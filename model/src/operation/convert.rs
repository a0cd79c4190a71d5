//! What an operation takes, and what that becomes.

use super::{InvalidOperation, ResourceOperation, error::ResourceRule};
use crate::{
    Quantity, Reservation, Resources, Value,
    resources::{Conversion, Traits},
};

impl ResourceOperation {
    /// What is consumed and what it becomes, in order: each conversion builds on those before.
    pub fn conversions(&self) -> Result<Vec<Conversion>, InvalidOperation> {
        match self {
            Self::Reserve { source, resources } => match source {
                None => Ok(each(resources, |piece| Conversion {
                    consumed: piece.with_traits(Traits::without_last_reservation),
                    converted: piece,
                })),
                Some(source) => change_reservations(source, resources),
            },
            Self::Unreserve { resources } => Ok(each(resources, |piece| Conversion {
                converted: piece.with_traits(Traits::without_last_reservation),
                consumed: piece,
            })),
            Self::Create { volumes } => Ok(each(volumes, |volume| Conversion {
                consumed: volume.with_traits(Traits::without_volume),
                converted: volume,
            })),
            Self::Destroy { volumes } => Ok(each(volumes, |volume| Conversion {
                converted: volume.with_traits(Traits::without_volume),
                consumed: volume,
            })),
            Self::GrowVolume { volume, addition } => grow(volume, addition),
            Self::ShrinkVolume { volume, subtract } => shrink(volume, *subtract),
            Self::CreateDisk { .. } | Self::DestroyDisk { .. } => {
                Err(InvalidOperation::NoResourceProvider(self.name()))
            }
        }
    }
}

/// One conversion for each bundle: two of them cannot both be made of the same port.
fn each(resources: &Resources, conversion: impl Fn(Resources) -> Conversion) -> Vec<Conversion> {
    resources.pieces().map(conversion).collect()
}

/// Takes reservations back, one by one, down to those that both sides have, and puts the others
/// on (Mesos: RES-07).
fn change_reservations(
    source: &Resources,
    target: &Resources,
) -> Result<Vec<Conversion>, InvalidOperation> {
    let (from, to) = (stack_of(source, "source")?, stack_of(target, "resources")?);
    let common = from.iter().zip(&to).take_while(|(one, two)| one == two);
    let common = common.count();
    let down = (common..from.len()).rev().map(|depth| &from[..depth]);
    let up = (common + 1..=to.len()).map(|depth| &to[..depth]);
    let mut held = source.clone();
    let mut conversions = Vec::new();
    for stack in down.chain(up) {
        let next = held.with_traits(|traits| Traits {
            reservations: stack.to_vec(),
            ..traits.clone()
        });
        conversions.push(Conversion {
            consumed: std::mem::replace(&mut held, next.clone()),
            converted: next,
        });
    }
    if held == *target {
        return Ok(conversions);
    }
    let unreserved = |resources: &Resources| {
        let unreserved = resources.with_traits(|traits| Traits {
            reservations: Vec::new(),
            ..traits.clone()
        });
        unreserved.to_string()
    };
    let (source, target) = (unreserved(source), unreserved(target));
    Err(InvalidOperation::DifferentQuantities(source, target))
}

/// The stack of reservations that all of the resources have.
fn stack_of(
    resources: &Resources,
    field: &'static str,
) -> Result<Vec<Reservation>, InvalidOperation> {
    let refuse = |rule| Err(InvalidOperation::Resources { field, rule });
    let mut stacks = resources
        .bundles()
        .map(|(traits, _, _)| &traits.reservations);
    let Some(first) = stacks.next() else {
        return refuse(ResourceRule::Empty);
    };
    if stacks.all(|stack| stack == first) {
        Ok(first.clone())
    } else {
        refuse(ResourceRule::MixedReservations(resources.to_string()))
    }
}

fn grow(volume: &Resources, addition: &Resources) -> Result<Vec<Conversion>, InvalidOperation> {
    let (traits, size) = one_disk(volume, "GrowVolume.volume")?;
    let (added, more) = one_disk(addition, "GrowVolume.addition")?;
    if *added != traits.without_volume() {
        return Err(InvalidOperation::Incompatible);
    }
    Ok(vec![Conversion {
        consumed: volume + addition,
        converted: disk(traits, size + more),
    }])
}

fn shrink(volume: &Resources, subtract: Quantity) -> Result<Vec<Conversion>, InvalidOperation> {
    let (traits, size) = one_disk(volume, "ShrinkVolume.volume")?;
    if !subtract.is_positive() {
        return Err(InvalidOperation::SubtractNothing);
    }
    let Some(rest) = size.checked_sub(subtract).filter(|rest| rest.is_positive()) else {
        return Err(InvalidOperation::SubtractAll);
    };
    Ok(vec![Conversion {
        consumed: volume.clone(),
        converted: disk(traits, rest) + disk(&traits.without_volume(), subtract),
    }])
}

/// The one quantity of disk that the resources are, and its traits.
pub(super) fn one_disk<'a>(
    resources: &'a Resources,
    field: &'static str,
) -> Result<(&'a Traits, Quantity), InvalidOperation> {
    match resources.only_item() {
        Some((traits, name, Value::Scalar(size))) if name == "disk" => Ok((traits, size)),
        _ => Err(InvalidOperation::NotOneDisk(field)),
    }
}

fn disk(traits: &Traits, size: Quantity) -> Resources {
    Resources::from_item(traits, "disk", &Value::Scalar(size))
}
