//! New processes in new namespaces.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::Forked;

/// The kernel's `CLONE_INTO_CGROUP`, which does not fit into libc's type for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The namespaces that a new process gets for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mounts.
    pub mount: bool,
    /// Process ids: the new process is number 1.
    pub pid: bool,
    /// System V and POSIX interprocess communication.
    pub ipc: bool,
    /// The host name.
    pub uts: bool,
    /// Users: the new process is nobody outside, and what else it gets belongs to these.
    pub user: bool,
    /// Networks.
    pub network: bool,
}

impl Namespaces {
    fn flags(self) -> i32 {
        let flags = [
            (self.mount, libc::CLONE_NEWNS),
            (self.pid, libc::CLONE_NEWPID),
            (self.ipc, libc::CLONE_NEWIPC),
            (self.uts, libc::CLONE_NEWUTS),
            (self.user, libc::CLONE_NEWUSER),
            (self.network, libc::CLONE_NEWNET),
        ];
        flags
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .fold(0, |all, (_, flag)| all | flag)
    }
}

/// Forks into new namespaces, and into a v2 cgroup if one is given.
///
/// Only for programs with a single thread: with more, the child would find locks held for ever, so
/// that is an error.
pub fn spawn(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    require_single_thread()?;
    // SAFETY: all zeroes is a valid value of this plain struct of integers.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = namespaces.flags() as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let size = size_of::<libc::clone_args>();
    // SAFETY: without CLONE_VM the child has its own copy of the memory, as after fork, and there
    // is no second thread that could hold a lock in it. The struct lives until the call is over.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid as i32)),
    }
}

/// The plain fork, with the same rule.
pub(crate) fn fork() -> io::Result<Forked> {
    require_single_thread()?;
    // SAFETY: there is no second thread that could hold a lock in the child's copy of the memory.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(Forked::Child),
        nix::unistd::ForkResult::Parent { child } => Ok(Forked::Parent(child.as_raw())),
    }
}

fn require_single_thread() -> io::Result<()> {
    if crate::enter::has_single_thread()? {
        return Ok(());
    }
    Err(io::Error::other(
        "only a program with a single thread may fork",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_threads_must_not_fork() {
        // The test harness runs every test in a thread of its own.
        let error = spawn(Namespaces::default(), None).unwrap_err();
        assert!(error.to_string().contains("single thread"), "{error}");
        assert!(fork().is_err());
    }
}
