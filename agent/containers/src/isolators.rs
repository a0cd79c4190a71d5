//! What keeps containers apart, one file per kind.

mod cpu;
mod devices;
mod disk;
mod disk_quota;
mod files;
mod gpus;
mod huge_pages;
mod io;
mod machine;
mod memory;
mod namespaces;
mod net_class;
mod network;
mod pids;
mod processors;
mod rights;
mod users;

use crate::{
    Bytes, Isolation, Isolator, LaunchError, Limits, Networks, Policy, Spec,
    cgroups::{self, Group, Hierarchies, Quota},
    grants::{Granted, Grants},
    init::wire::Plan,
    records::Folder,
    seccomp::Filters,
};

pub(crate) use files::SANDBOX_IN_ROOT;
pub use io::IoPolicy;
pub(crate) use machine::Machine;
pub(crate) use memory::hard_limit;

/// One way to keep a container apart.
pub(crate) trait Isolate: Sync {
    /// What this machine lacks for it, if anything.
    fn missing(&self, machine: &Machine) -> Option<String>;
    /// Sets limits on the container's group, and adds to the plan of its init.
    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError>;
}

/// A container that is being prepared.
pub(crate) struct Preparation<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) machine: &'a Machine,
    /// Processes and threads of a container that sets no limit of its own.
    pub(crate) default_pids: u64,
    /// The part of its disk that gives it room for one more file.
    pub(crate) bytes_per_file: Option<Bytes>,
    /// What tasks get and may ask for.
    pub(crate) policy: &'a Policy,
    /// The networks that the operator has configured.
    pub(crate) networks: &'a Networks,
    /// Filters of system calls, compiled.
    pub(crate) filters: &'a Filters,
    /// Its cgroup, which exists. `None` without any cgroup isolator.
    pub(crate) group: Option<&'a dyn Group>,
    pub(crate) plan: &'a mut Plan,
    /// The size of shared memory of a container that does not say.
    pub(crate) shared_memory: Option<Bytes>,
    /// The init of the container that it is inside of, and when that process started.
    pub(crate) parent: Option<(u32, u64)>,
    /// The user of the machine that is root in it, if it has users of its own alone.
    pub(crate) users: Option<u32>,
    /// Where its records are.
    pub(crate) folder: &'a Folder,
    /// What is to bound its processor time once its program runs.
    pub(crate) quota: &'a mut Option<Quota>,
    /// The groups of all containers. `None` without any cgroup isolator.
    pub(crate) hierarchies: Option<&'a dyn Hierarchies>,
    /// Who has what to himself.
    pub(crate) grants: &'a Grants,
    /// What it has to itself.
    pub(crate) granted: &'a Granted,
}

impl<'a> Preparation<'a> {
    /// Whether the limits are those of the container that it is inside of.
    fn has_parents_limits(&self) -> bool {
        self.spec.share_cgroups && self.parent.is_some()
    }

    /// The cgroup, for isolators that cannot be in use without one.
    fn group(&self) -> Result<&'a dyn Group, LaunchError> {
        self.group
            .ok_or_else(|| LaunchError::Invalid("there is no cgroup for it".to_owned()))
    }
}

impl Isolator {
    /// The file that does it.
    pub(crate) fn isolate(self) -> &'static dyn Isolate {
        match self {
            Self::Cpu => &cpu::Cpu,
            Self::Memory => &memory::Memory,
            Self::Pids => &pids::Pids,
            Self::MountNamespace => &namespaces::MOUNT,
            Self::PidNamespace => &namespaces::PID,
            Self::IpcNamespace => &namespaces::IPC,
            Self::UtsNamespace => &namespaces::UTS,
            Self::CgroupNamespace => &namespaces::CGROUP,
            Self::Users => &users::Users,
            Self::Files => &files::Files,
            Self::Capabilities => &rights::CapabilitySets,
            Self::NoNewPrivileges => &rights::NoNewPrivileges,
            Self::SystemCalls => &rights::SystemCalls,
            Self::ResourceLimits => &rights::ResourceLimits,
            Self::Disk => &disk::Disk,
            Self::Network => &network::Network,
            Self::Devices => &devices::Devices,
            Self::Io => &io::Io,
            Self::HugePages => &huge_pages::HugePages,
            Self::Processors => &processors::OwnProcessors,
            Self::Gpus => &gpus::Gpus,
            Self::NetClass => &net_class::NetClass,
            Self::DiskQuota => &disk_quota::DiskQuota,
        }
    }
}

/// Changes the limits of a group while its processes run.
pub(crate) fn update(
    group: &dyn Group,
    isolation: Isolation,
    limits: &Limits,
    io: IoPolicy,
) -> Result<(), cgroups::Error> {
    if isolation.has(Isolator::Cpu) {
        let cpu = cpu::of(limits);
        group.set_cpu(cpu)?;
        if cpu.quota.is_none() {
            group.unthrottle()?;
        }
    }
    if isolation.has(Isolator::Io) && io.weight_per_cpu.is_some() {
        group.set_io(cgroups::IoLimits {
            weight: io.of(limits).weight,
            ..cgroups::IoLimits::default()
        })?;
    }
    if isolation.has(Isolator::Memory) {
        group.raise_memory(memory::hard_limit(limits), memory::soft_limit(limits))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
