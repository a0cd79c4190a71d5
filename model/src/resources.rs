//! The algebra of resources: what an agent has, an offer holds and a task takes.
//!
//! [`Resources`] is a sum of items with a name and a value: a quantity, ranges of numbers or a set
//! of names. Items with the same [`Traits`] make a bundle; most resources are the plain bundle
//! alone, which stands in place so that the allocator can add and subtract without looking
//! anything up.
//!
//! The role that resources are *allocated* to is not part of them: it travels beside, in an offer
//! or a task.
//!
//! ```
//! use tepui_model::{Resources, Role};
//!
//! let agent: Resources = "cpus:4;mem:8192;ports:[31000-32000];cpus(db):2".parse()?;
//! let task: Resources = "cpus:1;mem:512;ports:[31000-31000]".parse()?;
//! let left = agent.checked_sub(&task)?;
//! assert_eq!(left.to_string(), "cpus:3;mem:7680;ports:[31001-32000];cpus(db):2");
//! assert_eq!(left.allocatable_to(&Role::default()).cpus().to_string(), "3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amounts;
mod bundle;
mod conversion;
mod error;
mod kind;
mod labels;
mod ops;
mod parse;
mod proto;
mod ranges;
mod scalars;
mod set;
mod traits;

use std::{collections::BTreeSet, fmt, sync::Arc};

use self::bundle::Bundle;
pub use self::{
    amounts::{Amounts, Value},
    conversion::Conversion,
    error::{Insufficient, ParseError, ResourceError},
    kind::{Kind, PORTS},
    labels::Labels,
    proto::ReservationForm,
    ranges::{Range, Ranges},
    scalars::{Scalars, Share},
    set::Set,
    traits::{
        DiskKind, DiskSource, DiskTraits, Persistence, Reservation, ReservationKind, Traits,
        Volume, VolumeMode,
    },
};
pub(crate) use self::{
    parse::{parse_collection, parse_items},
    proto::check_name,
};
use crate::{Quantity, Role};

/// The traits of the plain bundle, to be borrowed.
static PLAIN: Traits = Traits::plain();

/// What an agent has, an offer holds, or a task takes.
///
/// Two `Resources` are equal when they hold the same: the form is canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources {
    plain: Amounts,
    /// Sorted by traits, then (of indivisible ones) by amounts; none empty.
    bundles: Vec<Bundle>,
}

