//! The core's warnings in the log: bounded, so that a noisy peer cannot fill a disk.

use std::time::{Duration, Instant};

/// Warnings in one [`WINDOW`]; of the rest only the number is logged.
const LIMIT: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Warnings {
    window: Option<Instant>,
    count: u32,
}

impl Warnings {
    pub(super) fn log(&mut self, text: &str) {
        if self.admit(Instant::now()) {
            tracing::warn!("{text}");
        }
    }

    /// Whether one more may be logged now.
    fn admit(&mut self, now: Instant) -> bool {
        if self
            .window
            .is_none_or(|start| now.duration_since(start) >= WINDOW)
        {
            if self.count > LIMIT {
                tracing::warn!("{} more warnings were not logged", self.count - LIMIT);
            }
            self.window = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_warnings_is_cut_off_until_the_next_window() {
        let mut warnings = Warnings::default();
        let start = Instant::now();
        let admitted = (0..100).filter(|_| warnings.admit(start)).count();
        assert_eq!(admitted, LIMIT as usize);
        assert!(warnings.admit(start + WINDOW));
    }
}
