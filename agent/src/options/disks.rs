//! What can be set about how much of the disk tasks may fill.

use std::time::Duration;

use clap::{ArgAction, Args};
use tepui_containers::{Bytes, ProjectRange, limits::BYTES_PER_FILE};
use tepui_edge::span;

use super::refuse;
use crate::Error;

/// What can be set about how much of the disk tasks may fill.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DiskOptions {
    /// How often the sandboxes of tasks that ask for disk are measured: one that holds more than
    /// was asked for ends its task
    #[arg(
        long,
        env = "TEPUI_CONTAINER_DISK_WATCH_INTERVAL",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = span::parse
    )]
    pub container_disk_watch_interval: Duration,

    /// Whether such a task is ended, or may fill the disk
    #[arg(
        long,
        env = "TEPUI_ENFORCE_CONTAINER_DISK_QUOTA",
        value_name = "BOOL",
        default_value_t = true,
        action = ArgAction::Set
    )]
    pub enforce_container_disk_quota: bool,

    /// The bytes of disk for each of which a task may have one more file, beyond 10,000: empty ones
    /// take no room, but a file system has no more to give at some time. 0 for any number of files
    #[arg(
        long,
        env = "TEPUI_CONTAINER_DISK_BYTES_PER_FILE",
        value_name = "BYTES",
        default_value_t = BYTES_PER_FILE
    )]
    pub container_disk_bytes_per_file: u64,

    /// The projects of xfs and ext4, as FIRST-LAST, of which each task gets one for a quota on its
    /// disk. Nobody else may have them, nor another agent on this machine [needs disk/quota in
    /// --isolation]
    #[arg(
        long,
        alias = "xfs-project-range",
        env = "TEPUI_PROJECT_RANGE",
        value_name = "RANGE",
        default_value_t = ProjectRange::default()
    )]
    pub project_range: ProjectRange,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            container_disk_watch_interval: Duration::from_secs(15),
            enforce_container_disk_quota: true,
            container_disk_bytes_per_file: BYTES_PER_FILE,
            project_range: ProjectRange::default(),
        }
    }
}

impl DiskOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.container_disk_watch_interval < Duration::from_millis(10) {
            return Err(refuse(
                "container-disk-watch-interval",
                "must be at least 10ms",
            ));
        }
        Ok(())
    }

    /// The part of its disk that gives a task room for one more file. `None` for any number.
    pub(crate) fn bytes_per_file(&self) -> Option<Bytes> {
        let bytes = self.container_disk_bytes_per_file;
        (bytes > 0).then_some(Bytes(bytes))
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 4] {
        [
            (
                "container-disk-watch-interval",
                span::format(self.container_disk_watch_interval),
            ),
            (
                "enforce-container-disk-quota",
                self.enforce_container_disk_quota.to_string(),
            ),
            (
                "container-disk-bytes-per-file",
                self.container_disk_bytes_per_file.to_string(),
            ),
            ("project-range", self.project_range.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_for_each_file_are_any_number_of_files() {
        let mut options = DiskOptions::default();
        assert_eq!(options.bytes_per_file(), Some(Bytes(16_384)));
        options.container_disk_bytes_per_file = 0;
        assert_eq!(options.bytes_per_file(), None);
    }
}
