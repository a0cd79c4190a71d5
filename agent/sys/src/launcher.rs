//! The first steps of the launcher process.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{
        prctl,
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
        stat::Mode,
    },
    unistd::{chdir, dup2_stdin, setsid},
};

/// Makes this process the launcher, and returns the socket to the agent, which it was given as
/// standard input.
///
/// Leaves the agent's terminal and folder, closes every file that was inherited by accident, and
/// lets children vanish when they end. Only for the very start of `main`: whatever is open then is
/// closed.
pub fn become_launcher() -> io::Result<OwnedFd> {
    // Fails only for the leader of a process group, which has left the terminal's group already.
    let _ = setsid();
    chdir("/")?;
    close_inherited()?;
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(open(
        "/dev/null",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)?;
    let vanish = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &vanish) }?;
    // Inits that are made by way of a seat have a parent that ends at once: they become ours, and
    // vanish too.
    prctl::set_child_subreaper(true)?;
    Ok(socket)
}

/// Closes every file but standard input, output and error. Only for the very start of `main`,
/// before anything is opened.
pub fn close_inherited() -> io::Result<()> {
    // SAFETY: at the start of `main`, nothing that lives in this process owns a file above standard
    // error.
    let closed = unsafe { libc::close_range(3, u32::MAX, 0) };
    Ok(Errno::result(closed).map(drop)?)
}

/// Closes every file but standard input, output, error and this one. For a process that was forked
/// off a launcher and never goes back to where the others are owned: it ends with [`leave`].
pub fn keep_only(file: BorrowedFd<'_>) -> io::Result<()> {
    let number = file.as_raw_fd().cast_unsigned();
    for (first, last) in [(3, number - 1), (number + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: the owners of these files are further up the stack, and are not returned to.
            let closed = unsafe { libc::close_range(first, last, 0) };
            Errno::result(closed)?;
        }
    }
    Ok(())
}

/// Ends this process, which was forked off a launcher, without the end that the launcher's program
/// has prepared for itself.
pub fn leave(code: u8) -> ! {
    // SAFETY: it ends the process, and runs nothing on the way.
    unsafe { libc::_exit(i32::from(code)) }
}
