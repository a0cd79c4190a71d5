//! Sums of resources as operators.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
};

use super::Resources;

impl AddAssign<&Self> for Resources {
    fn add_assign(&mut self, other: &Self) {
        self.plain.add(&other.plain);
        for bundle in &other.bundles {
            self.add_bundle(bundle);
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

impl Add<&Self> for Resources {
    type Output = Self;

    fn add(mut self, other: &Self) -> Self {
        self += other;
        self
    }
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self + &other
    }
}

impl Add for &Resources {
    type Output = Resources;

    fn add(self, other: Self) -> Resources {
        self.clone() + other
    }
}

impl Sum for Resources {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::new(), Add::add)
    }
}

impl<'a> Sum<&'a Self> for Resources {
    fn sum<I: Iterator<Item = &'a Self>>(items: I) -> Self {
        items.fold(Self::new(), Add::add)
    }
}
