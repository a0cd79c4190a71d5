//! What an offer must hold for a framework, from the wire (Mesos: OFF-16).

use std::sync::Arc;

use tepui_model::Quantity;
use tepui_proto::v1::offer_filters::{MinAllocatableResources, ResourceQuantities};

use super::{InvalidMinimum, Minimum};
use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_MINIMUM_ITEMS};

impl TryFrom<&MinAllocatableResources> for Minimum {
    type Error = InvalidMinimum;

    /// No set at all means that anything will do; a set that asks for nothing is an error.
    fn try_from(wire: &MinAllocatableResources) -> Result<Self, InvalidMinimum> {
        let sizes = wire
            .quantities
            .iter()
            .map(|set| set.quantities.len().max(1));
        if sizes.sum::<usize>() > MAX_MINIMUM_ITEMS {
            return Err(InvalidMinimum::TooMany);
        }
        let sets = wire.quantities.iter().map(set_from);
        Ok(Self {
            sets: sets.collect::<Result<_, _>>()?,
        })
    }
}

fn set_from(wire: &ResourceQuantities) -> Result<Vec<(Arc<str>, Quantity)>, InvalidMinimum> {
    if wire.quantities.is_empty() {
        return Err(InvalidMinimum::EmptySet);
    }
    let quantities = wire.quantities.iter();
    let item = |(name, scalar): (&String, &tepui_proto::v1::value::Scalar)| {
        let quantity = quantity_from(scalar.value).map_err(|reason| InvalidMinimum::Quantity {
            name: name.chars().take(MAX_CONSTRAINT_TEXT_BYTES).collect(),
            reason,
        })?;
        Ok((Arc::from(name.as_str()), quantity))
    };
    quantities.map(item).collect()
}

fn quantity_from(value: f64) -> Result<Quantity, &'static str> {
    if value.is_nan() {
        return Err("NaN values not supported");
    }
    if value.is_infinite() {
        return Err("Infinite values not supported");
    }
    if value < 0.0 {
        return Err("Negative values not supported");
    }
    Quantity::from_f64(value).map_err(|_| "Values of this size not supported")
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1::value::Scalar;

    use super::*;

    fn wire(sets: &[&[(&str, f64)]]) -> MinAllocatableResources {
        let item = |(name, value): &(&str, f64)| (String::from(*name), Scalar { value: *value });
        let set = |items: &&[(&str, f64)]| ResourceQuantities {
            quantities: items.iter().map(item).collect(),
        };
        MinAllocatableResources {
            quantities: sets.iter().map(set).collect(),
        }
    }

    fn text(sets: &[&[(&str, f64)]]) -> String {
        match Minimum::try_from(&wire(sets)) {
            Ok(minimum) => minimum.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn sets_of_quantities_are_taken_and_none_is_anything() {
        let sets: [&[(&str, f64)]; 2] = [&[("cpus", 1.0), ("mem", 64.0)], &[("gpus", 1.0)]];
        assert_eq!(text(&sets), "cpus:1;mem:64|gpus:1");
        assert_eq!(Minimum::try_from(&wire(&[])), Ok(Minimum::NONE));
    }

    #[test]
    fn quantities_that_are_none_are_refused_by_name() {
        assert_eq!(
            text(&[&[("cpus", 1.0)], &[]]),
            "Resource quantities must contain at least one quantity"
        );
        for (value, what) in [
            (-1.0, "Negative"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinite"),
        ] {
            assert_eq!(
                text(&[&[("mem", value)]]),
                format!("Invalid resource quantity for 'mem': {what} values not supported")
            );
        }
        assert!(text(&[&[("mem", 1e300)]]).ends_with("of this size not supported"));
    }

    #[test]
    fn more_quantities_than_anybody_needs_are_refused() {
        let one: &[(&str, f64)] = &[("cpus", 1.0)];
        assert!(Minimum::try_from(&wire(&vec![one; MAX_MINIMUM_ITEMS])).is_ok());
        assert_eq!(
            text(&vec![one; MAX_MINIMUM_ITEMS + 1]),
            "more than 64 items"
        );
    }
}
