//! What one container is to be.

use std::{fmt, path::PathBuf};

use tepui_model::{ContainerId, Quantity};
use tepui_sys::{Signal, WindowSize};

use crate::{NetworkSpec, Security, Users};

/// What one container is to be.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name, unique on this agent.
    pub id: ContainerId,
    /// Its working directory, which exists; `stdout` and `stderr` are written there.
    /// With a `user`, the folder is given to that user.
    pub sandbox: PathBuf,
    /// How much of what it writes to `stdout` and to `stderr` is kept. Without it, all.
    pub logs: Option<[LogRoom; 2]>,
    /// What runs.
    pub program: Program,
    /// The whole environment: nothing is added to it and nothing inherited.
    pub environment: Vec<(String, String)>,
    /// A user's name or number. Without one, the task runs as the agent does.
    pub user: Option<String>,
    /// A user in numbers, whom the host need not know, instead of `user`.
    pub ids: Option<Ids>,
    /// Whose users it has.
    pub users: Users,
    /// The host name inside. Without one, the host's.
    pub hostname: Option<String>,
    /// How much it may use.
    pub limits: Limits,
    /// How many GPUs it has to itself.
    pub gpus: u32,
    /// What it sees of the machine's folders besides its sandbox.
    pub volumes: Vec<VolumeSpec>,
    /// Volumes that begin as images.
    pub image_volumes: Vec<ImageVolume>,
    /// Secrets that it finds as files.
    pub secrets: Vec<SecretFile>,
    /// How it is walled in.
    pub security: Security,
    /// The network that it has.
    pub network: NetworkSpec,
    /// The most that its sandbox may hold. What is beyond is found a while later.
    pub disk: Option<Bytes>,
    /// Whose means of communication between processes it has.
    pub communication: Communication,
    /// The most that it may share in memory with itself. Without it, what the runtime's options
    /// say, or else its memory.
    pub shared_memory: Option<Bytes>,
    /// Whether it has no limits of its own, but those of the container that it is inside of.
    pub share_cgroups: bool,
    /// A root of its own. Without one, it is the host's.
    pub root: Option<RootSpec>,
    /// Where the program starts: a path from the root, or from the sandbox, which it is without.
    pub working_dir: Option<PathBuf>,
    /// The container that this one is inside of, if it is.
    pub parent: Option<Parent>,
    /// Folders of its own root that are made where they are not there.
    pub folders: Vec<PathBuf>,
    /// The signal by which its processes are asked to end, if that is not SIGTERM.
    pub stop_signal: Option<Signal>,
    /// The terminal of its program, if it has one: output is written to the sandbox all the same.
    pub terminal: Option<WindowSize>,
}

/// Whose means of communication between processes a container has: queues, semaphores, and memory
/// in `/dev/shm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Communication {
    /// Its own, or those of the container that it is inside of, but for a `/dev/shm` of its own.
    #[default]
    Usual,
    /// Its own.
    Own,
    /// Those of the container that it is inside of.
    Parents,
}

/// A volume that begins as layers that are seen as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVolume {
    /// Those that many containers share and none writes to, the topmost first.
    pub lower: Vec<PathBuf>,
    /// The folder of this container alone, where all changes go.
    pub upper: PathBuf,
    /// An empty folder on the same file system as `upper`.
    pub work: PathBuf,
    /// Where it is in the container: absolute, or from the sandbox.
    pub target: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// How much is kept of one stream of output: files of a size that take turns, so that there are
/// `bytes` times one more than `kept` at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRoom {
    /// The bytes of one file.
    pub bytes: Bytes,
    /// The older files that are kept: `stdout.1` is the newest of them.
    pub kept: u32,
}

/// A user in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// The user's first group.
    pub gid: u32,
    /// The other groups.
    pub groups: Vec<u32>,
}

/// The container that another is inside of.
///
/// What is inside shares its network, its host name and its means of interprocess communication,
/// and has limits of its own within its limits. It ends with it. On cgroup v2 only what is inside
/// of a container without a program ([`Program::Hold`]) has limits of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name.
    pub container: ContainerId,
    /// Its sandbox, of which volumes may be parts.
    pub sandbox: PathBuf,
    /// Whether its processes are shared too: each sees those of the others.
    pub share_processes: bool,
}

