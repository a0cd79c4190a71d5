//! The shares that weighted dominant resource fairness would give if everything could be divided
//! at will: progressive filling (Ghodsi et al. 2011, section 4.1).

/// What one role wants, as parts of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    /// Its weight.
    pub(super) weight: f64,
    /// Of each resource, everything that its tasks take and would take.
    pub(super) parts: Vec<f64>,
}

/// The dominant share of each role when all grow together, each by its weight, until it has what it
/// wants or something that it needs is used up.
pub(super) fn shares(wishes: &[Wish], kinds: usize) -> Vec<f64> {
    let fillers: Vec<Filler> = wishes.iter().map(Filler::new).collect();
    let mut filling = Filling::new(&fillers, kinds);
    let mut order: Vec<usize> = (0..fillers.len()).collect();
    order.sort_by(|left, right| fillers[*left].full.total_cmp(&fillers[*right].full));
    for at in order {
        // Before this one has what it wants, resources may run out for it and for others.
        while filling.is_growing[at] && filling.fill_until(fillers[at].full, &fillers) {}
        filling.stop(at, &fillers);
    }
    filling
        .levels
        .iter()
        .zip(wishes)
        .map(|(level, wish)| level * wish.weight)
        .collect()
}

/// A role as it grows: at level 1 its dominant share is its weight.
struct Filler {
    /// What it takes of each resource per level.
    rates: Vec<f64>,
    /// The level at which it has what it wants.
    full: f64,
}

impl Filler {
    fn new(wish: &Wish) -> Self {
        let dominant = wish.parts.iter().copied().fold(0.0, f64::max);
        let rate = |part: &f64| {
            if dominant > 0.0 {
                part / dominant * wish.weight
            } else {
                0.0
            }
        };
        Self {
            rates: wish.parts.iter().map(rate).collect(),
            full: dominant / wish.weight,
        }
    }
}

struct Filling {
    level: f64,
    levels: Vec<f64>,
    is_growing: Vec<bool>,
    /// What all that grow take of each resource per level.
    rates: Vec<f64>,
    free: Vec<f64>,
}

impl Filling {
    fn new(fillers: &[Filler], kinds: usize) -> Self {
        let rate = |kind: usize| fillers.iter().map(|filler| filler.rates[kind]).sum();
        Self {
            level: 0.0,
            levels: vec![0.0; fillers.len()],
            is_growing: vec![true; fillers.len()],
            rates: (0..kinds).map(rate).collect(),
            free: vec![1.0; kinds],
        }
    }

    /// Grows to that level, or until something runs out; whether something did.
    fn fill_until(&mut self, target: f64, fillers: &[Filler]) -> bool {
        let room = |(rate, free): (&f64, &f64)| {
            if *rate > 1e-12 {
                free.max(0.0) / rate
            } else {
                f64::INFINITY
            }
        };
        let rooms: Vec<f64> = self.rates.iter().zip(&self.free).map(room).collect();
        let step = rooms.iter().copied().fold(f64::INFINITY, f64::min);
        let runs_out = self.level + step < target;
        let step = step.min((target - self.level).max(0.0));
        self.level += step;
        for (free, rate) in self.free.iter_mut().zip(&self.rates) {
            *free -= rate * step;
        }
        if runs_out {
            let short = |kind: &usize| rooms[*kind] <= step;
            for kind in (0..rooms.len()).filter(short) {
                for at in 0..fillers.len() {
                    if fillers[at].rates[kind] > 0.0 {
                        self.stop(at, fillers);
                    }
                }
                self.rates[kind] = 0.0;
            }
        }
        runs_out
    }

    /// A role has all it wants, or cannot get more.
    fn stop(&mut self, at: usize, fillers: &[Filler]) {
        if !core::mem::take(&mut self.is_growing[at]) {
            return;
        }
        self.levels[at] = self.level;
        for (sum, rate) in self.rates.iter_mut().zip(&fillers[at].rates) {
            *sum -= rate;
        }
    }
}

/// Jain's index of fairness (Jain, Chiu and Hawe 1984): 1 if all are equal, 1/n if one has all.
pub(super) fn jain(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let count = values.clone().count() as f64;
    let sum: f64 = values.clone().sum();
    let squares: f64 = values.map(|value| value * value).sum();
    (squares > 0.0).then(|| sum * sum / (count * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(weight: f64, parts: &[f64]) -> Wish {
        Wish {
            weight,
            parts: parts.to_vec(),
        }
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-9;
        assert!(
            found.iter().zip(expected).all(near),
            "{found:?} is not {expected:?}"
        );
    }

    #[test]
    fn the_textbook_case_gives_both_two_thirds() {
        // 9 CPUs and 18 GB; tasks of 1 CPU and 4 GB, and of 3 CPUs and 1 GB.
        let wishes = [
            wish(1.0, &[100.0 / 9.0, 400.0 / 18.0]),
            wish(1.0, &[300.0 / 9.0, 100.0 / 18.0]),
        ];
        assert_near(&shares(&wishes, 2), &[2.0 / 3.0, 2.0 / 3.0]);
    }

    #[test]
    fn who_wants_little_gets_it_and_the_others_share_the_rest_by_weight() {
        let wishes = [wish(1.0, &[0.1]), wish(1.0, &[9.0]), wish(2.0, &[9.0])];
        assert_near(&shares(&wishes, 1), &[0.1, 0.3, 0.6]);
    }

    #[test]
    fn who_does_not_need_what_ran_out_grows_on() {
        let wishes = [
            wish(1.0, &[9.0, 0.0]),
            wish(1.0, &[9.0, 0.0]),
            wish(1.0, &[0.0, 0.8]),
        ];
        assert_near(&shares(&wishes, 2), &[0.5, 0.5, 0.8]);
    }

    #[test]
    fn who_wants_nothing_gets_nothing() {
        assert_near(
            &shares(&[wish(1.0, &[0.0]), wish(3.0, &[2.0])], 1),
            &[0.0, 1.0],
        );
    }

    #[test]
    fn jains_index_is_one_among_equals() {
        assert_eq!(jain([0.5, 0.5].into_iter()), Some(1.0));
        assert_eq!(jain([1.0, 0.0].into_iter()), Some(0.5));
        assert_eq!(jain([0.0].into_iter()), None);
    }
}
