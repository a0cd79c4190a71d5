//! Sets of named items.

use std::{fmt, sync::Arc};

use tepui_proto::v1::value;

use super::ResourceError;
use crate::limits::MAX_SET_ITEMS;

/// Named items, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(Vec<Arc<str>>);

impl Set {
    /// No item.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Items as they come from outside: none may come twice (Mesos: SPC-10).
    pub fn from_items<I>(items: I) -> Result<Self, ResourceError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut all: Vec<Arc<str>> = Vec::new();
        for item in items {
            if all.len() == MAX_SET_ITEMS {
                return Err(ResourceError::TooMany {
                    what: "items",
                    most: MAX_SET_ITEMS,
                });
            }
            all.push(Arc::from(item.as_ref()));
        }
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(ResourceError::DuplicateItem(pair[0].to_string())),
            None => Ok(Self(all)),
        }
    }

    /// The items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the item is in the set.
    #[must_use]
    pub fn has(&self, item: &str) -> bool {
        self.0.binary_search_by(|have| (**have).cmp(item)).is_ok()
    }

    /// Whether every item of `other` is in the set.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.iter().all(|item| self.has(item))
    }

    /// Adds every item of `other`.
    pub fn add(&mut self, other: &Self) {
        for item in &other.0 {
            if let Err(place) = self.0.binary_search(item) {
                self.0.insert(place, item.clone());
            }
        }
    }

    /// Removes every item of `other`; those that are not there are passed over.
    pub fn sub(&mut self, other: &Self) {
        self.0.retain(|item| !other.has(item));
    }
}

impl fmt::Display for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{}}}", self.0.join(","))
    }
}

impl From<&Set> for value::Set {
    fn from(set: &Set) -> Self {
        Self {
            item: set.iter().map(str::to_owned).collect(),
        }
    }
}

impl TryFrom<&value::Set> for Set {
    type Error = ResourceError;

    fn try_from(wire: &value::Set) -> Result<Self, ResourceError> {
        Self::from_items(&wire.item)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn items() -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set("[a-e]{1,2}", 0..10)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn every_operation_agrees_with_sets_of_texts(left in items(), right in items()) {
            let set = |items: &BTreeSet<String>| Set::from_items(items).unwrap();
            let (one, two) = (set(&left), set(&right));
            prop_assert_eq!(one.len(), left.len());
            prop_assert_eq!(one.contains(&two), left.is_superset(&right));
            let mut sum = one.clone();
            sum.add(&two);
            prop_assert_eq!(sum, set(&(&left | &right)));
            let mut difference = one;
            difference.sub(&two);
            prop_assert_eq!(difference, set(&(&left - &right)));
        }
    }

    #[test]
    fn an_item_that_comes_twice_is_refused() {
        let refusal = ResourceError::DuplicateItem("a".to_owned());
        assert_eq!(Set::from_items(["a", "b", "a"]), Err(refusal));
    }

    #[test]
    fn more_items_than_the_limit_are_refused() {
        let items = |count: usize| (0..count).map(|number| number.to_string());
        assert!(Set::from_items(items(MAX_SET_ITEMS)).is_ok());
        assert!(Set::from_items(items(MAX_SET_ITEMS + 1)).is_err());
    }

    #[test]
    fn it_prints_as_mesos_prints_it() {
        assert_eq!(
            Set::from_items(["sdb", "sda"]).unwrap().to_string(),
            "{sda,sdb}"
        );
    }
}
