//! Vectors of scalar quantities, and the shares that fairness compares.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::Kind;
use crate::Quantity;

/// One quantity per scalar resource: the four well-known ones in place, others by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalars {
    known: [Quantity; 4],
    /// Sorted by name, without zeros.
    others: Vec<(Arc<str>, Quantity)>,
}

impl Scalars {
    /// Nothing of anything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            known: [Quantity::ZERO; 4],
            others: Vec::new(),
        }
    }

    /// The quantity of that kind.
    #[must_use]
    pub fn get(&self, kind: &Kind) -> Quantity {
        match kind {
            Kind::Cpus => self.known[0],
            Kind::Memory => self.known[1],
            Kind::Disk => self.known[2],
            Kind::Gpus => self.known[3],
            Kind::Other(name) => self
                .place(name)
                .map_or(Quantity::ZERO, |at| self.others[at].1),
        }
    }

    /// Sets the quantity of that kind.
    pub fn set(&mut self, kind: &Kind, quantity: Quantity) {
        let Kind::Other(name) = kind else {
            if let Some(index) = kind.index() {
                self.known[index] = quantity;
            }
            return;
        };
        match (self.place(name), quantity.is_zero()) {
            (Ok(at), false) => self.others[at].1 = quantity,
            (Ok(at), true) => drop(self.others.remove(at)),
            (Err(at), false) => self.others.insert(at, (name.clone(), quantity)),
            (Err(_), true) => {}
        }
    }

    /// Adds to the quantity of that kind.
    pub fn increase(&mut self, kind: &Kind, quantity: Quantity) {
        self.set(kind, self.get(kind) + quantity);
    }

    /// The quantities that are not zero: the well-known kinds first, others by name.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, Quantity)> + '_ {
        let known = Kind::WELL_KNOWN.into_iter().zip(self.known);
        let others = self
            .others
            .iter()
            .map(|(name, quantity)| (Kind::Other(name.clone()), *quantity));
        known
            .chain(others)
            .filter(|(_, quantity)| !quantity.is_zero())
    }

    /// The quantities that are not zero, with Mesos' names, in the same order.
    pub fn named(&self) -> impl Iterator<Item = (&str, Quantity)> + '_ {
        let known = Kind::KNOWN_NAMES.into_iter().zip(self.known);
        let others = self
            .others
            .iter()
            .map(|(name, quantity)| (&**name, *quantity));
        known
            .chain(others)
            .filter(|(_, quantity)| !quantity.is_zero())
    }

    /// Whether every quantity is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known == [Quantity::ZERO; 4] && self.others.is_empty()
    }

    /// Whether no quantity of `other` is more than the one here.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let known = self
            .known
            .iter()
            .zip(&other.known)
            .all(|(have, want)| want <= have);
        let named = |(name, want): &(Arc<str>, Quantity)| {
            *want
                <= self
                    .place(name)
                    .map_or(Quantity::ZERO, |at| self.others[at].1)
        };
        known && other.others.iter().all(named)
    }

    /// Adds every quantity of `other`.
    pub fn add(&mut self, other: &Self) {
        for (left, right) in self.known.iter_mut().zip(other.known) {
            *left += right;
        }
        for (name, quantity) in &other.others {
            self.increase(&Kind::Other(name.clone()), *quantity);
        }
    }

    /// Takes every quantity of `other` away; quantities may become negative unless
    /// [`Scalars::contains`] held.
    pub fn sub(&mut self, other: &Self) {
        for (left, right) in self.known.iter_mut().zip(other.known) {
            *left -= right;
        }
        for (name, quantity) in &other.others {
            self.increase(&Kind::Other(name.clone()), -*quantity);
        }
    }

    /// The difference, or nothing where `other` has more.
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        let mut left = self.clone();
        for (have, want) in left.known.iter_mut().zip(other.known) {
            *have = have.saturating_sub(want);
        }
        for (name, want) in &other.others {
            let kind = Kind::Other(name.clone());
            left.set(&kind, self.get(&kind).saturating_sub(*want));
        }
        left
    }

    /// Every quantity `count` times.
    #[must_use]
    pub fn times(&self, count: u32) -> Self {
        let others = self
            .others
            .iter()
            .map(|(name, each)| (name.clone(), each.times(count)));
        Self {
            known: self.known.map(|each| each.times(count)),
            others: others.filter(|(_, each)| !each.is_zero()).collect(),
        }
    }

    /// The largest part that this has of any quantity of `total` (Mesos: ALL-03).
    #[must_use]
    pub fn dominant_share(&self, total: &Self) -> Share {
        let known = self.known.iter().zip(&total.known);
        let mut largest = Share::ZERO;
        for (part, whole) in known {
            largest = largest.max(Share::new(*part, *whole));
        }
        for (name, part) in &self.others {
            let whole = total
                .place(name)
                .map_or(Quantity::ZERO, |at| total.others[at].1);
            largest = largest.max(Share::new(*part, whole));
        }
        largest
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.others.binary_search_by(|(have, _)| (**have).cmp(name))
    }
}

