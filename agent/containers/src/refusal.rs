//! A machine that cannot do what was asked for: a refusal that names what is missing.

use std::{fmt, io, path::PathBuf};

use crate::{Isolation, Isolator, limits::MIN_KERNEL};

/// Why no runtime could be made on this machine.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that was asked for cannot be isolated here.
    #[error(transparent)]
    Isolation(#[from] CannotIsolate),
    /// Another agent owns the cgroup root.
    #[error(
        "the cgroup root {0} belongs to another running agent: give this one its own with \
            --cgroup-root"
    )]
    CgroupRootInUse(PathBuf),
    /// Another agent owns the folder for records.
    #[error(
        "the runtime folder {0} belongs to another running agent: give this one its own with \
            --runtime-dir"
    )]
    RuntimeDirInUse(PathBuf),
    /// The folder for records cannot be used.
    #[error("cannot use the runtime folder {path}: {source}; choose another with --runtime-dir")]
    RuntimeDir {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The sealed copy of the program could not be made.
    #[error("cannot make a sealed copy of {path}: {source}")]
    Seal {
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The launcher did not come up.
    #[error("the container launcher did not start: {0}")]
    Launcher(io::Error),
    /// The kernel is too old.
    #[error(
        "containers need Linux {major}.{minor} or newer, and this is {0}",
        major = MIN_KERNEL.0,
        minor = MIN_KERNEL.1
    )]
    Kernel(String),
    /// The machine could not be looked at.
    #[error("cannot find out what this machine can isolate: {0}")]
    Machine(io::Error),
    /// The cgroup root is no path below the hierarchies.
    #[error(
        "'{0}' is no name for a cgroup: --cgroup-root takes names with slashes between, as in \
            tepui/5051"
    )]
    CgroupRoot(String),
}

/// What this machine lacks, all of it, and what would run without it.
#[derive(Debug)]
pub struct CannotIsolate {
    /// What is missing, one per isolator.
    pub missing: Vec<Missing>,
    /// The isolation that was asked for.
    pub asked: Isolation,
}

/// One isolator that this machine cannot provide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was asked for.
    pub isolator: Isolator,
    /// What it lacks here.
    pub reason: String,
}

impl CannotIsolate {
    /// The most that this machine can do of what was asked for.
    #[must_use]
    pub fn possible(&self) -> Isolation {
        let mut isolation = self.asked;
        for missing in &self.missing {
            isolation = isolation.without(missing.isolator);
        }
        for isolator in Isolator::ALL {
            if isolator.base().is_some_and(|base| !isolation.has(base)) {
                isolation = isolation.without(isolator);
            }
        }
        isolation
    }
}

impl fmt::Display for CannotIsolate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this machine cannot isolate containers as asked for:\n")?;
        for Missing { isolator, reason } in &self.missing {
            writeln!(formatter, "  {isolator}: {reason}")?;
        }
        write!(
            formatter,
            "to run tasks with less isolation all the same: --isolation {}",
            self.possible()
        )
    }
}

impl std::error::Error for CannotIsolate {}
