//! What the ranges promise, against plain sets of numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Numbers small enough that ranges often touch and overlap.
fn numbers() -> impl Strategy<Value = BTreeSet<u64>> {
    prop::collection::btree_set(0_u64..40, 0..24)
}

fn ranges(numbers: &BTreeSet<u64>) -> Ranges {
    Ranges::from_pairs(numbers.iter().map(|&number| (number, number))).unwrap()
}

fn is_canonical(ranges: &Ranges) -> bool {
    let sorted = ranges
        .0
        .windows(2)
        .all(|pair| pair[0].end + 1 < pair[1].begin);
    sorted && ranges.0.iter().all(|range| range.begin <= range.end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn every_operation_agrees_with_sets_of_numbers(left in numbers(), right in numbers()) {
        let (one, two) = (ranges(&left), ranges(&right));
        prop_assert!(one.iter().eq(left.iter().copied()));
        prop_assert_eq!(one.len(), left.len() as u64);
        prop_assert_eq!(one.contains(&two), left.is_superset(&right));

        let mut sum = one.clone();
        sum.add(&two);
        prop_assert!(is_canonical(&sum));
        prop_assert_eq!(&sum, &ranges(&(&left | &right)));

        let mut difference = one.clone();
        difference.sub(&two);
        prop_assert!(is_canonical(&difference));
        prop_assert_eq!(&difference, &ranges(&(&left - &right)));

        prop_assert_eq!(&one.intersect(&two), &ranges(&(&left & &right)));
    }

    #[test]
    fn the_first_numbers_are_the_lowest(numbers in numbers(), count in 0_u64..30) {
        let taken = ranges(&numbers).take_first(count);
        prop_assert!(is_canonical(&taken));
        prop_assert!(taken.iter().eq(numbers.iter().copied().take(count as usize)));
    }

    #[test]
    fn a_number_is_found_where_it_is(numbers in numbers(), number in 0_u64..40) {
        prop_assert_eq!(ranges(&numbers).has(number), numbers.contains(&number));
    }
}

#[test]
fn the_ends_of_the_number_line_do_not_overflow() {
    let whole = Ranges::from_range(0, u64::MAX);
    assert_eq!(whole.len(), u64::MAX);
    let mut rest = whole.clone();
    rest.sub(&Ranges::single(u64::MAX));
    assert_eq!(rest, Ranges::from_range(0, u64::MAX - 1));
    rest.add(&Ranges::single(u64::MAX));
    assert_eq!(rest, whole);
    assert_eq!(
        whole.take_first(u64::MAX),
        Ranges::from_range(0, u64::MAX - 1)
    );
}

#[test]
fn backward_and_overlapping_pairs_are_refused() {
    let backward = ResourceError::BackwardRange { begin: 5, end: 4 };
    assert_eq!(Ranges::from_pairs([(5, 4)]), Err(backward));
    let overlap = ResourceError::OverlappingRanges { at: 3 };
    assert_eq!(Ranges::from_pairs([(3, 9), (1, 3)]), Err(overlap));
    assert_eq!(
        Ranges::from_pairs([(4, 9), (1, 3)]),
        Ok(Ranges::from_range(1, 9))
    );
}

#[test]
fn more_ranges_than_the_limit_are_refused() {
    let pairs = |count: usize| (0..count as u64).map(|at| (at * 2, at * 2));
    assert!(Ranges::from_pairs(pairs(MAX_RANGES)).is_ok());
    let refusal = ResourceError::TooMany {
        what: "ranges",
        most: MAX_RANGES,
    };
    assert_eq!(Ranges::from_pairs(pairs(MAX_RANGES + 1)), Err(refusal));
}

#[test]
fn they_print_as_mesos_prints_them() {
    let ranges = Ranges::from_pairs([(31000, 32000), (80, 80)]).unwrap();
    assert_eq!(ranges.to_string(), "[80-80,31000-32000]");
    assert_eq!(Ranges::new().to_string(), "[]");
}
