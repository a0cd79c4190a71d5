//! The latest values of what is measured again and again, and what is told of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::limits;

/// The parts of hundred that Mesos tells.
const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
    ("p9999", 0.9999),
];

/// The latest values; clones share them.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<VecDeque<f64>>>);

impl History {
    /// Adds one. When there are many, the oldest goes.
    pub fn add(&self, value: f64) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= limits::HISTORY {
            values.pop_front();
        }
        values.push_back(value);
    }

    /// The newest under the name itself; how many there are, the least, the most and percentiles
    /// under names below it. Nothing before there is a value.
    #[must_use]
    pub fn metrics(&self, name: &str) -> Vec<(String, f64)> {
        let values = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(newest) = values.back().copied() else {
            return Vec::new();
        };
        let mut sorted = Vec::from(values);
        sorted.sort_by(f64::total_cmp);
        let below = |part: &str, value| (format!("{name}/{part}"), value);
        let mut metrics = vec![
            (name.to_owned(), newest),
            below("count", sorted.len() as f64),
            below("min", at(&sorted, 0.0)),
            below("max", at(&sorted, 1.0)),
        ];
        let told = PERCENTILES.into_iter();
        metrics.extend(told.map(|(part, fraction)| below(part, at(&sorted, fraction))));
        metrics
    }
}

/// The value below which that fraction lies; between two of them in proportion, as Mesos has it.
fn at(sorted: &[f64], fraction: f64) -> f64 {
    let place = fraction * sorted.len().saturating_sub(1) as f64;
    let value = |index: f64| sorted.get(index as usize).copied().unwrap_or_default();
    let (low, high) = (value(place.floor()), value(place.ceil()));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_the_extremes_and_percentiles_are_told() {
        let history = History::default();
        assert!(history.metrics("x").is_empty());
        for value in [4.0, 1.0, 2.0, 3.0, 5.0] {
            history.add(value);
        }
        let metrics = history.metrics("x");
        let told = |name: &str| metrics.iter().find(|it| it.0 == name).unwrap().1;
        assert_eq!((told("x"), told("x/min"), told("x/max")), (5.0, 1.0, 5.0));
        assert_eq!(told("x/p50"), 3.0);
        assert!((told("x/p90") - 4.6).abs() < 1e-9);
    }

    #[test]
    fn the_oldest_value_makes_room() {
        let history = History::default();
        for value in 0..=limits::HISTORY {
            history.add(value as f64);
        }
        let metrics = history.metrics("x");
        assert!(metrics.contains(&("x/min".to_owned(), 1.0)));
    }
}
