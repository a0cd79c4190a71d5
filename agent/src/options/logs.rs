//! What can be set about the output of tasks.

use clap::Args;
use tepui_containers::{Bytes, LogRoom, limits::MAX_LOG_FILES};

use super::refuse;
use crate::Error;

/// What one file of output may hold by default, in megabytes (Mesos' logrotate logger: 10 MB).
const DEFAULT_MEGABYTES: u64 = 10;
/// The older files that are kept by default (Mesos: `rotate 9`).
const DEFAULT_KEPT: u32 = 9;

/// What can be set about the output of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct LogOptions {
    /// How large a task's `stdout` may become until a new file takes its turn; 0 for any size
    #[arg(
        long,
        env = "TEPUI_MAX_STDOUT_SIZE",
        value_name = "MB",
        default_value_t = DEFAULT_MEGABYTES
    )]
    pub max_stdout_size: u64,

    /// The same for `stderr`
    #[arg(
        long,
        env = "TEPUI_MAX_STDERR_SIZE",
        value_name = "MB",
        default_value_t = DEFAULT_MEGABYTES
    )]
    pub max_stderr_size: u64,

    /// How many older files are kept of each: `stdout.1`, `stdout.2` ...; the oldest go
    #[arg(
        long,
        env = "TEPUI_LOG_FILES",
        value_name = "COUNT",
        default_value_t = DEFAULT_KEPT
    )]
    pub log_files: u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            max_stdout_size: DEFAULT_MEGABYTES,
            max_stderr_size: DEFAULT_MEGABYTES,
            log_files: DEFAULT_KEPT,
        }
    }
}

impl LogOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.log_files > MAX_LOG_FILES {
            let problem = format!("must be at most {MAX_LOG_FILES}");
            return Err(refuse("log-files", &problem));
        }
        Ok(())
    }

    /// The room of `stdout` and of `stderr`.
    pub(crate) fn rooms(&self) -> [LogRoom; 2] {
        [self.max_stdout_size, self.max_stderr_size].map(|megabytes| LogRoom {
            bytes: Bytes(match megabytes {
                0 => u64::MAX,
                megabytes => megabytes.saturating_mul(1 << 20),
            }),
            kept: self.log_files,
        })
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 3] {
        [
            ("max-stdout-size", self.max_stdout_size.to_string()),
            ("max-stderr-size", self.max_stderr_size.to_string()),
            ("log-files", self.log_files.to_string()),
        ]
    }
}
