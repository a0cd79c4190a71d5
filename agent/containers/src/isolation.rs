//! What a container is kept apart with: the `--isolation` list.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::cgroups::Controller;

/// One way to keep a container apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolator {
    /// `cgroups/cpu`: CPU shares and quota.
    Cpu,
    /// `cgroups/mem`: a hard memory limit, and out-of-memory reports.
    Memory,
    /// `cgroups/pids`: a bound on processes and threads.
    Pids,
    /// `namespaces/mnt`: mounts of its own.
    MountNamespace,
    /// `namespaces/pid`: processes of its own, and an init that takes them all along when it ends.
    PidNamespace,
    /// `namespaces/ipc`: System V and POSIX queues, semaphores and shared memory of its own.
    IpcNamespace,
    /// `namespaces/uts`: a host name of its own.
    UtsNamespace,
    /// `namespaces/cgroup`: the container's cgroup looks like the root.
    CgroupNamespace,
    /// `namespaces/user`: users of its own, none of which is one of the machine's, if it asks.
    Users,
    /// `filesystem/linux`: a `/dev` and `/sys` of its own, nothing to change the kernel by, and a
    /// root of its own if the task has one.
    Files,
    /// `linux/capabilities`: of root's power only what a task needs, or asks for and may have.
    Capabilities,
    /// `linux/nnp`: no program gives more rights to who runs it.
    NoNewPrivileges,
    /// `linux/seccomp`: only the system calls that a task needs.
    SystemCalls,
    /// `posix/rlimits`: the limits on single processes that a task asks for.
    ResourceLimits,
    /// `disk/du`: the sandbox is measured, and a task that fills it beyond its limit is ended.
    Disk,
    /// `network/cni`: a network of its own, attached to those it asks for.
    Network,
    /// `cgroups/devices`: no device but those that it is given, wherever its file is.
    Devices,
    /// `cgroups/blkio`: what it reads from disks and writes to them is counted.
    Io,
    /// `cgroups/hugetlb`: no huge pages, which count for no limit of memory.
    HugePages,
    /// `cgroups/cpuset`: processors that no other container runs on, for who asks for whole ones.
    Processors,
    /// `gpu/nvidia`: whole GPUs, each for one container.
    Gpus,
    /// `cgroups/net_cls`: a handle on its packets, for filters and queues of the host.
    NetClass,
    /// `disk/quota`: the kernel lets the sandbox hold no more than its limit.
    DiskQuota,
}

impl Isolator {
    /// Every isolator, in the order in which they are printed.
    pub const ALL: [Self; 23] = [
        Self::Cpu,
        Self::Memory,
        Self::Pids,
        Self::Devices,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::CgroupNamespace,
        Self::Users,
        Self::Files,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::SystemCalls,
        Self::ResourceLimits,
        Self::Disk,
        Self::Network,
        Self::Io,
        Self::HugePages,
        Self::Processors,
        Self::Gpus,
        Self::NetClass,
        Self::DiskQuota,
    ];

