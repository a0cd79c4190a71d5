//! Amounts of a scalar resource: fixed point with three decimals, so that sums are exact.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
    str::FromStr,
};

use crate::limits::MAX_QUANTITY_UNITS;

/// Thousandths in a unit.
const SCALE: i64 = 1000;

/// Why a number is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// The number is infinite or no number at all.
    #[error("a quantity must be a finite number")]
    NotFinite,
    /// The number is beyond [`MAX_QUANTITY_UNITS`].
    #[error("a quantity must be within {MAX_QUANTITY_UNITS}")]
    TooLarge,
    /// The text is no number.
    #[error("'{0}' is not a number")]
    NotANumber(String),
}

/// An amount in thousandths of a unit: `1.5` CPUs, `512` megabytes (Mesos: ALL-12).
///
/// Sums and differences saturate instead of panicking; what arrives from outside is bounded so
/// that they never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);
    /// The smallest amount above nothing: a thousandth.
    pub const SMALLEST: Self = Self(1);

    /// Whole units.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units.saturating_mul(SCALE))
    }

    /// Thousandths of a unit.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Thousandths of a unit.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Rounds to the nearest thousandth, half away from zero (Mesos: ALL-12).
    pub fn from_f64(value: f64) -> Result<Self, InvalidQuantity> {
        if !value.is_finite() {
            return Err(InvalidQuantity::NotFinite);
        }
        if value.abs() > MAX_QUANTITY_UNITS as f64 {
            return Err(InvalidQuantity::TooLarge);
        }
        Ok(Self((value * SCALE as f64).round() as i64))
    }

    /// The nearest double. Exact decimals come back from it with [`Quantity::from_f64`].
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether this is more than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether this is a whole number of units (Mesos: SPC-05).
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.0 % SCALE == 0
    }

    /// The units, without the fraction.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0 / SCALE
    }

    /// The sum, unless it overflows.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless `other` is more than this.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        if other.0 > self.0 {
            None
        } else {
            Some(Self(self.0.saturating_sub(other.0)))
        }
    }

    /// The difference, or nothing if `other` is more than this.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        if other.0 > self.0 {
            Self::ZERO
        } else {
            Self(self.0.saturating_sub(other.0))
        }
    }

    /// This amount `count` times.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count as i64))
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;

    /// May be negative; see [`Quantity::checked_sub`] and [`Quantity::saturating_sub`].
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (units, millis) = (magnitude / SCALE as u64, magnitude % SCALE as u64);
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = match millis {
            0 => format!("{sign}{units}"),
            _ => format!("{sign}{units}.{millis:03}")
                .trim_end_matches('0')
                .to_owned(),
        };
        formatter.pad(&text)
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let value = text.trim().parse::<f64>();
        Self::from_f64(value.map_err(|_| InvalidQuantity::NotANumber(text.to_owned()))?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_double_is_rounded_to_three_decimals_half_away_from_zero() {
        let millis = |value| Quantity::from_f64(value).unwrap().millis();
        assert_eq!(millis(1.5123), 1512);
        assert_eq!(millis(0.0005), 1);
        assert_eq!(millis(0.0004), 0);
        assert_eq!(millis(-0.0005), -1);
        assert_eq!(millis(2.0), 2000);
    }

    #[test]
    fn what_is_not_finite_or_too_large_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Quantity::from_f64(value), Err(InvalidQuantity::NotFinite));
        }
        let most = MAX_QUANTITY_UNITS as f64;
        assert_eq!(
            Quantity::from_f64(most),
            Ok(Quantity::from_units(MAX_QUANTITY_UNITS))
        );
        assert_eq!(
            Quantity::from_f64(most + 1.0),
            Err(InvalidQuantity::TooLarge)
        );
        assert_eq!(
            Quantity::from_f64(-most - 1.0),
            Err(InvalidQuantity::TooLarge)
        );
    }

    #[test]
    fn it_prints_without_trailing_zeros() {
        let print = |millis| Quantity::from_millis(millis).to_string();
        assert_eq!(print(1500), "1.5");
        assert_eq!(print(4000), "4");
        assert_eq!(print(1), "0.001");
        assert_eq!(print(-250), "-0.25");
        assert_eq!(print(i64::MIN), "-9223372036854775.808");
    }

    #[test]
    fn arithmetic_never_panics() {
        let (most, least) = (Quantity::MAX, Quantity::from_millis(i64::MIN));
        assert_eq!(most + most, most);
        assert_eq!(least - most, least);
        assert_eq!(-least, most);
        assert_eq!(most.times(u32::MAX), most);
        assert_eq!(Quantity::ZERO.checked_sub(Quantity::SMALLEST), None);
        assert_eq!(
            Quantity::ZERO.saturating_sub(Quantity::SMALLEST),
            Quantity::ZERO
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn doubles_and_text_keep_every_thousandth(millis in -10_000_000_000_000_i64..=10_000_000_000_000) {
            let quantity = Quantity::from_millis(millis);
            prop_assert_eq!(Quantity::from_f64(quantity.as_f64()).unwrap(), quantity);
            prop_assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
        }
    }
}
