//! The laws of the algebra, on random resources.

use proptest::prelude::*;

use super::{some, *};

/// No bundle is empty or plain, and they are sorted: equal resources have equal forms.
fn is_canonical(resources: &Resources) -> bool {
    let key = |bundle: &Bundle| {
        let identity = bundle
            .traits
            .is_indivisible()
            .then(|| bundle.amounts.clone());
        (bundle.traits.clone(), identity)
    };
    let sorted = resources
        .bundles
        .windows(2)
        .all(|pair| key(&pair[0]) < key(&pair[1]));
    let full = |bundle: &Bundle| {
        !bundle.amounts.is_empty() && bundle.count > 0 && !bundle.traits.is_plain()
    };
    sorted && resources.bundles.iter().all(full)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn addition_has_no_order(a in some::resources(), b in some::resources(), c in some::resources()) {
        let sum = &a + &b;
        prop_assert!(is_canonical(&sum));
        prop_assert_eq!(&sum, &(&b + &a));
        prop_assert_eq!(sum + &c, &a + &(&b + &c));
        prop_assert_eq!(&(&a + &Resources::new()), &a);
    }

    #[test]
    fn what_is_taken_can_be_put_back((whole, part) in some::whole_and_part()) {
        prop_assert!(whole.contains(&part));
        let left = whole.checked_sub(&part).unwrap();
        prop_assert!(is_canonical(&left));
        prop_assert!(whole.contains(&left));
        prop_assert_eq!(left + &part, whole);
    }

    #[test]
    fn a_sum_loses_something_exactly_when_the_two_overlap(a in some::resources(), b in some::resources()) {
        let mut left = &a + &b;
        let is_whole = left.subtract(&b).is_ok() && left == a;
        prop_assert_eq!(a.overlaps(&b), !is_whole);
    }

    #[test]
    fn the_scalars_of_some_traits_are_those_of_a_filter(a in some::resources()) {
        let free = |traits: &Traits| traits.reservations.is_empty() && !traits.revocable;
        prop_assert_eq!(a.scalars_of(free), a.filter(free).scalars());
    }

    #[test]
    fn a_part_is_taken_exactly_when_it_is_contained(a in some::resources(), b in some::resources()) {
        let mut left = a.clone();
        match left.subtract(&b) {
            Ok(()) => prop_assert!(a.contains(&b)),
            Err(missing) => {
                prop_assert!(!a.contains(&b));
                prop_assert_eq!(&left, &a);
                prop_assert!(!missing.to_string().is_empty());
            }
        }
    }

    #[test]
    fn containment_is_an_order(a in some::resources(), b in some::resources(), c in some::resources()) {
        prop_assert!(a.contains(&a));
        prop_assert!(a.contains(&Resources::new()));
        prop_assert_eq!(a.contains(&b) && b.contains(&a), a == b);
        let (larger, largest) = (&a + &b, &(&a + &b) + &c);
        prop_assert!(larger.contains(&a) && largest.contains(&larger) && largest.contains(&a));
        prop_assert_eq!(Resources::new().contains(&a), a.is_empty());
    }

    #[test]
    fn everything_subtracted_is_nothing(a in some::resources()) {
        let nothing = a.checked_sub(&a).unwrap();
        prop_assert!(nothing.is_empty());
        prop_assert_eq!(nothing, Resources::new());
    }

    #[test]
    fn filters_split_without_loss(a in some::resources()) {
        prop_assert_eq!(&(&a.unreserved() + &a.reserved()), &a);
        let pieces = a.reservation_roles().iter().map(|role| a.reserved_to(role)).sum::<Resources>();
        prop_assert_eq!(pieces, a.reserved());
        for role in ["a", "a/b", "b", "c", "*"].map(role) {
            prop_assert!(a.contains(&a.allocatable_to(&role)));
            prop_assert!(a.allocatable_to(&role).contains(&a.reserved_to(&role)));
        }
    }

    #[test]
    fn quantities_add_up_unless_they_are_shared(a in some::resources(), b in some::resources()) {
        let exclusive = |resources: &Resources| resources.filter(|traits| !traits.shared);
        let (a, b) = (exclusive(&a), exclusive(&b));
        let mut scalars = a.scalars();
        scalars.add(&b.scalars());
        prop_assert_eq!((&a + &b).scalars(), scalars);
        prop_assert_eq!(a.to_plain_quantities().scalars(), a.scalars());
        prop_assert!(a.to_plain_quantities().is_plain());
        for (kind, quantity) in a.scalars().iter() {
            prop_assert_eq!(a.scalar(&kind), quantity);
        }
    }

    #[test]
    fn the_wire_keeps_everything(a in some::resources(), allocated in any::<bool>()) {
        let role = allocated.then(|| role("a/b"));
        let wire = a.to_proto(role.as_ref());
        let (again, allocation) = Resources::from_proto(&wire).unwrap();
        prop_assert_eq!(&again, &a);
        prop_assert_eq!(allocation, role.filter(|_| !a.is_empty()));
        prop_assert_eq!(again.to_proto(None), a.to_proto(None));
    }

    #[test]
    fn the_text_keeps_what_it_can_say(a in some::text_resources()) {
        prop_assert_eq!(a.to_string().parse::<Resources>().unwrap(), a);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[a-c0-9:;()\\[\\]{}.,* -]{0,40}") {
        let _ = text.parse::<Resources>();
        let _ = text.parse::<crate::Attributes>();
    }
}