impl FromIterator<(Kind, Quantity)> for Scalars {
    /// Quantities of the same kind are added up.
    fn from_iter<I: IntoIterator<Item = (Kind, Quantity)>>(quantities: I) -> Self {
        let mut scalars = Self::new();
        for (kind, quantity) in quantities {
            scalars.increase(&kind, quantity);
        }
        scalars
    }
}

impl fmt::Display for Scalars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, quantity)) in self.named().enumerate() {
            let semicolon = if index == 0 { "" } else { ";" };
            write!(formatter, "{semicolon}{name}:{quantity}")?;
        }
        Ok(())
    }
}

/// A part of a whole, divided by a weight: compared exactly, so that ties are ties everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    part: u128,
    /// Never zero.
    whole: u128,
}

impl Share {
    /// Nothing of anything.
    pub const ZERO: Self = Self { part: 0, whole: 1 };

    /// That part of that whole; zero if there is no whole.
    #[must_use]
    pub fn new(part: Quantity, whole: Quantity) -> Self {
        let positive = |quantity: Quantity| u128::try_from(quantity.millis()).unwrap_or(0);
        match positive(whole) {
            0 => Self::ZERO,
            whole => Self {
                part: positive(part),
                whole,
            },
        }
    }

    /// This share divided by a weight; unchanged if the weight is not positive.
    #[must_use]
    pub fn per_weight(self, weight: Quantity) -> Self {
        match u128::try_from(weight.millis()) {
            Ok(weight) if weight > 0 => Self {
                part: self.part.saturating_mul(1000),
                whole: self.whole.saturating_mul(weight),
            },
            _ => self,
        }
    }

    /// The share as a number for people.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.part as f64 / self.whole as f64
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        match (
            self.part.checked_mul(other.whole),
            other.part.checked_mul(self.whole),
        ) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => compare_fractions((self.part, self.whole), (other.part, other.whole)),
        }
    }
}

/// Compares two fractions by their whole parts, then by the turned-over rests: no product is
/// needed, so nothing can overflow.
fn compare_fractions(left: (u128, u128), right: (u128, u128)) -> Ordering {
    let ((mut a, mut b), (mut c, mut d)) = (left, right);
    loop {
        let order = (a / b).cmp(&(c / d));
        let (left, right) = (a % b, c % d);
        if order.is_ne() || left == 0 || right == 0 {
            // With equal whole parts, the one without a rest is the smaller.
            return order.then(left.min(1).cmp(&right.min(1)));
        }
        // left/b < right/d exactly when d/right < b/left.
        (a, b, c, d) = (d, right, b, left);
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Share {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalars(text: &str) -> Scalars {
        let resources = crate::Resources::parse(text, &crate::Role::default()).unwrap();
        resources.scalars()
    }

    #[test]
    fn the_dominant_share_is_the_largest_part() {
        let total = scalars("cpus:10;mem:1000;bandwidth:4");
        let share = |text| scalars(text).dominant_share(&total);
        assert_eq!(
            share("cpus:5;mem:100"),
            Share::new(Quantity::from_units(1), Quantity::from_units(2))
        );
        assert_eq!(share("cpus:1;bandwidth:3").as_f64(), 0.75);
        assert_eq!(share("gpus:3"), Share::ZERO, "nobody has what is not there");
        assert!(share("cpus:5") > share("mem:499"));
    }

    #[test]
    fn a_weight_divides_the_share() {
        let half = Share::new(Quantity::from_units(1), Quantity::from_units(2));
        let quarter = Share::new(Quantity::from_units(1), Quantity::from_units(4));
        assert_eq!(half.per_weight(Quantity::from_units(2)), quarter);
        assert_eq!(half.per_weight(Quantity::from_millis(500)).as_f64(), 1.0);
        assert_eq!(half.per_weight(Quantity::ZERO), half);
    }

    #[test]
    fn what_is_taken_away_leaves_no_zeros_behind() {
        let mut left = scalars("cpus:4;bandwidth:2");
        left.sub(&scalars("bandwidth:2"));
        assert_eq!(left, scalars("cpus:4"));
        assert_eq!(
            scalars("cpus:4").saturating_sub(&scalars("cpus:9;mem:1")),
            Scalars::new()
        );
        assert_eq!(scalars("cpus:4;x:1").times(3), scalars("cpus:12;x:3"));
        assert_eq!(scalars("x:1;cpus:4").to_string(), "cpus:4;x:1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn fractions_compare_as_their_products_do(a in any::<u64>(), b in 1_u64.., c in any::<u64>(), d in 1_u64..) {
            let [a, b, c, d] = [a, b, c, d].map(u128::from);
            prop_assert_eq!(compare_fractions((a, b), (c, d)), (a * d).cmp(&(c * b)));
        }

        #[test]
        fn close_fractions_compare_as_their_products_do(a in 0_u128..50, b in 1_u128..50, c in 0_u128..50, d in 1_u128..50) {
            prop_assert_eq!(compare_fractions((a, b), (c, d)), (a * d).cmp(&(c * b)));
        }
    }
}
