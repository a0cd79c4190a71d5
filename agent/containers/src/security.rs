//! What a task may do: how the runtime is to wall it in, and what the operator allows it to ask.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use nix::sys::stat::{major, minor};

use crate::{Capabilities, IoPolicy};

/// A device of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its file, in `/dev`.
    pub path: PathBuf,
    /// Whether it is a block device, and no character device.
    pub block: bool,
    /// The number of the driver.
    pub major: u32,
    /// The number of the device among the driver's.
    pub minor: u32,
    /// Who may open its file.
    pub mode: u32,
}

impl Device {
    /// The device that a file in `/dev` is for.
    pub fn find(path: &Path) -> io::Result<Self> {
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.starts_with("/dev") || !path.components().all(plain) {
            return Err(io::Error::other("it is no path below /dev"));
        }
        Self::at(path)
    }

    /// The device that a file is for, wherever it is.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let status = fs::symlink_metadata(path)?;
        let kind = status.file_type();
        if !kind.is_block_device() && !kind.is_char_device() {
            return Err(io::Error::other("it is no device file"));
        }
        let number = |number: u64| u32::try_from(number).map_err(io::Error::other);
        Ok(Self {
            path: path.to_owned(),
            block: kind.is_block_device(),
            major: number(major(status.rdev()))?,
            minor: number(minor(status.rdev()))?,
            mode: status.mode() & 0o666,
        })
    }
}

/// How one container is walled in. The default is what every task gets that asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// The capabilities it has. Without them, what [`Policy`] gives. What is asked for by name also
    /// reaches a task that is not root.
    pub effective: Option<Capabilities>,
    /// The capabilities that its programs can ever get. Without them, those that it has.
    pub bounding: Option<Capabilities>,
    /// The system calls that it may make.
    pub seccomp: Seccomp,
    /// Limits on single processes.
    pub resource_limits: Vec<ResourceLimit>,
}

/// Which system calls a task may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// What the agent's own profile allows, or that of `--seccomp-profile-name`.
    #[default]
    Default,
    /// What the profile of this name in `--seccomp-config-dir` allows.
    Profile(String),
    /// All of them.
    Unconfined,
}

/// The most of one resource that one process may use, by the names of `setrlimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Which resource.
    pub resource: Resource,
    /// What holds at first. `None` is no limit.
    pub soft: Option<u64>,
    /// The most that a process may raise it to. `None` is no limit.
    pub hard: Option<u64>,
}

/// What a process can be limited in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words of setrlimit")]
pub enum Resource {
    Cpu,
    FileSize,
    Data,
    Stack,
    Core,
    ResidentSet,
    Processes,
    OpenFiles,
    LockedMemory,
    AddressSpace,
    Locks,
    PendingSignals,
    MessageQueues,
    Nice,
    RealtimePriority,
    RealtimeTimeout,
}

impl Resource {
    /// The kernel's number, which is that of its place in the list on every machine we run on.
    pub(crate) const fn number(self) -> i32 {
        self as i32
    }
}

/// What tasks get and may ask for, as the operator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a task can do that asks for no capabilities.
    pub effective_capabilities: Capabilities,
    /// What a task may ask for.
    pub bounding_capabilities: Capabilities,
    /// The folder with profiles that tasks may ask for by name.
    pub seccomp_profiles: Option<PathBuf>,
    /// The profile in that folder for tasks that ask for none, instead of our own.
    pub seccomp_default: Option<String>,
    /// Whether a task may ask for no filter at all.
    pub unconfined: bool,
    /// Devices that every container has, beside those that all programs expect.
    pub devices: Vec<Device>,
    /// The folders and files of the host that tasks may ask for, with all that is below.
    pub host_paths: Vec<PathBuf>,
    /// How containers share disks, with `cgroups/blkio`.
    pub io: IoPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            effective_capabilities: Capabilities::DEFAULT,
            bounding_capabilities: Capabilities::DEFAULT,
            seccomp_profiles: None,
            seccomp_default: None,
            unconfined: false,
            devices: Vec::new(),
            host_paths: Vec::new(),
            io: IoPolicy::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::Resource as Kernel;

    use super::*;

    #[test]
    fn a_device_is_found_by_its_file_in_dev_and_nowhere_else() {
        let full = Device::find(Path::new("/dev/full")).unwrap();
        assert_eq!((full.block, full.major, full.minor), (false, 1, 7));
        for path in [
            "/dev",
            "/dev/none",
            "/etc/passwd",
            "/dev/../dev/full",
            "full",
        ] {
            assert!(Device::find(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn resources_have_the_kernel_s_numbers() {
        let pairs = [
            (Resource::Cpu, Kernel::RLIMIT_CPU),
            (Resource::FileSize, Kernel::RLIMIT_FSIZE),
            (Resource::Data, Kernel::RLIMIT_DATA),
            (Resource::Stack, Kernel::RLIMIT_STACK),
            (Resource::Core, Kernel::RLIMIT_CORE),
            (Resource::ResidentSet, Kernel::RLIMIT_RSS),
            (Resource::Processes, Kernel::RLIMIT_NPROC),
            (Resource::OpenFiles, Kernel::RLIMIT_NOFILE),
            (Resource::LockedMemory, Kernel::RLIMIT_MEMLOCK),
            (Resource::AddressSpace, Kernel::RLIMIT_AS),
            (Resource::Locks, Kernel::RLIMIT_LOCKS),
            (Resource::PendingSignals, Kernel::RLIMIT_SIGPENDING),
            (Resource::MessageQueues, Kernel::RLIMIT_MSGQUEUE),
            (Resource::Nice, Kernel::RLIMIT_NICE),
            (Resource::RealtimePriority, Kernel::RLIMIT_RTPRIO),
            (Resource::RealtimeTimeout, Kernel::RLIMIT_RTTIME),
        ];
        for (ours, kernel) in pairs {
            assert_eq!(ours.number(), kernel as i32, "{ours:?}");
        }
    }
}
