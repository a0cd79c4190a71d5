//! How fast failed instances are replaced: pauses that grow while failures follow each other.

use std::time::Duration;

use tepui_sdk::model::Time;

use crate::spec::Backoff;

/// The pause of one app, shared by its instances, as Marathon has it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    delay: Duration,
    until: Time,
}

impl Pace {
    /// When the next launch is allowed.
    pub(crate) fn until(&self) -> Time {
        self.until
    }

    /// An instance failed at `now`. The pause starts small again when the last one ended longer ago
    /// than the longest pause lasts.
    pub(crate) fn failed(&mut self, now: Time, backoff: &Backoff) {
        let quiet = self.delay.is_zero() || now > self.until + backoff.longest;
        let grown = if quiet {
            backoff.first
        } else {
            self.delay.mul_f64(backoff.factor)
        };
        // Failures at the same moment, of many instances, count once.
        if now >= self.until || quiet {
            self.delay = grown.min(backoff.longest);
            self.until = now + self.delay;
        }
    }

    /// Another version, or an operator, ends the pause.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_secs(1),
        factor: 2.0,
        longest: Duration::from_secs(5),
    };

    #[test]
    fn the_pause_grows_with_each_failure_up_to_the_longest() {
        let mut pace = Pace::default();
        let mut now = seconds(100);
        for pause in [1, 2, 4, 5, 5] {
            pace.failed(now, &BACKOFF);
            assert_eq!(pace.until(), now + Duration::from_secs(pause));
            now = pace.until();
        }
    }

    #[test]
    fn a_quiet_time_makes_the_pause_small_again() {
        let mut pace = Pace::default();
        pace.failed(seconds(100), &BACKOFF);
        pace.failed(seconds(101), &BACKOFF);
        pace.failed(seconds(200), &BACKOFF);
        assert_eq!(pace.until(), seconds(201));
    }

    #[test]
    fn instances_that_fail_together_make_one_pause() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.failed(seconds(100), &BACKOFF);
        }
        assert_eq!(pace.until(), seconds(101));
        pace.reset();
        assert_eq!(pace.until(), Time::ZERO);
    }
}
