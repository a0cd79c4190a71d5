//! Pauses between attempts: growing, capped, and different for each agent (Mesos: AGT-01).

use std::time::Duration;

use rand::Rng;

use crate::limits;

/// Pauses between attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    factor: Duration,
    attempts: u32,
}

impl Backoff {
    /// Pauses that start between nothing and `factor`.
    pub(crate) const fn new(factor: Duration) -> Self {
        Self {
            factor,
            attempts: 0,
        }
    }

    /// The next pause, at random below a bound that doubles with each round over so many masters.
    pub(crate) fn next(&mut self, masters: usize) -> Duration {
        let bound = self.bound(masters);
        self.attempts = self.attempts.saturating_add(1);
        rand::rng().random_range(bound / 10..=bound)
    }

    fn bound(&self, masters: usize) -> Duration {
        let rounds = self.attempts / u32::try_from(masters.max(1)).unwrap_or(u32::MAX);
        self.factor
            .saturating_mul(1 << rounds.min(16))
            .min(limits::BACKOFF_MAX)
    }

    /// Notes that an attempt went well.
    pub(crate) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_start_anew_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let bounds: Vec<u64> = (0..8)
            .map(|_| {
                let bound = backoff.bound(1);
                let pause = backoff.next(1);
                assert!(pause <= bound && pause >= bound / 10);
                bound.as_secs()
            })
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.bound(1).as_secs(), 1);
    }

    #[test]
    fn every_master_is_tried_before_the_pauses_grow() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(backoff.bound(3).as_secs(), 1);
            backoff.next(3);
        }
        assert_eq!(backoff.bound(3).as_secs(), 2);
    }
}
