//! What a container's init asks of the kernel.

use std::{
    ffi::{CStr, CString},
    fmt, io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use crate::{Entered, Logger, ResourceLimit, Signal, WindowSize};

/// What a container's init asks of the kernel, one method per step, so that the order of the steps
/// can be tested without a kernel.
///
/// Every method means the calling process. Errors are the kernel's own.
pub trait Kernel {
    /// Makes the cgroups that this process is in look like the root of the hierarchies.
    fn unshare_cgroups(&self) -> io::Result<()>;
    /// Writes a short text into a file of the kernel's, in one call.
    fn write(&self, path: &Path, text: &str) -> io::Result<()>;
    /// Enters a network namespace that is mounted on a file.
    fn join_network(&self, path: &Path) -> io::Result<()>;
    /// Stops mounts made here from showing anywhere else.
    fn detach_mounts(&self) -> io::Result<()>;
    /// Takes what the host has mounted at `path`, with all in it, out of this mount namespace; does
    /// nothing where nothing is mounted.
    fn take_off(&self, path: &Path) -> io::Result<()>;
    /// Lays layers of folders over each other, at a folder of the host. With users of its own, what
    /// belongs to a user in the lower ones belongs to the same user of these.
    fn mount_layers(
        &self,
        layers: &Layers,
        at: &Path,
        users: Option<BorrowedFd<'_>>,
    ) -> io::Result<()>;
    /// Shows copied mounts at a folder of the host, so that it can become a root.
    fn mount_folder(&self, mounts: BorrowedFd<'_>, at: &Path, read_only: bool) -> io::Result<()>;
    /// Opens the folder that all paths of the container begin at.
    fn open_root(&self, path: &Path) -> io::Result<OwnedFd>;
    /// Lets no device file in the root mean anything, wherever in it.
    fn forbid_devices(&self, root: BorrowedFd<'_>) -> io::Result<()>;
    /// Copies the mounts at a path of the host, to be shown at a place later. With a `base`, the
    /// path lies beneath that folder, whatever links it holds.
    fn copy_mounts(&self, base: Option<&Path>, source: &Path) -> io::Result<OwnedFd>;
    /// Copies the mounts at a path as a process sees it, which started at that time.
    fn copy_mounts_of(&self, process: u32, started: u64, path: &Path) -> io::Result<OwnedFd>;
    /// Opens a user namespace that is kept by a mount.
    fn open_users(&self, path: &Path) -> io::Result<OwnedFd>;
    /// Lets what belongs to a user on the disk belong to the same user of a namespace, wherever
    /// these copied mounts are shown.
    fn map_users(&self, mounts: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()>;
    /// Makes files as this user and this group of the machine from now on, with all its power.
    fn act_as(&self, user: u32) -> io::Result<()>;
    /// Becomes root of a user namespace, for good.
    fn enter_users(&self, users: BorrowedFd<'_>) -> io::Result<()>;
    /// Shows copied mounts at a place.
    fn show(&self, mounts: BorrowedFd<'_>, place: &Place<'_>, read_only: bool) -> io::Result<()>;
    /// Mounts a new file system, in a folder that is made if it is not there.
    fn mount(&self, root: BorrowedFd<'_>, mount: &Mount) -> io::Result<()>;
    /// Makes a device file.
    fn make_device(&self, root: BorrowedFd<'_>, device: &Device) -> io::Result<()>;
    /// Lets no device file in a folder that something is mounted on mean anything, whoever makes it
    /// later, but these.
    fn seal_devices(&self, root: BorrowedFd<'_>, folder: &Path, kept: &[&Path]) -> io::Result<()>;
    /// Puts secrets into a file system in memory that is mounted nowhere in the end; gives one copy
    /// of the mounts for each, to be shown at a place later. For the while, it is at this folder of
    /// the host.
    fn hold_secrets(
        &self,
        at: &Path,
        secrets: &[&[u8]],
        owner: Option<&User>,
    ) -> io::Result<Vec<OwnedFd>>;
    /// Makes a symbolic link.
    fn make_link(&self, root: BorrowedFd<'_>, path: &Path, to: &Path) -> io::Result<()>;
    /// Hides what is at a place, if anything is.
    fn mask(&self, place: &Place<'_>) -> io::Result<()>;
    /// Lets a place, if it is there, only be read, with all that is mounted below it.
    fn protect(&self, place: &Place<'_>) -> io::Result<()>;
    /// Whether a place is a folder.
    fn is_folder(&self, place: &Place<'_>) -> bool;
    /// Makes a folder where there is none, with all that is missing on the way.
    fn make_folder(&self, place: &Place<'_>) -> io::Result<()>;
    /// Makes a folder the root of this process, and lets go of everything that was there before.
    fn enter_root(&self, root: BorrowedFd<'_>) -> io::Result<()>;
    /// Sets the host name.
    fn set_hostname(&self, name: &str) -> io::Result<()>;

    /// Opens an existing file for writing, without creating or following anything at its end.
    fn open_for_writing(&self, path: &Path) -> io::Result<OwnedFd>;
    /// Writes a short text into an open file, in one call.
    fn write_to(&self, file: BorrowedFd<'_>, text: &str) -> io::Result<()>;
    /// Opens a folder, see [`open_folder`](crate::open_folder).
    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd>;
    /// Opens a file to append to, see [`open_output`](crate::open_output).
    fn open_output(&self, folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd>;
    /// Gives a file or folder to a user.
    fn give(&self, file: BorrowedFd<'_>, user: &User) -> io::Result<()>;
    /// Connects standard input to `/dev/null`, and output and error to these files.
    fn set_output(&self, out: BorrowedFd<'_>, err: BorrowedFd<'_>) -> io::Result<()>;
    /// Makes a pipe; gives the end to read from, and the end to write to.
    fn pipe(&self) -> io::Result<(OwnedFd, OwnedFd)>;
    /// Lets output and error of this process go nowhere: they are its task's alone. What it does to
    /// files from now on, it may do as this user may.
    fn let_go_of_output(&self, user: Option<&User>) -> io::Result<()>;
    /// Changes the working directory, to one that can be reached from the root (CVE-2024-21626).
    fn enter(&self, folder: BorrowedFd<'_>) -> io::Result<()>;
    /// Lets every file but standard input, output and error be closed when a program is run.
    fn close_on_exec(&self) -> io::Result<()>;

    /// Lets nobody look into this process until it runs a program, but who may trace everybody.
    fn hide(&self) -> io::Result<()>;
    /// Enters namespaces of the process that this descriptor holds, all of them or none.
    fn enter_namespaces(&self, process: BorrowedFd<'_>, entered: Entered) -> io::Result<()>;
    /// Makes a terminal, where this process finds terminals; gives its master and itself.
    fn open_terminal(&self, size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)>;
    /// Makes a terminal the one that this process, the first of its session, is controlled by.
    fn control_by(&self, terminal: BorrowedFd<'_>) -> io::Result<()>;
    /// Connects standard input, output and error.
    fn set_streams(&self, streams: [BorrowedFd<'_>; 3]) -> io::Result<()>;
    /// Closes every file but standard input, output, error and this one.
    fn keep_only(&self, file: BorrowedFd<'_>) -> io::Result<()>;

    /// Blocks all signals.
    fn block_signals(&self) -> io::Result<()>;
    /// Gives every signal its default meaning back and blocks none, as a new program expects it.
    fn reset_signals(&self) -> io::Result<()>;
    /// Waits for the next signal, which must be blocked.
    fn wait_signal(&self) -> io::Result<Signal>;
    /// Waits for the next signal, and writes a task's output meanwhile.
    fn wait_signal_and_log(&self, logger: &mut Logger) -> io::Result<Signal>;
    /// Takes the status of one ended child, if there is one.
    fn reap(&self) -> io::Result<Option<Reaped>>;
    /// Whether this process has no children, neither living nor ended.
    fn is_childless(&self) -> io::Result<bool>;
    /// Sends a signal to every process in this PID namespace but the caller.
    fn signal_all(&self, signal: Signal) -> io::Result<()>;
    /// Sends a signal to one process. One that has ended needs none.
    fn signal_one(&self, pid: i32, signal: Signal) -> io::Result<()>;
    /// Sends a signal to every process descended from the caller.
    fn signal_descendants(&self, signal: Signal) -> io::Result<()>;
    /// Makes orphaned descendants children of this process.
    fn adopt_orphans(&self) -> io::Result<()>;

    /// Names this process in lists of processes.
    fn set_name(&self, name: &CStr) -> io::Result<()>;
    /// Leaves the terminal and the process group that started this process.
    fn new_session(&self) -> io::Result<()>;
    /// Sets which permissions new files do not get.
    fn set_umask(&self, mask: u32);
    /// Sets one resource limit.
    fn set_limit(&self, limit: &ResourceLimit) -> io::Result<()>;
    /// Takes every capability that is not among these out of the bounding set, for good. Sets of
    /// capabilities are the kernel's: one bit per number.
    fn limit_capabilities(&self, bounding: u64) -> io::Result<()>;
    /// Keeps the capabilities when this process becomes another user.
    fn keep_capabilities(&self) -> io::Result<()>;
    /// Becomes a user, for good.
    fn become_user(&self, user: &User) -> io::Result<()>;
    /// Has exactly the `held` capabilities from now on; those in `passed_on` outlive an exec,
    /// whoever the user is.
    fn set_capabilities(&self, held: u64, passed_on: u64) -> io::Result<()>;
    /// Lets no program that is run give more rights than there are now.
    fn renounce_privileges(&self) -> io::Result<()>;
    /// Lets every later system call pass a classic BPF program, one number per instruction: code,
    /// jumps and operand, of 16, 8, 8 and 32 bits from above.
    fn filter_calls(&self, program: &[u64]) -> io::Result<()>;
    /// Splits in two.
    fn fork(&self) -> io::Result<Forked>;
    /// Replaces this process by a program, or says why that failed.
    fn exec(&self, path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error;
}

/// Who came back from a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The new process.
    Child,
    /// The old process, told the new one's id.
    Parent(i32),
}

/// A child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// It exited.
    Exited {
        /// Its process id.
        pid: i32,
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// Its process id.
        pid: i32,
        /// The signal.
        signal: i32,
    },
}

impl Reaped {
    /// The process id it had.
    #[must_use]
    pub const fn pid(self) -> i32 {
        match self {
            Self::Exited { pid, .. } | Self::Signaled { pid, .. } => pid,
        }
    }
}

/// A user, resolved to numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// The numbers of all its groups.
    pub groups: Vec<u32>,
}

/// A place in a container's file system, beneath its root whatever lies on the way.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The root, as [`Kernel::open_root`] opened it.
    pub root: BorrowedFd<'a>,
    /// The path from there.
    pub path: &'a Path,
    /// Whether symbolic links on the way are followed, inside the root. Otherwise they are an
    /// error.
    pub links: bool,
    /// Whether what is missing of it may be made.
    pub make: bool,
}

/// Layers of folders that are seen as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Those that are only read, the topmost first.
    pub lower: Vec<std::path::PathBuf>,
    /// The one that is written to.
    pub upper: std::path::PathBuf,
    /// An empty folder beside it that the kernel needs.
    pub work: std::path::PathBuf,
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where.
    pub path: std::path::PathBuf,
    /// Whether it is a block device, and no character device.
    pub block: bool,
    /// The number of the driver.
    pub major: u32,
    /// The number of the device among the driver's.
    pub minor: u32,
    /// Who may open it.
    pub mode: u32,
}

/// One file system to mount, in which set-user-id programs mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kind: `proc`, `tmpfs`, `cgroup2`.
    pub kind: String,
    /// Where.
    pub target: std::path::PathBuf,
    /// Whether it holds no programs.
    pub no_exec: bool,
    /// Whether device files in it mean something.
    pub devices: bool,
    /// Whether it is only read.
    pub read_only: bool,
    /// Options of the kind: `size=64m,mode=1777`.
    pub options: String,
}

impl fmt::Display for Mount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.kind, self.target.display())?;
        for (flag, name) in [
            (self.no_exec, " noexec"),
            (self.devices, " dev"),
            (self.read_only, " ro"),
        ] {
            formatter.write_str(if flag { name } else { "" })?;
        }
        if self.options.is_empty() {
            Ok(())
        } else {
            write!(formatter, " {}", self.options)
        }
    }
}
