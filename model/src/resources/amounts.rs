//! Quantities, ranges and sets by name: what a bundle of resources holds.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::{Kind, PORTS, Ranges, Scalars, Set};
use crate::Quantity;

/// How much there is of one named resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A quantity.
    Scalar(Quantity),
    /// Numbers.
    Ranges(Ranges),
    /// Named items.
    Set(Set),
}

impl Value {
    /// Whether there is nothing of it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(quantity) => quantity.is_zero(),
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(set) => set.is_empty(),
        }
    }

    /// Scalars, ranges and sets of the same name stand beside each other, in this order.
    const fn rank(&self) -> u8 {
        match self {
            Self::Scalar(_) => 0,
            Self::Ranges(_) => 1,
            Self::Set(_) => 2,
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(have), Self::Scalar(want)) => want <= have,
            (Self::Ranges(have), Self::Ranges(want)) => have.contains(want),
            (Self::Set(have), Self::Set(want)) => have.contains(want),
            _ => other.is_empty(),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ranges(left), Self::Ranges(right)) => left.overlaps(right),
            (Self::Set(left), Self::Set(right)) => right.iter().any(|item| left.has(item)),
            _ => false,
        }
    }

    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(left), Self::Scalar(right)) => *left += *right,
            (Self::Ranges(left), Self::Ranges(right)) => left.add(right),
            (Self::Set(left), Self::Set(right)) => left.add(right),
            _ => {}
        }
    }

    fn sub(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(left), Self::Scalar(right)) => *left -= *right,
            (Self::Ranges(left), Self::Ranges(right)) => left.sub(right),
            (Self::Set(left), Self::Set(right)) => left.sub(right),
            _ => {}
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(quantity) => quantity.fmt(formatter),
            Self::Ranges(ranges) => ranges.fmt(formatter),
            Self::Set(set) => set.fmt(formatter),
        }
    }
}

/// What a bundle of resources holds. CPUs, memory, disk, GPUs and ports, which nearly every agent
/// and task has, stand in place: adding and subtracting them looks up no name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amounts {
    pub(super) scalars: Scalars,
    pub(super) ports: Ranges,
    /// Other ranges and sets, sorted by name and rank, none of them empty.
    rest: Vec<(Arc<str>, Value)>,
}

impl Amounts {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            scalars: Scalars::new(),
            ports: Ranges::new(),
            rest: Vec::new(),
        }
    }

    /// The scalar quantities.
    #[must_use]
    pub const fn scalars(&self) -> &Scalars {
        &self.scalars
    }

    /// The port numbers.
    #[must_use]
    pub const fn ports(&self) -> &Ranges {
        &self.ports
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scalars.is_empty() && self.ports.is_empty() && self.rest.is_empty()
    }

    /// Everything by name: scalars, then ports, then the rest by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> + '_ {
        let scalars = self
            .scalars
            .named()
            .map(|(name, quantity)| (name, Value::Scalar(quantity)));
        let ports = (!self.ports.is_empty()).then(|| (PORTS, Value::Ranges(self.ports.clone())));
        let rest = self
            .rest
            .iter()
            .map(|(name, value)| (&**name, value.clone()));
        scalars.chain(ports).chain(rest)
    }

    pub(super) fn insert(&mut self, name: &str, value: &Value) {
        match value {
            _ if value.is_empty() => {}
            Value::Scalar(quantity) => self.scalars.increase(&Kind::new(name), *quantity),
            Value::Ranges(ranges) if name == PORTS => self.ports.add(ranges),
            _ => self.insert_rest(&Arc::from(name), value),
        }
    }

    fn insert_rest(&mut self, name: &Arc<str>, value: &Value) {
        match self.place(name, value) {
            Ok(at) => self.rest[at].1.add(value),
            Err(at) => self.rest.insert(at, (name.clone(), value.clone())),
        }
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        let has = |(name, want): &(Arc<str>, Value)| {
            self.place(name, want)
                .is_ok_and(|at| self.rest[at].1.contains(want))
        };
        self.scalars.contains(&other.scalars)
            && self.ports.contains(&other.ports)
            && other.rest.iter().all(has)
    }

    /// Whether a number or a named item is in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let meets = |(name, value): &(Arc<str>, Value)| {
            self.place(name, value)
                .is_ok_and(|at| self.rest[at].1.overlaps(value))
        };
        self.ports.overlaps(&other.ports) || other.rest.iter().any(meets)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.scalars.add(&other.scalars);
        self.ports.add(&other.ports);
        for (name, value) in &other.rest {
            self.insert_rest(name, value);
        }
    }

    /// Takes away what [`Amounts::contains`] said is there.
    pub(super) fn sub(&mut self, other: &Self) {
        self.scalars.sub(&other.scalars);
        self.ports.sub(&other.ports);
        for (name, value) in &other.rest {
            let Ok(at) = self.place(name, value) else {
                continue;
            };
            self.rest[at].1.sub(value);
            if self.rest[at].1.is_empty() {
                self.rest.remove(at);
            }
        }
    }

    /// The numbers of that name; empty if there are none.
    pub(super) fn ranges(&self, name: &str) -> Option<&Ranges> {
        if name == PORTS {
            return Some(&self.ports);
        }
        self.rest.iter().find_map(|(have, value)| match value {
            Value::Ranges(ranges) if **have == *name => Some(ranges),
            _ => None,
        })
    }

    /// The items of that name.
    pub(super) fn set(&self, name: &str) -> Option<&Set> {
        self.rest.iter().find_map(|(have, value)| match value {
            Value::Set(set) if **have == *name => Some(set),
            _ => None,
        })
    }

    fn place(&self, name: &str, value: &Value) -> Result<usize, usize> {
        self.rest
            .binary_search_by(|(have, held)| match (**have).cmp(name) {
                Ordering::Equal => held.rank().cmp(&value.rank()),
                unequal => unequal,
            })
    }
}

impl From<Scalars> for Amounts {
    fn from(scalars: Scalars) -> Self {
        Self {
            scalars,
            ..Self::new()
        }
    }
}