/// A root that is not the host's, prepared by somebody else.
///
/// The sandbox is at `/mnt/mesos/sandbox` then, and volumes are where they are asked for inside.
/// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` are the container's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSpec {
    /// A folder.
    Folder {
        /// Where it is on the host, an absolute path without a link at its end.
        path: PathBuf,
        /// Whether it may only be read.
        read_only: bool,
    },
    /// Layers that are seen as one.
    Layers {
        /// Those that many containers share and none writes to, the topmost first.
        lower: Vec<PathBuf>,
        /// The folder of this container alone, where all changes go.
        upper: PathBuf,
        /// An empty folder on the same file system as `upper`.
        work: PathBuf,
    },
}

impl Spec {
    /// A container that asks for nothing but what every one has.
    #[must_use]
    pub fn new(
        id: ContainerId,
        sandbox: impl Into<PathBuf>,
        program: Program,
        limits: Limits,
    ) -> Self {
        Self {
            id,
            sandbox: sandbox.into(),
            program,
            logs: None,
            environment: Vec::new(),
            user: None,
            ids: None,
            users: Users::default(),
            hostname: None,
            limits,
            gpus: 0,
            volumes: Vec::new(),
            image_volumes: Vec::new(),
            secrets: Vec::new(),
            security: Security::default(),
            network: NetworkSpec::default(),
            disk: None,
            communication: Communication::default(),
            shared_memory: None,
            share_cgroups: false,
            root: None,
            working_dir: None,
            parent: None,
            folders: Vec::new(),
            stop_signal: None,
            terminal: None,
        }
    }
}

/// A folder of the machine that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Who says that it may be seen.
    pub kind: VolumeKind,
    /// The folder or file, which exists.
    pub source: PathBuf,
    /// Where the container sees it: an absolute path, of a folder that exists unless the root is
    /// the container's own, or one from the sandbox.
    pub target: PathBuf,
    /// Whether it may only be read.
    pub read_only: bool,
    /// Whether other containers may use it at the same time.
    pub shared: bool,
}

/// A secret that a container finds as a file, which only its user can read and nobody can write.
///
/// It is kept in memory alone, and nowhere on the host.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Where, as with a volume.
    pub target: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretFile at {}", self.target.display())
    }
}

/// Who says that a folder of the machine may be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeKind {
    /// The agent, which made it: it belongs to the task's user.
    #[default]
    Given,
    /// The task, by a path of the host: the operator must allow it.
    HostPath,
    /// The task, by a path from its own sandbox, which is made if it is not there.
    SandboxPath,
    /// The task, by a path from the sandbox of the container that its own is inside of.
    ParentPath,
}

/// What runs in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// None: the container's init alone holds what containers inside of it share.
    Hold,
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program with its arguments, run without a shell.
    Exec {
        /// A path, or a name to look up in the `PATH` of the task's environment.
        path: String,
        /// All arguments with the first, the name it is called by. When empty, that is `path`.
        arguments: Vec<String>,
    },
}

/// An amount of memory, in bytes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Mesos counts memory in units of 1024 x 1024 bytes, `mem:32`.
    #[must_use]
    pub fn from_megabytes(megabytes: Quantity) -> Self {
        let thousandths = u64::try_from(megabytes.millis()).unwrap_or(0);
        Self(
            (u128::from(thousandths) * (1 << 20) / 1000)
                .try_into()
                .unwrap_or(u64::MAX),
        )
    }
}

/// How much one container may use. An isolator that is not in use limits nothing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Processors asked for: its share when processors are short.
    pub cpu_shares: Quantity,
    /// The most processors it may use, by quota. Without one, all that are idle.
    pub cpu_limit: Option<Quantity>,
    /// Whether its share is a hundredth of what others with as many processors get.
    pub low_cpu_priority: bool,
    /// Memory asked for.
    pub memory: Bytes,
    /// The most memory it may use when that is more than what was asked for.
    pub memory_limit: Option<Bytes>,
    /// The most processes and threads. Without it, what the runtime's options say.
    pub pids: Option<u64>,
}
