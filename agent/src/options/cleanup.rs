//! What can be set about when old sandboxes go.

use std::time::Duration;

use tepui_edge::span;

use super::refuse;
use crate::Error;

/// What can be set about when old sandboxes go.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct CleanupOptions {
    /// How long the sandbox of an ended task is kept, on an empty disk
    #[arg(
        long,
        env = "TEPUI_GC_DELAY",
        value_name = "DURATION",
        default_value = "1weeks",
        value_parser = span::parse
    )]
    pub gc_delay: Duration,

    /// The part of the disk to keep free: sandboxes go the sooner the fuller the disk is; with less
    /// free than that, images that no task uses go
    #[arg(
        long,
        env = "TEPUI_GC_DISK_HEADROOM",
        value_name = "PART",
        default_value_t = 0.1
    )]
    pub gc_disk_headroom: f64,

    /// How often it is looked how full the disk is, for that
    #[arg(
        long,
        env = "TEPUI_DISK_WATCH_INTERVAL",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = span::parse
    )]
    pub disk_watch_interval: Duration,
}

impl Default for CleanupOptions {
    fn default() -> Self {
        Self {
            gc_delay: Duration::from_secs(7 * 86_400),
            gc_disk_headroom: 0.1,
            disk_watch_interval: Duration::from_secs(60),
        }
    }
}

impl CleanupOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.disk_watch_interval < Duration::from_millis(10) {
            return Err(refuse("disk-watch-interval", "must be at least 10ms"));
        }
        if !(0.0..=1.0).contains(&self.gc_disk_headroom) {
            return Err(refuse("gc-disk-headroom", "must be between 0 and 1"));
        }
        Ok(())
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 3] {
        [
            ("gc-delay", span::format(self.gc_delay)),
            ("gc-disk-headroom", self.gc_disk_headroom.to_string()),
            (
                "disk-watch-interval",
                span::format(self.disk_watch_interval),
            ),
        ]
    }
}
