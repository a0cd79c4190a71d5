//! Who is served first: competitors in the order of their weighted dominant share.

use std::{cmp::Ordering, collections::BTreeSet};

use tepui_model::Share;

/// Where a competitor stands.
///
/// The smallest share comes first; of equal ones the one served less often, then the older one
/// (Mesos: ALL-03, `DRFSorter`; Mesos takes the name where the age stands here).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    share: Share,
    /// The share as a double. It decides unless two are close, where only the exact fractions do.
    estimate: f64,
    served: u64,
    age: u32,
    /// Whose standing this is. Determined by the age, hence no part of the order.
    pub(crate) slot: u32,
}

/// Two estimates that differ by more than this part of themselves are of different shares: each
/// is off by three roundings of a double at most.
const CLOSE: f64 = 1e-14;

impl Standing {
    pub(crate) fn new(share: Share, served: u64, age: u32, slot: u32) -> Self {
        Self {
            share,
            estimate: share.as_f64(),
            served,
            age,
            slot,
        }
    }

    fn compare_shares(&self, other: &Self) -> Ordering {
        let (left, right) = (self.estimate, other.estimate);
        if (left - right).abs() > CLOSE * (left + right) {
            return left.total_cmp(&right);
        }
        if left == 0.0 && right == 0.0 {
            return Ordering::Equal;
        }
        self.share.cmp(&other.share)
    }
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare_shares(other)
            .then_with(|| self.served.cmp(&other.served))
            .then_with(|| self.age.cmp(&other.age))
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Standing {}

/// Competitors in order, kept so under every change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranking {
    order: BTreeSet<Standing>,
}

impl Ranking {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Standing> + '_ {
        self.order.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Moves a competitor from where it stood, if anywhere, to where it stands now, if anywhere.
    pub(crate) fn shift(&mut self, from: Option<Standing>, to: Option<Standing>) {
        if let Some(from) = from {
            self.order.remove(&from);
        }
        self.order.extend(to);
    }

    /// Puts all competitors in order at once.
    pub(crate) fn rebuild(&mut self, standings: impl IntoIterator<Item = Standing>) {
        self.order = standings.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tepui_model::Quantity;

    use super::*;

    fn share(part: i64, whole: i64) -> Share {
        Share::new(Quantity::from_millis(part), Quantity::from_millis(whole))
    }

    #[test]
    fn the_smallest_share_comes_first_then_the_least_served_then_the_oldest() {
        let mut ranking = Ranking::default();
        let third = Standing::new(share(3, 9), 0, 1, 30);
        for standing in [
            Standing::new(share(1, 2), 0, 0, 50),
            third,
            Standing::new(share(1, 3), 1, 0, 40),
            Standing::new(share(2, 6), 0, 0, 20),
            Standing::new(Share::ZERO, 9, 9, 10),
        ] {
            ranking.shift(None, Some(standing));
        }
        let slots = |ranking: &Ranking| ranking.iter().map(|at| at.slot).collect::<Vec<_>>();
        assert_eq!(slots(&ranking), [10, 20, 30, 40, 50]);
        ranking.shift(Some(third), Some(Standing::new(share(2, 3), 0, 1, 30)));
        assert_eq!(slots(&ranking), [10, 20, 40, 50, 30]);
        ranking.shift(Some(Standing::new(share(1, 2), 0, 0, 50)), None);
        assert_eq!(slots(&ranking), [10, 20, 40, 30]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn estimates_never_change_the_exact_order(
            part in 0..1_i64 << 50, whole in 1..1_i64 << 50, nudge in -3..=3_i64, factor in 1..8_i64,
        ) {
            // Fractions that are equal, or as close as fractions of such numbers can be.
            let left = share(part, whole);
            let right = share((part * factor + nudge).max(0), whole * factor);
            let standing = |share| Standing::new(share, 0, 0, 0);
            prop_assert_eq!(standing(left).cmp(&standing(right)), left.cmp(&right));
        }
    }
}