    /// The name in the `--isolation` list, Mesos' where Mesos has one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cgroups/cpu",
            Self::Memory => "cgroups/mem",
            Self::Pids => "cgroups/pids",
            Self::MountNamespace => "namespaces/mnt",
            Self::PidNamespace => "namespaces/pid",
            Self::IpcNamespace => "namespaces/ipc",
            Self::UtsNamespace => "namespaces/uts",
            Self::CgroupNamespace => "namespaces/cgroup",
            Self::Users => "namespaces/user",
            Self::Files => "filesystem/linux",
            Self::Capabilities => "linux/capabilities",
            Self::NoNewPrivileges => "linux/nnp",
            Self::SystemCalls => "linux/seccomp",
            Self::ResourceLimits => "posix/rlimits",
            Self::Disk => "disk/du",
            Self::Network => "network/cni",
            Self::Devices => "cgroups/devices",
            Self::Io => "cgroups/blkio",
            Self::HugePages => "cgroups/hugetlb",
            Self::Processors => "cgroups/cpuset",
            Self::Gpus => "gpu/nvidia",
            Self::NetClass => "cgroups/net_cls",
            Self::DiskQuota => "disk/quota",
        }
    }

    /// Whether it is only there when it is asked for by name: many machines do without it.
    #[must_use]
    pub const fn is_extra(self) -> bool {
        matches!(
            self,
            Self::Io
                | Self::HugePages
                | Self::Processors
                | Self::Gpus
                | Self::NetClass
                | Self::DiskQuota
        )
    }

    /// The one that it cannot be without.
    pub(crate) const fn base(self) -> Option<Self> {
        match self {
            // They mount file systems or files of their own.
            Self::PidNamespace
            | Self::IpcNamespace
            | Self::CgroupNamespace
            | Self::Users
            | Self::Files
            | Self::Network => Some(Self::MountNamespace),
            // Nothing else keeps others from them.
            Self::Gpus => Some(Self::Devices),
            // The kernel takes filters from nobody else, but from root.
            Self::SystemCalls => Some(Self::NoNewPrivileges),
            _ => None,
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Cpu => "a share of the processors, and a quota",
            Self::Memory => "a hard and a soft limit, and reports when memory runs out",
            Self::Pids => "a bound on processes and threads",
            Self::MountNamespace => "mounts that do not show on the host",
            Self::PidNamespace => "sees its own processes only",
            Self::IpcNamespace => "its own shared memory, semaphores and queues",
            Self::UtsNamespace => "a host name of its own",
            Self::CgroupNamespace => "sees its own cgroups only, and only reads them",
            Self::Users => "users of its own, who are nobody outside, as asked for",
            Self::Files => "its own /dev and /sys, masked /proc, a root of its own",
            Self::Capabilities => "of root's power only what a task needs",
            Self::NoNewPrivileges => "no program gives more rights",
            Self::SystemCalls => "only the system calls that a task needs",
            Self::ResourceLimits => "limits on single processes, as asked for",
            Self::Disk => "a task that fills its sandbox beyond its limit is ended",
            Self::Devices => "no device but those that it is given",
            Self::Io => "its reads and writes of disks are counted (if asked for)",
            Self::HugePages => "no huge pages, which no limit counts (if asked for)",
            Self::NetClass => "a handle on its packets (if asked for)",
            Self::DiskQuota => "writing fails where its sandbox is full (if asked for)",
            Self::Gpus => "whole GPUs to itself, and no others (if asked for)",
            Self::Processors => "whole processors to itself (if asked for)",
            Self::Network => "a network of its own, or those of CNI plugins, as asked for",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

impl fmt::Display for Isolator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// The isolators in use. The default is all of them; less has to be asked for.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Isolation(u32);

impl Isolation {
    /// Everything but what is only there when it is asked for by name.
    pub const ALL: Self = {
        let (mut bits, mut at) = (0, 0);
        while at < Isolator::ALL.len() {
            if !Isolator::ALL[at].is_extra() {
                bits |= Isolator::ALL[at].bit();
            }
            at += 1;
        }
        Self(bits)
    };
    /// Nothing: containers are plain processes.
    pub const NONE: Self = Self(0);

    /// Whether this isolator is in use.
    #[must_use]
    pub const fn has(self, isolator: Isolator) -> bool {
        self.0 & isolator.bit() != 0
    }

    /// The same list without one isolator.
    #[must_use]
    pub const fn without(self, isolator: Isolator) -> Self {
        Self(self.0 & !isolator.bit())
    }

    /// The same list with one isolator more.
    #[must_use]
    pub const fn with(self, isolator: Isolator) -> Self {
        Self(self.0 | isolator.bit())
    }

    /// The isolators in use, in the order in which they are printed.
    pub fn iter(self) -> impl Iterator<Item = Isolator> {
        Isolator::ALL
            .into_iter()
            .filter(move |isolator| self.has(*isolator))
    }

    /// The same without those that take a controller of cgroups.
    pub(crate) fn without_controllers(self) -> Self {
        let takes = |one: Isolator| !Self::NONE.with(one).controllers().is_empty();
        let taking = self.iter().filter(|one| takes(*one));
        taking.fold(self, Self::without)
    }

    /// The cgroup controllers that it takes.
    pub(crate) fn controllers(self) -> BTreeSet<Controller> {
        let controller = |isolator| match isolator {
            Isolator::Cpu => Some(Controller::Cpu),
            Isolator::Memory => Some(Controller::Memory),
            Isolator::Pids => Some(Controller::Pids),
            Isolator::Devices => Some(Controller::Devices),
            Isolator::Io => Some(Controller::Io),
            Isolator::HugePages => Some(Controller::HugePages),
            Isolator::Processors => Some(Controller::Processors),
            Isolator::NetClass => Some(Controller::NetClass),
            _ => None,
        };
        self.iter().filter_map(controller).collect()
    }
}

impl Default for Isolation {
    fn default() -> Self {
        Self::ALL
    }
}

/// Why a text is no `--isolation` list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIsolation {
    /// A name that is no isolator's.
    #[error("'{0}' is no isolator; there are {known}, and all and none", known = Isolation::ALL)]
    Unknown(String),
    /// An isolator without one that it builds on.
    #[error("{0} needs {1}: add it, or leave both out")]
    Needs(Isolator, Isolator),
}

impl FromStr for Isolation {
    type Err = InvalidIsolation;

    fn from_str(list: &str) -> Result<Self, InvalidIsolation> {
        let mut isolation = Self::NONE;
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match name {
                "all" => isolation = Self(isolation.0 | Self::ALL.0),
                // Mesos' names for measuring without limiting.
                "none" | "posix/cpu" | "posix/mem" => {}
                _ => match Isolator::ALL.into_iter().find(|known| known.name() == name) {
                    Some(isolator) => isolation = isolation.with(isolator),
                    None => return Err(InvalidIsolation::Unknown(name.to_owned())),
                },
            }
        }
        let lacking = |isolator: Isolator| {
            let base = isolator.base().filter(|base| !isolation.has(*base))?;
            Some(InvalidIsolation::Needs(isolator, base))
        };
        isolation
            .iter()
            .find_map(lacking)
            .map_or(Ok(isolation), Err)
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return formatter.pad("none");
        }
        let names: Vec<_> = self.iter().map(Isolator::name).collect();
        formatter.pad(&names.join(","))
    }
}

