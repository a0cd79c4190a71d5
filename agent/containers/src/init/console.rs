//! The console of a container whose program has a terminal: a process beside it, a child of the
//! init, which holds the terminal's master. What the program writes goes to the sandbox, and to
//! whoever has connected to a socket in the container's record folder; what these say goes to the
//! program. So the terminal outlives the agent, and later agents find it.
//!
//! Towards the console each message is a byte for its kind, the length of what follows in four
//! bytes, the highest first, and that: input, or a window's rows and columns in two bytes each.
//! Away from it there is nothing but what the program writes.

mod pump;

use std::{
    fs::File,
    io::{self, PipeReader},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::Path,
    time::Instant,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use tepui_sys::{Forked, Kernel, User};

use self::pump::Pump;
use super::{session::wire::TerminalPlan, start::keep_powers, wire::Failure};
use crate::limits::{CONSOLE_FINISH, CONSOLE_LOOK};

/// A terminal whose console runs.
#[derive(Debug)]
pub(super) struct Console {
    /// Kept open while the program runs: it is over when nobody has it any more.
    terminal: OwnedFd,
    /// Closed when the console has ended.
    over: PipeReader,
}

/// Makes the socket that the console listens at. Its path may be longer than a socket's name.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let folder = File::open(folder)?;
    let short = format!("/proc/self/fd/{}", folder.as_raw_fd());
    UnixListener::bind(Path::new(&short).join(name))
}

/// Makes the terminal and starts its console. What it passes on goes to standard output: the file
/// in the sandbox, or a pipe to the init if files take turns.
pub(super) fn start(
    kernel: &impl Kernel,
    listener: UnixListener,
    size: TerminalPlan,
    user: Option<&User>,
    lessen: bool,
) -> Result<Console, Failure> {
    let opened = kernel.open_terminal(size.into());
    let (master, terminal) = opened.map_err(Failure::step("make a terminal"))?;
    if let Some(user) = user {
        let given = kernel.give(terminal.as_fd(), user);
        given.map_err(Failure::step("give the terminal to the task's user"))?;
    }
    let (over, alive) = io::pipe().map_err(Failure::step("make a pipe"))?;
    match kernel.fork().map_err(Failure::step("fork"))? {
        Forked::Parent(_) => Ok(Console { terminal, over }),
        Forked::Child => {
            let outcome = become_console(kernel, &master, &listener, &alive);
            // To pass on what is written takes no power.
            let outcome = outcome.and_then(|()| match lessen {
                true => keep_powers(kernel, 0),
                false => Ok(()),
            });
            let outcome = outcome.and_then(|()| Pump::of_streams());
            // A console that fails ends, and the terminal hangs up.
            let failed = outcome.and_then(Pump::run).is_err();
            tepui_sys::leave(u8::from(failed))
        }
    }
}

/// Hides, and keeps the master, the output and the socket as its standard streams, and nothing
/// else.
fn become_console(
    kernel: &impl Kernel,
    master: &OwnedFd,
    listener: &UnixListener,
    alive: &io::PipeWriter,
) -> io::Result<()> {
    kernel.set_name(c"tepui-console")?;
    kernel.hide()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    kernel.set_streams([master.as_fd(), output.as_fd(), listener.as_fd()])?;
    std::mem::forget(output);
    kernel.keep_only(alive.as_fd())
}

impl Console {
    /// Gives the terminal to the program that is about to be run, which this process is to become.
    pub(super) fn connect(&self, kernel: &impl Kernel) -> io::Result<()> {
        kernel.control_by(self.terminal.as_fd())?;
        kernel.set_streams([self.terminal.as_fd(); 3])
    }

    /// Waits until the console has passed on what the program has written, and takes it meanwhile.
    /// Whoever still has the terminal is not waited for long.
    pub(super) fn finish(self, mut take: impl FnMut()) {
        drop(self.terminal);
        let look = PollTimeout::try_from(CONSOLE_LOOK).unwrap_or(PollTimeout::ZERO);
        let mut over = [PollFd::new(self.over.as_fd(), PollFlags::POLLIN)];
        let late = Instant::now() + CONSOLE_FINISH;
        // If it cannot be waited for, the rest of the output is lost.
        while matches!(poll(&mut over, look), Ok(0) | Err(Errno::EINTR)) && Instant::now() < late {
            take();
        }
    }
}
