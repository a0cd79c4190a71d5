//! The one place where a server reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tepui_model::Time;
use tokio::time::Instant;

/// The wall clock as it was at the start, carried on by the monotonic clock: a wall clock that is
/// set back or forward while the server runs moves no deadline.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Time,
    started: Instant,
}

impl Clock {
    /// Starts at the time of the wall clock.
    #[must_use]
    pub fn start() -> Self {
        // A machine whose clock stands before 1970 starts at 1970.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: Time::ZERO + since_epoch,
            started: Instant::now(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.wall + self.started.elapsed()
    }

    /// When to wake for a time of the core; far away for none and for one that does not fit.
    #[must_use]
    pub fn instant(&self, time: impl Into<Option<Time>>) -> Instant {
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let now = Instant::now();
        let wait = |time: Time| time.since(self.wall + now.duration_since(self.started));
        now + time.into().map_or(FAR, wait).min(FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_with_the_monotonic_clock() {
        let clock = Clock::start();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now().since(before), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_past_time_is_due_now_and_never_is_far_away() {
        let clock = Clock::start();
        assert_eq!(clock.instant(Time::ZERO), Instant::now());
        assert_eq!(
            clock
                .instant(clock.now() + Duration::from_secs(2))
                .elapsed(),
            Duration::ZERO
        );
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(clock.instant(Time::MAX) > far && clock.instant(None) > far);
    }
}
