//! What can happen to an agent.

use core::net::IpAddr;

use tepui_model::{ContainerId, ImageNames, Reason};
use tepui_proto::v1;

use crate::{ExecutorCall, ExecutorKey, Finding, MasterCommand, StreamId};

/// One stream to a master. Numbered by the shell; messages of any but the newest change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What can happen to an agent.
#[derive(Clone, Debug)]
pub enum Event {
    /// A stream to a master is open: time to introduce oneself.
    LinkUp {
        /// The stream.
        link: LinkId,
    },
    /// The stream ended.
    LinkDown {
        /// The stream.
        link: LinkId,
    },
    /// The master said something.
    Master {
        /// The stream it came on.
        link: LinkId,
        /// What it said.
        command: MasterCommand,
    },
    /// An executor said something.
    Executor {
        /// Which.
        key: ExecutorKey,
        /// What.
        call: ExecutorCall,
    },
    /// The stream to an executor ended.
    ExecutorGone {
        /// The stream.
        stream: StreamId,
    },
    /// The data of a persistent volume is gone.
    VolumeRemoved {
        /// The name that the removal was given.
        removal: String,
    },
    /// Something became of a container.
    Container {
        /// The container.
        container: ContainerId,
        /// What became of it.
        event: ContainerEvent,
    },
    /// A check was carried out.
    Probed {
        /// The container.
        container: ContainerId,
        /// Which of the task's checks.
        check: usize,
        /// The how-manieth time.
        number: u64,
        /// What was found.
        finding: Finding,
    },
    /// The agent has other images than before.
    Images {
        /// These.
        names: ImageNames,
    },
    /// The operator takes the agent out of the cluster: end every task, unregister, forget the id.
    Leave,
    /// Time has passed; timers may be due.
    Wake,
}

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerEvent {
    /// Its image, or what it wants in its sandbox, is being fetched.
    Fetching {
        /// What, and how much of it is there, as in `the image 'busybox': 40 %`.
        what: String,
    },
    /// Its program runs.
    Started {
        /// The process id of its init, on the host.
        pid: u32,
        /// The networks that it is attached to; none if it has the host's.
        networks: Vec<JoinedNetwork>,
        /// The handle on its packets, if it has one.
        net_class: Option<u32>,
    },
    /// It could not be started, and nothing of it runs.
    LaunchFailed {
        /// Why, for people.
        message: String,
    },
    /// It ended, with every process in it.
    Exited(Exit),
}

impl ContainerEvent {
    /// Whether nothing of it runs after that.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::LaunchFailed { .. } | Self::Exited(_))
    }
}

/// A network that a container is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedNetwork {
    /// The network's name.
    pub name: String,
    /// The container's addresses there.
    pub addresses: Vec<IpAddr>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What became of the task's own process.
    pub status: ExitStatus,
    /// Set when the container met a limit and was destroyed for it.
    pub limitation: Option<Limitation>,
}

impl Exit {
    /// An exit with a code.
    #[must_use]
    pub const fn code(code: i32) -> Self {
        Self {
            status: ExitStatus::Code(code),
            limitation: None,
        }
    }

    /// An end by a signal.
    #[must_use]
    pub const fn signal(signal: i32) -> Self {
        Self {
            status: ExitStatus::Signal(signal),
            limitation: None,
        }
    }

    /// An end that nobody saw.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            status: ExitStatus::Unknown,
            limitation: None,
        }
    }
}

/// What became of the task's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Nobody was there to see.
    Unknown,
}

/// A container that was destroyed for using more than it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limitation {
    /// What it used too much of.
    pub of: Limited,
    /// The limit, in bytes.
    pub limit_bytes: u64,
    /// What to tell the framework.
    pub message: String,
}

impl Limitation {
    /// The reason, as Mesos has it.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self.of {
            Limited::Memory => Reason::ContainerLimitationMemory,
            Limited::Disk => Reason::ContainerLimitationDisk,
        }
    }

    /// The limit, as Mesos tells it: a resource in megabytes.
    #[must_use]
    pub fn told(&self) -> v1::TaskResourceLimitation {
        const MEGABYTE: f64 = 1_048_576.0;
        let name = match self.of {
            Limited::Memory => "mem",
            Limited::Disk => "disk",
        };
        let limit = v1::Resource {
            name: name.to_owned(),
            r#type: v1::value::Type::Scalar.into(),
            scalar: Some(v1::value::Scalar {
                value: self.limit_bytes as f64 / MEGABYTE,
            }),
            ..v1::Resource::default()
        };
        v1::TaskResourceLimitation {
            resources: vec![limit],
        }
    }
}

/// What a container can be destroyed for using too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Memory.
    Memory,
    /// The disk under its sandbox.
    Disk,
}
