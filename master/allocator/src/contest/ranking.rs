//! Who is served first: competitors in the order of their weighted dominant share.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, btree_set},
};

use tepui_model::{Kind, Quantity, Scalars};

/// What shares are measured by: all that the cluster has of each scalar.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Yardstick {
    wholes: Vec<(Kind, f64)>,
}

impl Yardstick {
    pub(crate) fn new(total: &Scalars) -> Self {
        let positive = total.iter().filter(|(_, whole)| whole.is_positive());
        Self {
            wholes: positive
                .map(|(kind, whole)| (kind, whole.millis() as f64))
                .collect(),
        }
    }

    /// The same in the smallest whole numbers that stand to each other as the totals do: by it,
    /// shares are not parts of one, but their order is that of the parts, and it is the same
    /// yardstick for all clusters of that proportion.
    pub(crate) fn in_proportion(total: &Scalars) -> Self {
        let wholes = total.iter().map(|(kind, whole)| (kind, whole.millis()));
        let wholes: Vec<(Kind, i64)> = wholes.filter(|(_, whole)| *whole > 0).collect();
        let divisor = wholes.iter().fold(0, |sum, (_, whole)| common(sum, *whole));
        let reduced = wholes
            .into_iter()
            .map(|(kind, whole)| (kind, (whole / divisor) as f64));
        Self {
            wholes: reduced.collect(),
        }
    }

    /// The largest part that `held` is of any whole, divided by a weight (Mesos: ALL-03).
    ///
    /// It is one division of whole numbers: equal shares come out equal, and a smaller one never
    /// comes out larger, as long as the cluster has less than 2^53 thousandths of anything (times
    /// the thousandths of the weight, if it is not 1). Beyond that only ties suffer.
    pub(crate) fn dominant_share(&self, held: &Scalars, weight: Quantity) -> f64 {
        let (numerator, denominator) = match weight.millis() {
            1000 => (1.0, 1.0),
            millis => (1000.0, millis as f64),
        };
        let share = |(kind, whole): &(Kind, f64)| {
            held.get(kind).millis() as f64 * numerator / (whole * denominator)
        };
        self.wholes.iter().map(share).fold(0.0, f64::max)
    }
}

/// The greatest common divisor; of zero and another, that other.
const fn common(mut left: i64, mut right: i64) -> i64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

/// Where a competitor stands.
///
/// The highest priority comes first, then the smallest share; of equal ones the one served less
/// often, then the older one (Mesos: ALL-03, `DRFSorter`; Mesos takes the name where the age stands
/// here, and knows no priority).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) priority: i32,
    /// The weighted dominant share; where turns are drawn, the turn.
    pub(crate) share: f64,
    pub(crate) served: u64,
    pub(crate) age: u32,
    /// Whose standing this is. Determined by the age, hence no part of the order.
    pub(crate) slot: u32,
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = other.priority.cmp(&self.priority);
        let order = order.then_with(|| self.share.total_cmp(&other.share));
        order.then_with(|| (self.served, self.age).cmp(&(other.served, other.age)))
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
    pub(crate) fn iter(&self) -> btree_set::Iter<'_, Standing> {
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
        if let Some(to) = to {
            self.order.insert(to);
        }
    }

    /// Puts all competitors in order at once.
    pub(crate) fn rebuild(&mut self, standings: impl IntoIterator<Item = Standing>) {
        self.order = standings.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tepui_model::Share;

    use super::*;

    fn scalars(cpus: i64, memory: i64) -> Scalars {
        let quantities = [(Kind::Cpus, cpus), (Kind::Memory, memory)];
        quantities
            .map(|(kind, millis)| (kind, Quantity::from_millis(millis)))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_higher_priority_comes_before_a_smaller_share() {
        let standing = |priority, share| Standing {
            priority,
            share,
            served: 0,
            age: 0,
            slot: 0,
        };
        assert!(standing(1, 0.9) < standing(0, 0.1));
        assert!(standing(-1, 0.0) > standing(0, 0.1));
    }

    #[test]
    fn the_smallest_share_comes_first_then_the_least_served_then_the_oldest() {
        let standing = |share, served, age, slot| Standing {
            priority: 0,
            share,
            served,
            age,
            slot,
        };
        let mut ranking = Ranking::default();
        let third = standing(1.0 / 3.0, 0, 1, 30);
        ranking.shift(None, Some(standing(0.5, 0, 0, 50)));
        ranking.shift(None, Some(third));
        ranking.shift(None, Some(standing(1.0 / 3.0, 1, 0, 40)));
        ranking.shift(None, Some(standing(1.0 / 3.0, 0, 0, 20)));
        ranking.shift(None, Some(standing(0.0, 9, 9, 10)));
        let slots = |ranking: &Ranking| ranking.iter().map(|at| at.slot).collect::<Vec<_>>();
        assert_eq!(slots(&ranking), [10, 20, 30, 40, 50]);
        ranking.shift(Some(third), Some(standing(0.6, 0, 1, 30)));
        assert_eq!(slots(&ranking), [10, 20, 40, 50, 30]);
        ranking.shift(Some(standing(0.5, 0, 0, 50)), None);
        assert_eq!(slots(&ranking), [10, 20, 40, 30]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn equal_shares_are_equal_and_the_order_is_never_turned_over(
            held in prop::array::uniform4(0..1_i64 << 30),
            total in prop::array::uniform2(1..1_i64 << 35),
            weights in prop::array::uniform2(1..20_000_i64),
            multiple in 1..10_i64,
        ) {
            let total = scalars(total[0], total[1]);
            let many = scalars(total.get(&Kind::Cpus).millis() * 7, total.get(&Kind::Memory).millis() * 7);
            prop_assert_eq!(Yardstick::in_proportion(&total), Yardstick::in_proportion(&many));
            let share = |held: &Scalars, weight: i64| {
                let weight = Quantity::from_millis(weight);
                let exact = held.dominant_share(&total).per_weight(weight);
                (Yardstick::in_proportion(&total).dominant_share(held, weight), exact)
            };
            let (left, exact_left) = share(&scalars(held[0], held[1]), weights[0]);
            let (right, exact_right) = share(&scalars(held[2], held[3]), weights[1]);
            let never_turned: bool = match exact_left.cmp(&exact_right) {
                Ordering::Less => left <= right,
                Ordering::Equal => left == right,
                Ordering::Greater => left >= right,
            };
            prop_assert!(never_turned, "{exact_left:?} {exact_right:?}: {left} {right}");
            // As much more of everything as the weight is more.
            let more = scalars(held[0] * multiple, held[1] * multiple);
            prop_assert_eq!(share(&more, weights[0] * multiple).0, left);
            prop_assert_eq!(share(&more, weights[0] * multiple).1, Share::clone(&exact_left));
        }
    }
}
