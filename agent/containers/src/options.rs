//! What can be set about a runtime.

use std::{path::PathBuf, time::Duration};

use crate::{
    Bytes, Gpus, Isolation, NetClasses, Networks, Policy, ProjectRange, UserRange, UsersPolicy,
    limits::{BYTES_PER_FILE, DEFAULT_PIDS_LIMIT, DISK_WATCH_INTERVAL},
};

/// What can be set about a [`Runtime`](crate::Runtime).
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the records of containers live. It must outlive the agent, and may vanish with a
    /// reboot.
    pub runtime_dir: PathBuf,
    /// The cgroup under which containers get theirs, below every hierarchy's root: `tepui/5051`.
    /// One agent has it for itself.
    pub cgroup_root: String,
    /// What keeps containers apart. Everything by default.
    pub isolation: Isolation,
    /// Processes and threads of a container that sets no limit of its own.
    pub pids_limit: u64,
    /// How long a sandbox is not measured after it was.
    pub disk_interval: Duration,
    /// The part of a container's disk that gives it room for one more file. `None` for any number
    /// of files.
    pub bytes_per_file: Option<Bytes>,
    /// What tasks get and may ask for.
    pub policy: Policy,
    /// The networks that tasks may ask for.
    pub networks: Networks,
    /// The size of `/dev/shm` of containers that do not say. Without it, their memory.
    pub shared_memory: Option<Bytes>,
    /// The users of the machine that containers with users of their own get.
    pub users: UserRange,
    /// Which containers have users of their own.
    pub users_policy: UsersPolicy,
    /// The handles on their packets that containers get, if they get any.
    pub net_classes: Option<NetClasses>,
    /// The projects that containers with a quota on their disk get. Nobody else may have them.
    pub projects: ProjectRange,
    /// The GPUs that containers may have.
    pub gpus: Gpus,
    /// The program that becomes launcher and init of containers.
    pub init: InitProgram,
}

impl Options {
    /// Full isolation, with records in `runtime_dir`.
    #[must_use]
    pub fn new(runtime_dir: impl Into<PathBuf>, cgroup_root: impl Into<String>) -> Self {
        Self {
            runtime_dir: runtime_dir.into(),
            cgroup_root: cgroup_root.into(),
            isolation: Isolation::default(),
            pids_limit: DEFAULT_PIDS_LIMIT,
            disk_interval: DISK_WATCH_INTERVAL,
            bytes_per_file: Some(Bytes(BYTES_PER_FILE)),
            policy: Policy::default(),
            networks: Networks::default(),
            shared_memory: None,
            users: UserRange::default(),
            users_policy: UsersPolicy::default(),
            net_classes: None,
            projects: ProjectRange::default(),
            gpus: Gpus::default(),
            init: InitProgram::CurrentExecutable,
        }
    }
}

/// A program whose `main` calls [`init_main`](crate::init_main) first.
///
/// A sealed copy of it is what runs, so that no container can write to the file on the host
/// (CVE-2019-5736, CVE-2019-0204).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitProgram {
    /// The running program itself.
    #[default]
    CurrentExecutable,
    /// Another program.
    Path(PathBuf),
}

impl InitProgram {
    /// Where the program is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            // The running program, even if its file was replaced by a newer one.
            Self::CurrentExecutable => PathBuf::from("/proc/self/exe"),
            Self::Path(path) => path.clone(),
        }
    }
}
