//! The algebra against a naive one: maps from every detail of an item to how often it is there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{some, *};

/// Resources taken apart into things that are only counted or only there.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive {
    millis: BTreeMap<(Traits, String), i64>,
    numbers: BTreeSet<(Traits, String, u64)>,
    items: BTreeSet<(Traits, String, String)>,
    /// Indivisible things, by their whole value.
    wholes: BTreeMap<(Traits, String, super::Value), u32>,
}

impl From<&Resources> for Naive {
    fn from(resources: &Resources) -> Self {
        let mut naive = Self::default();
        for (traits, amounts, count) in resources.bundles() {
            for (name, value) in amounts.iter() {
                naive.add_item(traits, name, &value, count);
            }
        }
        naive
    }
}

impl Naive {
    fn add_item(&mut self, traits: &Traits, name: &str, value: &super::Value, count: u32) {
        let (traits, name) = (traits.clone(), name.to_owned());
        match value {
            whole if traits.is_indivisible() => {
                *self
                    .wholes
                    .entry((traits, name, whole.clone()))
                    .or_default() += count;
            }
            super::Value::Scalar(quantity) => {
                *self.millis.entry((traits, name)).or_default() += quantity.millis();
            }
            super::Value::Ranges(ranges) => {
                let number = |number| (traits.clone(), name.clone(), number);
                self.numbers.extend(ranges.iter().map(number));
            }
            super::Value::Set(set) => {
                let item = |item: &str| (traits.clone(), name.clone(), item.to_owned());
                self.items.extend(set.iter().map(item));
            }
        }
    }

    fn contains(&self, other: &Self) -> bool {
        let counted =
            |(key, want): (&_, &i64)| self.millis.get(key).is_some_and(|have| have >= want);
        let whole = |(key, want): (&_, &u32)| self.wholes.get(key).is_some_and(|have| have >= want);
        other.millis.iter().all(counted)
            && other.wholes.iter().all(whole)
            && self.numbers.is_superset(&other.numbers)
            && self.items.is_superset(&other.items)
    }

    fn add(&mut self, other: &Self) {
        for (key, millis) in &other.millis {
            *self.millis.entry(key.clone()).or_default() += millis;
        }
        for (key, count) in &other.wholes {
            *self.wholes.entry(key.clone()).or_default() += count;
        }
        self.numbers.extend(other.numbers.iter().cloned());
        self.items.extend(other.items.iter().cloned());
    }

    fn sub(&mut self, other: &Self) {
        for (key, millis) in &other.millis {
            *self.millis.entry(key.clone()).or_default() -= millis;
        }
        for (key, count) in &other.wholes {
            *self.wholes.entry(key.clone()).or_default() -= count;
        }
        self.millis.retain(|_, millis| *millis != 0);
        self.wholes.retain(|_, count| *count != 0);
        self.numbers = &self.numbers - &other.numbers;
        self.items = &self.items - &other.items;
    }
}

/// One step of a long life: something is put in, or taken out if it is there.
fn steps() -> impl Strategy<Value = Vec<(bool, Resources)>> {
    prop::collection::vec((any::<bool>(), some::resources()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_long_life_agrees_with_the_naive_algebra(steps in steps()) {
        let (mut fast, mut naive) = (Resources::new(), Naive::default());
        for (put, resources) in &steps {
            let detail = Naive::from(resources);
            prop_assert_eq!(fast.contains(resources), naive.contains(&detail));
            if *put {
                fast += resources;
                naive.add(&detail);
            } else if fast.subtract(resources).is_ok() {
                naive.sub(&detail);
            }
            prop_assert_eq!(&Naive::from(&fast), &naive);
        }
    }

    #[test]
    fn items_one_by_one_are_the_sum(items in prop::collection::vec(some::item(), 0..12)) {
        let (mut fast, mut naive) = (Resources::new(), Naive::default());
        for (traits, name, value) in &items {
            fast.insert(traits, name, value);
            naive.add_item(traits, name, value, 1);
        }
        prop_assert_eq!(&Naive::from(&fast), &naive);
        let sum: Resources = items.iter().map(|(traits, name, value)| Resources::from_item(traits, name, value)).sum();
        prop_assert_eq!(sum, fast);
    }
}
