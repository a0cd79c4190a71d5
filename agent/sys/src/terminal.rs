//! Terminals: pairs of a master, which somebody types at, and a terminal, which a program has.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2},
    sys::{
        stat::{fstat, major, minor},
        statfs::{FsType, fstatfs},
    },
};

/// Where new terminals are had. `/dev/ptmx` is a link, which anybody in a container may change.
const MULTIPLEXER: &str = "/dev/pts/ptmx";

/// The kernel's number of the file system of terminals.
const DEVPTS: FsType = FsType(0x1cd1);

/// How many characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// Makes a terminal; gives the master, which does not block, and the terminal itself.
///
/// Nothing is looked up by the terminal's name: a container may have put something else there.
pub(crate) fn open_terminal(size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let master = openat2(AT_FDCWD, Path::new(MULTIPLEXER), how)?;
    let device = fstat(master.as_fd())?.st_rdev;
    let genuine = fstatfs(&master)?.filesystem_type() == DEVPTS;
    if !genuine || (major(device), minor(device)) != (5, 2) {
        return Err(io::Error::other("/dev/pts/ptmx makes no terminals"));
    }
    resize(master.as_fd(), size)?;
    let unlocked: libc::c_int = 0;
    // SAFETY: the number lives until the call is over.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) };
    Errno::result(result)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the call takes a number and reads no memory of ours.
    let peer = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
    let peer = Errno::result(peer)?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows the number.
    let terminal = unsafe { OwnedFd::from_raw_fd(peer) };
    Ok((master, terminal))
}

/// Makes a terminal the one that this process, the first of its session, is controlled by.
pub(crate) fn control_by(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes a number and reads no memory of ours.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
    Ok(Errno::result(result).map(drop)?)
}

/// Tells a terminal, by its master, how much it shows. The programs on it hear of the change.
pub fn resize(master: BorrowedFd<'_>, size: WindowSize) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the struct lives until the call is over.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Ok(Errno::result(result).map(drop)?)
}

/// How much a terminal shows.
///
/// # Errors
/// When it is no terminal.
pub fn window_size(terminal: BorrowedFd<'_>) -> io::Result<WindowSize> {
    // SAFETY: all zeroes is a valid value of this plain struct of integers.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the struct lives until the call is over.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    Errno::result(result)?;
    Ok(WindowSize {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

/// A terminal that hands on every key and changes nothing that is shown. It is as it was before
/// when this is dropped.
#[derive(Debug)]
pub struct RawTerminal {
    terminal: OwnedFd,
    before: Settings,
}

struct Settings(libc::termios);

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Settings")
    }
}

impl RawTerminal {
    /// Makes a terminal raw.
    ///
    /// # Errors
    /// When it is no terminal.
    pub fn new(terminal: BorrowedFd<'_>) -> io::Result<Self> {
        let terminal = terminal.try_clone_to_owned()?;
        // SAFETY: all zeroes is a valid value of this plain struct of integers.
        let mut settings: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the struct lives until the call is over.
        let result = unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut settings) };
        Errno::result(result)?;
        let before = Settings(settings);
        // SAFETY: the call only changes the struct.
        unsafe { libc::cfmakeraw(&raw mut settings) };
        set(&terminal, &settings)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = set(&self.terminal, &self.before.0);
    }
}

fn set(terminal: &OwnedFd, settings: &libc::termios) -> io::Result<()> {
    let number = terminal.as_raw_fd();
    // SAFETY: the struct lives until the call is over.
    let result = unsafe { libc::tcsetattr(number, libc::TCSADRAIN, std::ptr::from_ref(settings)) };
    Ok(Errno::result(result).map(drop)?)
}
