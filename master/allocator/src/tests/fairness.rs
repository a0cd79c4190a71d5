//! What dominant resource fairness promises (Ghodsi and others 2011), for tasks of any size.

use proptest::{collection::vec, prelude::*};
use tepui_model::Scalars;

use super::{drf::fill, *};

const CPUS: i64 = 100;
const MEMORY: i64 = 10_000;

/// Frameworks in roles of their own that fill one agent with tasks of these sizes, and how many
/// tasks each has in the end.
fn filled(sizes: &[(i64, i64)], roles: impl Fn(usize) -> String) -> Vec<usize> {
    filled_by_weight(sizes, &[], roles)
}

/// The same with weights for the roles of the first frameworks.
fn filled_by_weight(
    sizes: &[(i64, i64)],
    weights: &[i64],
    roles: impl Fn(usize) -> String,
) -> Vec<usize> {
    let total = format!("cpus:{CPUS};mem:{MEMORY}");
    let names: Vec<String> = (0..sizes.len()).map(roles).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut allocator = cluster(&[&total], &names);
    for (name, weight) in names.iter().zip(weights) {
        allocator.set_weight(&role(name), Quantity::from_units(*weight));
    }
    let tasks: Vec<String> = sizes.iter().map(|size| text(*size)).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    fill(&mut allocator, &tasks)
}

fn text((cpus, memory): (i64, i64)) -> String {
    format!("cpus:{cpus};mem:{memory}")
}

/// The dominant share of so many tasks of a size.
fn share((cpus, memory): (i64, i64), count: usize) -> f64 {
    let part = |size: i64, whole: i64| size as f64 * count as f64 / whole as f64;
    part(cpus, CPUS).max(part(memory, MEMORY))
}

fn sizes() -> impl Strategy<Value = Vec<(i64, i64)>> {
    vec((1..6_i64, 64..600_i64), 2..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nobody_gets_less_than_an_equal_part_but_for_the_size_of_tasks(sizes in sizes()) {
        let counts = filled(&sizes, |key| format!("role-{key}"));
        let largest = sizes.iter().map(|size| share(*size, 1)).fold(0.0, f64::max);
        let least = 1.0 / sizes.len() as f64 - 2.0 * largest;
        for (size, count) in sizes.iter().zip(&counts) {
            prop_assert!(share(*size, *count) >= least, "{sizes:?}: {counts:?}");
        }
    }

    #[test]
    fn nobody_would_rather_have_what_another_has_but_for_the_size_of_tasks(sizes in sizes()) {
        let counts = filled(&sizes, |_| "*".to_owned());
        for (own, count) in sizes.iter().zip(&counts) {
            for (other, theirs) in sizes.iter().zip(&counts) {
                let held = (other.0 * *theirs as i64, other.1 * *theirs as i64);
                let instead = (held.0 / own.0).min(held.1 / own.1) as usize;
                // At the end, what is too little for one more task of its own goes to the other.
                let slack = (share(*other, 1) / share(*own, 1)).ceil() as usize + 2;
                prop_assert!(instead <= count + slack, "{sizes:?}: {counts:?}");
            }
        }
    }

    #[test]
    fn nobody_gets_less_than_the_part_of_its_weight_but_for_the_size_of_tasks(
        wishes in vec((1..6_i64, 64..600_i64, 1..5_i64), 2..6),
    ) {
        let sizes: Vec<(i64, i64)> = wishes.iter().map(|(cpus, memory, _)| (*cpus, *memory)).collect();
        let weights: Vec<i64> = wishes.iter().map(|(.., weight)| *weight).collect();
        let counts = filled_by_weight(&sizes, &weights, |key| format!("role-{key}"));
        let whole: i64 = weights.iter().sum();
        // One more task of the largest share per weight may be ahead of each of its own.
        let largest = sizes.iter().zip(&weights);
        let largest = largest.map(|(size, weight)| share(*size, 1) / *weight as f64);
        let largest = largest.fold(0.0, f64::max);
        for ((size, count), weight) in sizes.iter().zip(&counts).zip(&weights) {
            let weight = *weight as f64;
            let least = weight / whole as f64 - weight * largest - 2.0 * share(*size, 1);
            let found = share(*size, *count);
            prop_assert!(found >= least, "{wishes:?}: {counts:?}: {found} of {least}");
        }
    }

    #[test]
    fn nobody_would_rather_have_its_weights_part_of_what_another_role_has(
        wishes in vec((1..6_i64, 64..600_i64, 1..5_i64), 2..6),
    ) {
        let sizes: Vec<(i64, i64)> = wishes.iter().map(|(cpus, memory, _)| (*cpus, *memory)).collect();
        let weights: Vec<i64> = wishes.iter().map(|(.., weight)| *weight).collect();
        let counts = filled_by_weight(&sizes, &weights, |key| format!("role-{key}"));
        let all = || sizes.iter().zip(&counts).zip(&weights);
        for ((own, count), weight) in all() {
            for ((other, theirs), their_weight) in all() {
                let part = *weight as f64 / *their_weight as f64;
                let held = |size: i64| (size * *theirs as i64) as f64 * part;
                let instead = (held(other.0) / own.0 as f64).min(held(other.1) / own.1 as f64);
                // At the end, what is too little for one more task of its own goes to the other.
                let slack = share(*other, 1) * part / share(*own, 1) + part + 2.0;
                prop_assert!(instead <= *count as f64 + slack, "{wishes:?}: {counts:?}");
            }
        }
    }

    #[test]
    fn the_one_with_the_smallest_share_is_asked_first(held in vec(0..40_i64, 2..12)) {
        let mut allocator = Allocator::new(Options::default());
        let of = |key: usize, cpus: i64| {
            let cpus = Scalars::from_iter([(tepui_model::Kind::Cpus, Quantity::from_units(cpus))]);
            (FrameworkKey(key as u32), Role::default(), Resources::from(cpus))
        };
        let used = held.iter().enumerate().map(|(key, cpus)| of(key, *cpus)).collect();
        allocator.add_agent(AgentKey(0), agent("cpus:1000;mem:1000"), used);
        for key in 0..held.len() {
            allocator.add_framework(FrameworkKey(key as u32), profile(&["*"]));
        }
        let made = run(&mut allocator, seconds(0));
        let smallest = held.iter().min();
        prop_assert_eq!(held.get(made[0].framework.index()), smallest);
    }
}

#[test]
fn roles_a_hundred_deep_are_served_and_forgotten() {
    let deep = (0..100)
        .map(|level| format!("r{level}"))
        .collect::<Vec<_>>()
        .join("/");
    let mut allocator = cluster(&["cpus:4;mem:100"], &[&deep, "a"]);
    allocator.set_quota(
        &role("r0"),
        tepui_model::Quota {
            guarantees: parse("cpus:9").scalars(),
            ..tepui_model::Quota::default()
        },
    );
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [0]);
    assert_eq!(allocator.role_shares().len(), 101);
    allocator.set_quota(&role("r0"), tepui_model::Quota::default());
    allocator.remove_framework(FrameworkKey(0));
    assert_eq!(frameworks(&run(&mut allocator, seconds(1))), [1]);
    assert_eq!(allocator.role_shares().len(), 1);
}
