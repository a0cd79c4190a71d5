//! How a container ended.

use std::fmt;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What became of the task's own process.
    pub status: ExitStatus,
    /// Set when the container met its memory limit and was destroyed for it, whatever `status`
    /// says.
    pub oom: Option<OomReport>,
    /// Set when the sandbox held more than it may and the container was destroyed for it.
    pub disk: Option<DiskReport>,
}

impl Exit {
    /// Of a container that nobody knows.
    pub(crate) const UNSEEN: Self = Self {
        status: ExitStatus::Unknown,
        oom: None,
        disk: None,
    };
}

/// What became of the task's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited.
    Code(i32),
    /// A signal ended it. A container killed as a whole counts as ended by SIGKILL.
    Signal(i32),
    /// Nobody was there to see: the machine was restarted, or the record was lost.
    Unknown,
}

impl ExitStatus {
    /// Whether the task did what it should.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for ExitStatus {
    /// As Mesos' command executor says it: `exited with status 1`, `terminated with signal Killed`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exited with status {code}"),
            Self::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(formatter, "terminated with signal {signal}"),
                Err(_) => write!(formatter, "terminated with signal {number}"),
            },
            Self::Unknown => formatter.write_str("ended unseen"),
        }
    }
}

/// A container that met its memory limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OomReport {
    /// The limit it met.
    pub limit: crate::Bytes,
    /// The most memory it used.
    pub peak: crate::Bytes,
    /// What was in use, for the task's message.
    pub statistics: String,
}

impl fmt::Display for OomReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: crate::Bytes| bytes.0 as f64 / f64::from(1 << 20);
        write!(
            formatter,
            "Memory limit exceeded: Requested: {:.0}MB Maximum Used: {:.0}MB\n\n{}",
            megabytes(self.limit),
            megabytes(self.peak),
            self.statistics
        )
    }
}

/// A container whose sandbox held more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskReport {
    /// The limit.
    pub limit: crate::Bytes,
    /// What was in the sandbox when it was measured.
    pub used: crate::Bytes,
    /// The most files that it may have, if there is such a limit.
    pub file_limit: Option<u64>,
    /// The files that it had, as far as they were counted.
    pub files: u64,
}

impl fmt::Display for DiskReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: crate::Bytes| bytes.0 as f64 / f64::from(1 << 20);
        let (used, limit) = (megabytes(self.used), megabytes(self.limit));
        match self.file_limit.filter(|most| self.files > *most) {
            Some(most) => write!(
                formatter,
                "Disk usage ({} files) exceeds quota ({most} files for {limit:.1}MB)",
                self.files
            ),
            None if self.used > self.limit => write!(
                formatter,
                "Disk usage ({used:.1}MB) exceeds quota ({limit:.1}MB)"
            ),
            None => write!(
                formatter,
                "Folders in the sandbox are nested too deep for its disk usage to be measured"
            ),
        }
    }
}
