//! Entering the namespaces of a process that runs.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sched::{CloneFlags, setns, unshare},
    sys::{prctl, stat::Mode},
    unistd::{dup2_stderr, dup2_stdin, dup2_stdout},
};

/// The namespaces of another process that this one enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// Users.
    pub user: bool,
    /// Mounts. The root and the working directory are that namespace's then.
    pub mount: bool,
    /// Process ids: children are in it, and this process stays where it is.
    pub pid: bool,
    /// System V and POSIX interprocess communication.
    pub ipc: bool,
    /// The host name.
    pub uts: bool,
    /// What is the root of cgroups.
    pub cgroup: bool,
    /// Networks.
    pub network: bool,
}

impl Entered {
    fn flags(self) -> CloneFlags {
        let flags = [
            (self.user, CloneFlags::CLONE_NEWUSER),
            (self.mount, CloneFlags::CLONE_NEWNS),
            (self.pid, CloneFlags::CLONE_NEWPID),
            (self.ipc, CloneFlags::CLONE_NEWIPC),
            (self.uts, CloneFlags::CLONE_NEWUTS),
            (self.cgroup, CloneFlags::CLONE_NEWCGROUP),
            (self.network, CloneFlags::CLONE_NEWNET),
        ];
        let wanted = flags.into_iter().filter(|(wanted, _)| *wanted);
        wanted.fold(CloneFlags::empty(), |all, (_, flag)| all | flag)
    }
}

/// Enters namespaces of the process that a descriptor holds, all of them or none.
pub(crate) fn enter(process: BorrowedFd<'_>, entered: Entered) -> io::Result<()> {
    let flags = entered.flags();
    if flags.is_empty() {
        return Ok(());
    }
    Ok(setns(process, flags)?)
}

/// Lets nobody look into this process or trace it but who may do so to everybody, until it runs a
/// program.
pub(crate) fn hide() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Whether this process has one thread. The kernel is asked and not `/proc`, which may be a
/// container's.
pub(crate) fn has_single_thread() -> io::Result<bool> {
    match unshare(CloneFlags::CLONE_THREAD) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Connects standard input, output and error.
pub(crate) fn set_streams(streams: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    let [input, output, error] = streams;
    dup2_stdin(input)?;
    dup2_stdout(output)?;
    Ok(dup2_stderr(error)?)
}

/// A copy of the mounts at a path as another process sees it.
pub(crate) fn copy_mounts_of(process: u32, started: u64, path: &Path) -> io::Result<OwnedFd> {
    let open = |path: String| -> nix::Result<OwnedFd> {
        open(
            path.as_str(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
    };
    let own = open("/proc/self/ns/mnt".to_owned())?;
    let theirs = open(format!("/proc/{process}/ns/mnt"))?;
    // The number was still its own when that was opened, if it is now.
    if crate::identity::start_time(process)? != started {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    setns(&theirs, CloneFlags::CLONE_NEWNS)?;
    let copied = crate::mounts::copy(None, path);
    setns(&own, CloneFlags::CLONE_NEWNS)?;
    copied
}
