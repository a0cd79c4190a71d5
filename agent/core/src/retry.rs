//! When something that was said and not acknowledged is said again (Mesos: TSK-09, OPF-01).

use core::time::Duration;

use crate::limits;

/// The wait until something is said again; none while it has not been said on the present link.
#[derive(Debug, Default)]
pub(crate) struct Retry(Option<Duration>);

impl Retry {
    /// Whether it has been said on the present link.
    pub(crate) const fn in_flight(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that it is said now; says how long to wait before it is said again.
    pub(crate) fn sent(&mut self) -> Duration {
        let wait = match self.0 {
            None => limits::RETRY_MIN,
            Some(last) => (last * 2).min(limits::RETRY_MAX),
        };
        self.0 = Some(wait);
        wait
    }

    /// Notes that the link is gone, or that something new is to be said.
    pub(crate) const fn recall(&mut self) {
        self.0 = None;
    }
}
