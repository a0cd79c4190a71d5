//! What can go wrong with one container.

use std::{io, path::PathBuf};

use tepui_model::ContainerId;

use crate::limits::{KILL_TIMEOUT, LAUNCH_TIMEOUT, REMOVE_TIMEOUT};

/// Why a container could not be started. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The id is taken.
    #[error("a container {0} exists already")]
    Exists(ContainerId),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// There is no such user.
    #[error("there is no user '{0}' on this agent")]
    UnknownUser(String),
    /// The sandbox is no folder that can be trusted.
    #[error("cannot use the sandbox {path}: {source}")]
    Sandbox {
        /// The sandbox or a file in it.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run '{program}': {source}")]
    Program {
        /// The program as it was asked for.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A cgroup could not be made.
    #[error(transparent)]
    Cgroup(#[from] crate::cgroups::Error),
    /// A record in the runtime folder could not be written.
    #[error("cannot write {path}: {source}")]
    Record {
        /// The record.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The system calls that it asks for cannot be had.
    #[error(transparent)]
    Seccomp(#[from] crate::SeccompError),
    /// It could not be attached to its networks.
    #[error(transparent)]
    Network(#[from] crate::NetworkError),
    /// A step of the launch failed.
    #[error("cannot {step}: {source}")]
    Step {
        /// The step, as in "cannot mount /proc".
        step: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The launcher or the container's init ended before the program ran.
    #[error("the container's init ended before the program ran{0}")]
    InitDied(String),
    /// A session was asked for in a container that does not run.
    #[error("there is no container {0} that runs")]
    NotRunning(ContainerId),
    /// Somebody wants to be at the terminal of a container that has none.
    #[error("container {0} has no terminal")]
    NoTerminal(ContainerId),
    /// There are too many sessions.
    #[error("{most} sessions are open {of}, and there cannot be more: end one first")]
    TooManySessions {
        /// How many there can be.
        most: usize,
        /// Where they are counted.
        of: &'static str,
    },
    /// The launch took too long.
    #[error("the launch took longer than {LAUNCH_TIMEOUT:?}")]
    Timeout,
}

/// Why a container could not be signalled, killed, measured or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its limits could not be changed; some may have been.
    #[error("cannot change the limits of container {id}: {message}")]
    Update {
        /// The container.
        id: ContainerId,
        /// What the kernel said.
        message: String,
    },
    /// There is no such container.
    #[error("there is no container {0}")]
    NotFound(ContainerId),
    /// Removal was asked for while it runs.
    #[error("container {0} is still running: kill it first")]
    Running(ContainerId),
    /// It was killed and is still there, most likely because a process hangs in the kernel.
    #[error("container {0} was killed and has not ended after {KILL_TIMEOUT:?}")]
    StillAlive(ContainerId),
    /// A cgroup is still not empty, most likely because a process hangs in the kernel.
    #[error("the cgroup of a container is still in use after {REMOVE_TIMEOUT:?}")]
    GroupBusy,
    /// A signal could not be sent.
    #[error("cannot signal container {id}: {source}")]
    Signal {
        /// The container.
        id: ContainerId,
        /// What the kernel said.
        source: io::Error,
    },
    /// It could not be detached from its networks.
    #[error(transparent)]
    Network(#[from] crate::NetworkError),
    /// A cgroup could not be read or removed.
    #[error(transparent)]
    Cgroup(#[from] crate::cgroups::Error),
    /// The runtime folder could not be read or cleaned.
    #[error("cannot work on {path}: {source}")]
    Record {
        /// The record.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}
