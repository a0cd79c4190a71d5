//! Doing something again that failed in a way that may pass.

use std::time::Duration;

use crate::{
    Error,
    limits::{ATTEMPTS, RETRY_PAUSE},
};

/// The attempts at one thing.
#[derive(Debug)]
pub struct Retry {
    left: u32,
    pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            left: ATTEMPTS - 1,
            pause: RETRY_PAUSE,
        }
    }
}

impl Retry {
    /// Whether to try again after this error; if so, after a pause.
    pub async fn again(&mut self, error: &Error) -> bool {
        if self.left == 0 || !error.is_passing() {
            return false;
        }
        tracing::debug!(%error, "tried again in a moment");
        tokio::time::sleep(self.pause).await;
        self.left -= 1;
        self.pause *= 2;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_a_few_times_and_what_does_not_once() {
        let mut retry = Retry::default();
        let mut attempts = 1;
        while retry.again(&Error::registry("x", "y")).await {
            attempts += 1;
        }
        assert_eq!(attempts, ATTEMPTS);
        assert!(!Retry::default().again(&Error::refusal("x", "y")).await);
    }
}
