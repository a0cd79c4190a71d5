//! Resources that have the same traits.

use std::{cmp::Ordering, sync::Arc};

use super::{Amounts, Traits};

/// Resources that have the same traits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bundle {
    pub(super) traits: Arc<Traits>,
    /// Of an indivisible bundle: the one item, which is part of its identity.
    pub(super) amounts: Amounts,
    /// How often an indivisible bundle is held; 1 otherwise. A shared volume can be held by
    /// several tasks at once.
    pub(super) count: u32,
}

impl Bundle {
    /// How often the amounts count towards sums: a shared resource is there only once.
    pub(super) fn multiplier(&self) -> u32 {
        if self.traits.shared { 1 } else { self.count }
    }

    /// Where a bundle stands among others. Those that are the same in this order are merged.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let order = self.traits.cmp(&other.traits);
        if order.is_eq() && self.traits.is_indivisible() {
            self.amounts.cmp(&other.amounts)
        } else {
            order
        }
    }

    /// Whether all of the other, which is the same in the order, is here.
    pub(super) fn contains(&self, other: &Self) -> bool {
        if self.traits.is_indivisible() {
            other.count <= self.count
        } else {
            self.amounts.contains(&other.amounts)
        }
    }

    /// Whether a number or a named item is in both; indivisible ones are counted instead.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        !self.traits.is_indivisible() && self.amounts.overlaps(&other.amounts)
    }

    /// Adds the other, which is the same in the order.
    pub(super) fn add(&mut self, other: &Self) {
        if self.traits.is_indivisible() {
            self.count = self.count.saturating_add(other.count);
        } else {
            self.amounts.add(&other.amounts);
        }
    }

    /// Takes the other away, which is contained; whether nothing is left.
    pub(super) fn sub(&mut self, other: &Self) -> bool {
        if self.traits.is_indivisible() {
            self.count = self.count.saturating_sub(other.count);
        } else {
            self.amounts.sub(&other.amounts);
        }
        self.count == 0 || self.amounts.is_empty()
    }
}
