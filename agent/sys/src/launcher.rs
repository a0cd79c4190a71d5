//! The first steps of the launcher process.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
        stat::Mode,
    },
    unistd::{chdir, dup2_stdin, setsid},
};

/// Makes this process the launcher, and returns the socket to the agent, which it was given as standard input.
///
/// Leaves the agent's terminal and folder, closes every file that was inherited by accident, and lets
/// children vanish when they end. Only for the very start of `main`: whatever is open then is closed.
pub fn become_launcher() -> io::Result<OwnedFd> {
    // Fails only for the leader of a process group, which has left the terminal's group already.
    let _ = setsid();
    chdir("/")?;
    // SAFETY: at the start of `main`, nothing that lives in this process owns a file above standard error.
    let closed = unsafe { libc::close_range(3, u32::MAX, 0) };
    Errno::result(closed)?;
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(open(
        "/dev/null",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)?;
    let vanish = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &vanish) }?;
    Ok(socket)
}