impl fmt::Debug for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Isolation({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_printed() {
        for isolator in Isolator::ALL {
            let isolation = Isolation::ALL.without(isolator);
            let is_base = |other: Isolator| other.base() == Some(isolator);
            if !Isolator::ALL.into_iter().any(is_base) {
                assert_eq!(isolation.to_string().parse(), Ok(isolation));
            }
        }
        assert_eq!("all".parse(), Ok(Isolation::ALL));
        assert_eq!("none".parse(), Ok(Isolation::NONE));
        assert_eq!("posix/cpu,posix/mem".parse(), Ok(Isolation::NONE));
        let more: Isolation = "all,cgroups/blkio".parse().unwrap();
        assert_eq!(more, Isolation::ALL.with(Isolator::Io));
        assert!(!Isolation::ALL.has(Isolator::Io), "it has to be asked for");
        assert_eq!(more.to_string().parse(), Ok(more));
        assert_eq!(Isolation::NONE.to_string(), "none");
        assert_eq!(Isolation::default(), Isolation::ALL);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = "cgroups/cpu,cgroups/gpu".parse::<Isolation>().unwrap_err();
        assert!(error.to_string().contains("'cgroups/gpu'"), "{error}");
        assert!(error.to_string().contains("namespaces/pid"), "{error}");
    }

    #[test]
    fn a_pid_namespace_without_mounts_of_its_own_is_refused() {
        let error = "namespaces/pid".parse::<Isolation>().unwrap_err();
        assert_eq!(
            error,
            InvalidIsolation::Needs(Isolator::PidNamespace, Isolator::MountNamespace)
        );
    }
}