impl Resources {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            plain: Amounts::new(),
            bundles: Vec::new(),
        }
    }

    /// One item with those traits.
    #[must_use]
    pub fn from_item(traits: &Traits, name: &str, value: &Value) -> Self {
        let mut resources = Self::new();
        resources.insert(traits, name, value);
        resources
    }

    /// Adds one item with those traits.
    pub fn insert(&mut self, traits: &Traits, name: &str, value: &Value) {
        if value.is_empty() {
            return;
        }
        if traits.is_plain() {
            self.plain.insert(name, value);
            return;
        }
        let mut amounts = Amounts::new();
        amounts.insert(name, value);
        self.add_bundle(&Bundle {
            traits: Arc::new(traits.clone()),
            amounts,
            count: 1,
        });
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bundles.is_empty() && self.plain.is_empty()
    }

    /// Whether all of `other` is here, with the same traits: unreserved resources do not stand in
    /// for reserved ones.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let has = |want: &Bundle| {
            self.place(want)
                .is_ok_and(|at| self.bundles[at].contains(want))
        };
        self.plain.contains(&other.plain) && other.bundles.iter().all(has)
    }

    /// Whether a number or a named item is in both with the same traits: the sum of the two would
    /// hold it once.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let meets = |bundle: &Bundle| {
            self.place(bundle)
                .is_ok_and(|at| self.bundles[at].overlaps(bundle))
        };
        self.plain.overlaps(&other.plain) || other.bundles.iter().any(meets)
    }

    /// What is left when `other` is taken away.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, Insufficient> {
        let mut left = self.clone();
        left.subtract(other)?;
        Ok(left)
    }

    /// Takes `other` away, or nothing of it if something is missing.
    pub fn subtract(&mut self, other: &Self) -> Result<(), Insufficient> {
        if !self.contains(other) {
            return Err(self.missing(other));
        }
        self.plain.sub(&other.plain);
        for bundle in &other.bundles {
            let Ok(at) = self.place(bundle) else { continue };
            if self.bundles[at].sub(bundle) {
                self.bundles.remove(at);
            }
        }
        Ok(())
    }

    /// The items here whose traits pass.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Traits) -> bool) -> Self {
        let plain = if keep(&PLAIN) {
            self.plain.clone()
        } else {
            Amounts::new()
        };
        let bundles = self.bundles.iter().filter(|bundle| keep(&bundle.traits));
        Self {
            plain,
            bundles: bundles.cloned().collect(),
        }
    }

    /// What is reserved to nobody.
    #[must_use]
    pub fn unreserved(&self) -> Self {
        self.filter(|traits| traits.reservations.is_empty())
    }

    /// What is reserved to anybody.
    #[must_use]
    pub fn reserved(&self) -> Self {
        self.filter(|traits| !traits.reservations.is_empty())
    }

    /// What is reserved to that role itself.
    #[must_use]
    pub fn reserved_to(&self, role: &Role) -> Self {
        self.filter(|traits| traits.reservation_role() == Some(role))
    }

    /// What may be given to that role: unreserved resources, and those reserved to it or to an
    /// ancestor of it (Mesos: ALL-05).
    #[must_use]
    pub fn allocatable_to(&self, role: &Role) -> Self {
        if self.bundles.is_empty() {
            return self.clone();
        }
        self.filter(|traits| traits.is_allocatable_to(role))
    }

    /// The roles that something is reserved to.
    #[must_use]
    pub fn reservation_roles(&self) -> BTreeSet<Role> {
        let roles = self
            .bundles
            .iter()
            .filter_map(|bundle| bundle.traits.reservation_role());
        roles.cloned().collect()
    }

    /// Whether everything is plain: unreserved and without a trait.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.bundles.is_empty()
    }

    /// The same amounts without traits, shared ones counted once.
    #[must_use]
    pub fn to_plain_quantities(&self) -> Self {
        let mut plain = self.plain.clone();
        for bundle in &self.bundles {
            plain.add(&bundle.amounts);
            // Ranges and sets are there once; quantities add up.
            let more = bundle.multiplier() - 1;
            plain.scalars.add(&bundle.amounts.scalars().times(more));
        }
        Self {
            plain,
            bundles: Vec::new(),
        }
    }

    /// The quantity of that kind over all bundles, shared ones counted once.
    #[must_use]
    pub fn scalar(&self, kind: &Kind) -> Quantity {
        let traited = |bundle: &Bundle| {
            bundle
                .amounts
                .scalars()
                .get(kind)
                .times(bundle.multiplier())
        };
        self.plain.scalars().get(kind) + self.bundles.iter().map(traited).sum()
    }

    /// All scalar quantities over all bundles, shared ones counted once.
    #[must_use]
    pub fn scalars(&self) -> Scalars {
        self.scalars_of(|_| true)
    }

    /// The scalar quantities of the bundles whose traits pass, shared ones counted once.
    #[must_use]
    pub fn scalars_of(&self, mut keep: impl FnMut(&Traits) -> bool) -> Scalars {
        let mut sum = match keep(&PLAIN) {
            true => self.plain.scalars().clone(),
            false => Scalars::new(),
        };
        for bundle in self.bundles.iter().filter(|bundle| keep(&bundle.traits)) {
            match bundle.multiplier() {
                1 => sum.add(bundle.amounts.scalars()),
                count => sum.add(&bundle.amounts.scalars().times(count)),
            }
        }
        sum
    }

    /// CPUs.
    #[must_use]
    pub fn cpus(&self) -> Quantity {
        self.scalar(&Kind::Cpus)
    }

    /// Memory in megabytes.
    #[must_use]
    pub fn memory(&self) -> Quantity {
        self.scalar(&Kind::Memory)
    }

    /// Disk in megabytes.
    #[must_use]
    pub fn disk(&self) -> Quantity {
        self.scalar(&Kind::Disk)
    }

    /// Graphics processors.
    #[must_use]
    pub fn gpus(&self) -> Quantity {
        self.scalar(&Kind::Gpus)
    }

    /// Port numbers over all bundles.
    #[must_use]
    pub fn ports(&self) -> Ranges {
        self.ranges(PORTS)
    }

    /// The numbers of that name over all bundles.
    #[must_use]
    pub fn ranges(&self, name: &str) -> Ranges {
        let mut sum = Ranges::new();
        for ranges in self
            .all_amounts()
            .filter_map(|amounts| amounts.ranges(name))
        {
            sum.add(ranges);
        }
        sum
    }

    /// The items of the set of that name over all bundles.
    #[must_use]
    pub fn set(&self, name: &str) -> Set {
        let mut sum = Set::new();
        for set in self.all_amounts().filter_map(|amounts| amounts.set(name)) {
            sum.add(set);
        }
        sum
    }

    /// Every bundle: its traits, its amounts, and how often it is held (more than once only what
    /// is indivisible). The plain one comes first.
    pub fn bundles(&self) -> impl Iterator<Item = (&Traits, &Amounts, u32)> + '_ {
        let plain = (!self.plain.is_empty()).then_some((&PLAIN, &self.plain, 1));
        let traited = self.bundles.iter();
        plain
            .into_iter()
            .chain(traited.map(|bundle| (&*bundle.traits, &bundle.amounts, bundle.count)))
    }

    fn all_amounts(&self) -> impl Iterator<Item = &Amounts> + '_ {
        std::iter::once(&self.plain).chain(self.bundles.iter().map(|bundle| &bundle.amounts))
    }

    fn add_bundle(&mut self, bundle: &Bundle) {
        match self.place(bundle) {
            Err(at) => self.bundles.insert(at, bundle.clone()),
            Ok(at) => self.bundles[at].add(bundle),
        }
    }

    /// Where a bundle like this is, or would be.
    fn place(&self, bundle: &Bundle) -> Result<usize, usize> {
        self.bundles.binary_search_by(|held| held.order(bundle))
    }

    /// Names the first item of `other` that is not here. Only asked when there is one.
    fn missing(&self, other: &Self) -> Insufficient {
        for (traits, amounts, count) in other.bundles() {
            let held = self.filter(|have| have == traits);
            for (name, want) in amounts.iter() {
                let asked = Self::from_item(traits, name, &want);
                if !held.contains(&asked) || count > 1 {
                    let here = match &want {
                        Value::Scalar(_) => held.scalar(&Kind::new(name)).to_string(),
                        Value::Ranges(_) => held.ranges(name).to_string(),
                        Value::Set(_) => held.set(name).to_string(),
                    };
                    return Insufficient::Missing(format!("{name}{traits}: {want} of {here}"));
                }
            }
        }
        Insufficient::Missing(other.to_string())
    }
}

impl From<Scalars> for Resources {
    /// Plain quantities.
    fn from(scalars: Scalars) -> Self {
        Self {
            plain: Amounts::from(scalars),
            bundles: Vec::new(),
        }
    }
}

impl fmt::Display for Resources {
    /// Mesos' text form: `cpus:4;mem:8192;ports:[31000-32000];cpus(role):1`. What has no trait but
    /// a static reservation can be parsed again.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (traits, amounts, count) in self.bundles() {
            for (name, value) in amounts.iter() {
                write!(formatter, "{separator}{name}{traits}:{value}")?;
                if count > 1 {
                    write!(formatter, "<{count}>")?;
                }
                separator = ";";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
