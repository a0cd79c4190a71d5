//! The walls around a process of ours that reads what nobody trusts.

use std::{
    ffi::CStr,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::{Gid, Uid, fchdir, setfsgid, setfsuid, setgroups, setresgid, setresuid, setsid},
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::{
    enter::{has_single_thread, hide},
    rights,
};

/// Whom a confined process is to others: nobody.
const NOBODY: u32 = 65_534;

/// What a confined process keeps.
#[derive(Clone, Copy, Debug)]
pub struct Confinement<'a> {
    /// Its name in lists of processes.
    pub name: &'a CStr,
    /// The folder that is all it sees of files.
    pub root: BorrowedFd<'a>,
    /// The memory that it may have for itself, in bytes.
    pub memory: u64,
    /// The processor time that it may use, in seconds.
    pub seconds: u64,
    /// The files that it may have open.
    pub files: u64,
}

/// Of root's power: to give files away, to write where others may, to change what is others', to
/// let programs set the group, and to give programs capabilities. All of it counts in the root
/// alone.
const POWERS: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 31;

/// The system calls that reading a stream and making files takes.
const CALLS: [i64; 43] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fsetxattr,
    libc::SYS_utimensat,
    libc::SYS_sendmsg,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Confines this process, which must have a single thread, for good: it sees the folder alone, is
/// nobody to others, reaches no network, starts nothing, keeps of root's power what it takes to
/// make files, and may make no other system calls than those for that. It ends with the thread that
/// has started it.
///
/// Returns the folder anew, as its root.
pub fn confine(wanted: &Confinement<'_>) -> io::Result<OwnedFd> {
    if !has_single_thread()? {
        return Err(io::Error::other("it has more than one thread"));
    }
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_name(wanted.name)?;
    // Fails only for the leader of a process group.
    let _ = setsid();
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)?;
    limit(wanted)?;
    fchdir(wanted.root)?;
    rustix::process::chroot(".")?;
    nix::unistd::chdir("/")?;
    let root = crate::files::open_folder("/".as_ref())?;
    become_nobody()?;
    // The change of users has let others look at it again, or not: that is a setting of the
    // machine.
    hide()?;
    rustix::thread::set_no_new_privs(true)?;
    seccompiler::apply_filter(&filter()?).map_err(io::Error::other)?;
    Ok(root)
}

fn limit(wanted: &Confinement<'_>) -> io::Result<()> {
    for (resource, most) in [
        (Resource::RLIMIT_DATA, wanted.memory),
        (Resource::RLIMIT_CPU, wanted.seconds),
        (Resource::RLIMIT_NOFILE, wanted.files),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_CORE, 0),
    ] {
        setrlimit(resource, most, most)?;
    }
    Ok(())
}

/// Whom files belong to that it makes is still root: so they are before they are given away.
fn become_nobody() -> io::Result<()> {
    rights::limit_capabilities(POWERS)?;
    rustix::thread::set_keep_capabilities(true)?;
    setgroups(&[])?;
    let (gid, uid) = (Gid::from_raw(NOBODY), Uid::from_raw(NOBODY));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // What may change users again is gone in the next step.
    let setters = 1 << 6 | 1 << 7;
    rights::set_capabilities(POWERS | setters, 0)?;
    setfsgid(Gid::from_raw(0));
    setfsuid(Uid::from_raw(0));
    rights::set_capabilities(POWERS, 0)
}

fn filter() -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let allowed = CALLS.into_iter().map(|call| (call, Vec::new()));
    let filter = SeccompFilter::new(
        allowed.collect(),
        SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        SeccompAction::Allow,
        architecture,
    );
    filter
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)
}
