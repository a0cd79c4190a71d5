//! Whether an instance is well, as its checks tell.

use std::time::Duration;

use tepui_sdk::model::Time;

use crate::{limits, spec::HealthCheck};

/// What the checks of one instance have told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not answered yet.
    Unchecked,
    /// The last check passed.
    Healthy,
    /// So many checks failed in a row.
    Failing(u32),
}

/// The checks of one running instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks {
    health: Health,
    since: Time,
    was_healthy: bool,
    in_flight: bool,
}

/// What a check means for the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays.
    Keep,
    /// It failed too often and has to go.
    End,
}

impl Checks {
    /// The checks of an instance that runs since `now`; the first is due at once.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            health: Health::Unchecked,
            since: now,
            was_healthy: false,
            in_flight: false,
        }
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// A check is due: true unless one is still on its way.
    pub(crate) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.in_flight, true)
    }

    /// How long after `now` the next check is due: sooner while the instance starts.
    pub(crate) fn pause(&self, now: Time, check: &HealthCheck) -> Duration {
        if self.is_starting(now, check) {
            check.interval.min(limits::STARTING_INTERVAL)
        } else {
            check.interval
        }
    }

    /// Until it passed once, failing is excused for a while.
    fn is_starting(&self, now: Time, check: &HealthCheck) -> bool {
        !self.was_healthy && now < self.since + check.grace
    }

    /// A check passed or failed at `now`. Until it passed once, failures within the grace period
    /// do not count.
    pub(crate) fn checked(&mut self, now: Time, passed: bool, check: &HealthCheck) -> Verdict {
        self.in_flight = false;
        if passed {
            (self.health, self.was_healthy) = (Health::Healthy, true);
            return Verdict::Keep;
        }
        if self.is_starting(now, check) {
            return Verdict::Keep;
        }
        let failures = match self.health {
            Health::Failing(failures) => failures.saturating_add(1),
            Health::Unchecked | Health::Healthy => 1,
        };
        self.health = Health::Failing(failures);
        if failures >= check.failures {
            Verdict::End
        } else {
            Verdict::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn check() -> HealthCheck {
        HealthCheck {
            port: "http".into(),
            http_path: None,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            failures: 2,
        }
    }

    #[test]
    fn failures_within_the_grace_period_do_not_count() {
        let mut checks = Checks::new(seconds(0));
        for now in 1..10 {
            assert_eq!(checks.checked(seconds(now), false, &check()), Verdict::Keep);
        }
        assert_eq!(checks.health(), Health::Unchecked);
        assert_eq!(checks.checked(seconds(10), false, &check()), Verdict::Keep);
        assert_eq!(checks.checked(seconds(11), false, &check()), Verdict::End);
    }

    #[test]
    fn the_first_success_ends_the_grace_period() {
        let mut checks = Checks::new(seconds(0));
        checks.checked(seconds(1), true, &check());
        assert_eq!(checks.checked(seconds(2), false, &check()), Verdict::Keep);
        assert_eq!(checks.checked(seconds(3), false, &check()), Verdict::End);
    }

    #[test]
    fn a_success_forgives_the_failures_before_it() {
        let mut checks = Checks::new(seconds(0));
        for now in [20, 22, 24] {
            assert_eq!(checks.checked(seconds(now), false, &check()), Verdict::Keep);
            checks.checked(seconds(now + 1), true, &check());
        }
        assert_eq!(checks.health(), Health::Healthy);
    }

    #[test]
    fn checks_are_frequent_until_the_first_success_or_the_end_of_the_grace_period() {
        let (check, quick) = (check(), limits::STARTING_INTERVAL);
        let mut checks = Checks::new(seconds(0));
        assert_eq!(checks.pause(seconds(1), &check), quick);
        assert_eq!(checks.pause(seconds(10), &check), check.interval);
        checks.checked(seconds(1), true, &check);
        assert_eq!(checks.pause(seconds(1), &check), check.interval);
    }

    #[test]
    fn one_check_is_on_its_way_at_a_time() {
        let mut checks = Checks::new(seconds(0));
        assert!(checks.begin());
        assert!(!checks.begin());
        checks.checked(seconds(1), true, &check());
        assert!(checks.begin());
    }
}
