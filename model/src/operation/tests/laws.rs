//! The laws of operations, on random resources.

use proptest::{prelude::*, sample::select};

use super::{some::*, *};
use crate::Conversion;

/// Some resources that operations are about, and much that they are not.
fn pieces() -> impl Strategy<Value = Resources> {
    let roles = select(vec![
        vec![],
        vec!["a"],
        vec!["b"],
        vec!["a", "a/b"],
        vec!["a", "a/c"],
    ]);
    let kind = select(vec![None, Some(DiskKind::Path), Some(DiskKind::Mount)]);
    (roles, kind, select(vec!["cpus", "disk"]), 0_u8..4, 1_i64..5).prop_map(
        |(roles, kind, name, nature, units)| {
            let base = match (name, kind) {
                ("disk", Some(kind)) => disk(kind, units).with_traits(|traits| Traits {
                    reservations: stack(&roles).reservations,
                    ..traits.clone()
                }),
                _ => item(&stack(&roles), name, units),
            };
            match nature {
                1 => as_volume(&base, "v"),
                2 => as_volume(&base, "w"),
                3 => shared(&as_volume(&base, "s")),
                _ => base,
            }
        },
    )
}

fn resources() -> impl Strategy<Value = Resources> {
    prop::collection::vec(pieces(), 0..4).prop_map(|pieces| pieces.into_iter().sum())
}

fn operations() -> impl Strategy<Value = ResourceOperation> {
    (0_u8..7, resources(), resources(), -1_i64..6).prop_map(|(kind, one, two, units)| match kind {
        0 => ResourceOperation::Reserve {
            source: None,
            resources: one,
        },
        1 => ResourceOperation::Reserve {
            source: Some(one),
            resources: two,
        },
        2 => ResourceOperation::Unreserve { resources: one },
        3 => ResourceOperation::Create { volumes: one },
        4 => ResourceOperation::Destroy { volumes: one },
        5 => ResourceOperation::GrowVolume {
            volume: one,
            addition: two,
        },
        _ => ResourceOperation::ShrinkVolume {
            volume: one,
            subtract: Quantity::from_units(units),
        },
    })
}

/// What must be there for the conversions.
fn needed(conversions: &[Conversion]) -> Resources {
    let mut needed = Resources::new();
    let mut made = Resources::new();
    for conversion in conversions {
        if made.subtract(&conversion.consumed).is_err() {
            needed += &conversion.consumed;
        }
        made += &conversion.converted;
    }
    needed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_valid_operation_conserves_quantities_and_can_be_undone(
        operation in operations(),
        known in resources(),
        rest in resources(),
    ) {
        // A name that is taken twice is another rule's matter.
        let rest = rest.filter(|traits| !traits.shared);
        let rules = rules(&known);
        if operation.validate(&rules).is_ok() {
            let conversions = operation.conversions().unwrap();
            prop_assert!(conversions.iter().all(Conversion::conserves), "{:?}", operation);
            let before = needed(&conversions) + &rest;
            let mut held = before.clone();
            prop_assert_eq!(held.apply_all(&conversions), Ok(()));
            prop_assert_eq!(held.scalars(), before.scalars());
            let back: Vec<_> = conversions.iter().rev().map(Conversion::inverse).collect();
            prop_assert_eq!(held.apply_all(&back), Ok(()));
            prop_assert_eq!(held, before);
        }
    }

    #[test]
    fn what_cannot_be_applied_changes_nothing(
        operation in operations(),
        held in resources(),
    ) {
        let conversions = match operation.conversions() {
            Ok(conversions) => conversions,
            Err(_) => return Ok(()),
        };
        let mut after = held.clone();
        match after.apply_all(&conversions) {
            Ok(()) => prop_assert_eq!(after.scalars(), held.scalars()),
            Err(_) => prop_assert_eq!(after, held),
        }
    }

    #[test]
    fn every_operation_goes_over_the_wire_or_is_invalid(operation in operations()) {
        let wire = operation.to_proto();
        let single = match &operation {
            ResourceOperation::GrowVolume { volume, addition } => {
                volume.to_proto(None).len() == 1 && addition.to_proto(None).len() == 1
            }
            ResourceOperation::ShrinkVolume { volume, .. } => volume.to_proto(None).len() == 1,
            // No source and an empty one are the same on the wire.
            ResourceOperation::Reserve { source, .. } => {
                source.as_ref().is_none_or(|source| !source.is_empty())
            }
            _ => true,
        };
        match OfferOperation::from(wire) {
            OfferOperation::Resources(again) if single => prop_assert_eq!(again, operation),
            OfferOperation::Resources(_) => {}
            OfferOperation::Invalid { reason, .. } => prop_assert!(!reason.is_empty()),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
