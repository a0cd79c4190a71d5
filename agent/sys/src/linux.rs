//! The real kernel.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        signal::{SaFlags, SigAction, SigHandler, SigSet, kill, sigaction},
        stat::{Mode, umask},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{
        Gid, Pid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchdir, fchown, setgroups,
        sethostname, setresgid, setresuid, setsid,
    },
};

use crate::{
    Device, Entered, Forked, Kernel, Layers, Logger, Mount, Place, Reaped, ResourceLimit, Signal,
    User, WindowSize, enter, files, identity::descendants, launcher, mounts, network, rights,
    secrets, spawn, terminal, users,
};

/// The real kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

impl Linux {
    /// Gives this process the mounts that it sees for itself, as a fork into a namespace of mounts
    /// does.
    pub fn unshare_mounts(&self) -> io::Result<()> {
        Ok(unshare(CloneFlags::CLONE_NEWNS)?)
    }
}

impl Kernel for Linux {
    fn unshare_cgroups(&self) -> io::Result<()> {
        Ok(unshare(CloneFlags::CLONE_NEWCGROUP)?)
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        nix::unistd::write(file, text.as_bytes())?;
        Ok(())
    }

    fn join_network(&self, path: &Path) -> io::Result<()> {
        network::join_network(path)
    }

    fn detach_mounts(&self) -> io::Result<()> {
        // Slaves, as Mesos has it: what the host mounts and unmounts later shows here, so that a
        // container does not hold on to a disk that the host wants to take out; never the reverse.
        let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
    }

    fn take_off(&self, path: &Path) -> io::Result<()> {
        match umount2(path, MntFlags::MNT_DETACH) {
            // It is no mount, or there is nothing: of the host's none is to be seen either way.
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
            done => Ok(done?),
        }
    }

    fn mount_layers(
        &self,
        layers: &Layers,
        at: &Path,
        users: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        match users {
            Some(users) => mounts::mount_layers_of(layers, at, users),
            None => mounts::mount_layers(layers, at),
        }
    }

    fn mount_folder(&self, mounts: BorrowedFd<'_>, at: &Path, read_only: bool) -> io::Result<()> {
        mounts::mount_folder(mounts, at, read_only)
    }

    fn open_root(&self, path: &Path) -> io::Result<OwnedFd> {
        mounts::open_root(path)
    }

    fn forbid_devices(&self, root: BorrowedFd<'_>) -> io::Result<()> {
        mounts::restrict(root, libc::MOUNT_ATTR_NODEV)
    }

    fn copy_mounts(&self, base: Option<&Path>, source: &Path) -> io::Result<OwnedFd> {
        mounts::copy(base, source)
    }

    fn copy_mounts_of(&self, process: u32, started: u64, path: &Path) -> io::Result<OwnedFd> {
        enter::copy_mounts_of(process, started, path)
    }

    fn open_users(&self, path: &Path) -> io::Result<OwnedFd> {
        users::open_kept(path)
    }

    fn map_users(&self, mounts: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()> {
        mounts::map_users(mounts, users)
    }

    fn act_as(&self, user: u32) -> io::Result<()> {
        users::act_as(user)
    }

    fn enter_users(&self, users: BorrowedFd<'_>) -> io::Result<()> {
        users::enter(users)
    }

    fn show(&self, mounts: BorrowedFd<'_>, place: &Place<'_>, read_only: bool) -> io::Result<()> {
        mounts::show(mounts, place, read_only)
    }

    fn mount(&self, root: BorrowedFd<'_>, wanted: &Mount) -> io::Result<()> {
        mounts::mount_at(root, wanted)
    }

    fn make_device(&self, root: BorrowedFd<'_>, device: &Device) -> io::Result<()> {
        mounts::make_device(root, device)
    }

    fn seal_devices(&self, root: BorrowedFd<'_>, folder: &Path, kept: &[&Path]) -> io::Result<()> {
        mounts::seal_devices(root, folder, kept)
    }

    fn hold_secrets(
        &self,
        at: &Path,
        secrets: &[&[u8]],
        owner: Option<&User>,
    ) -> io::Result<Vec<OwnedFd>> {
        secrets::hold(at, secrets, owner)
    }

    fn make_link(&self, root: BorrowedFd<'_>, path: &Path, to: &Path) -> io::Result<()> {
        mounts::make_link(root, path, to)
    }

    fn mask(&self, place: &Place<'_>) -> io::Result<()> {
        mounts::mask(place)
    }

    fn protect(&self, place: &Place<'_>) -> io::Result<()> {
        mounts::protect(place)
    }

    fn is_folder(&self, place: &Place<'_>) -> bool {
        mounts::is_folder_at(place)
    }

    fn make_folder(&self, place: &Place<'_>) -> io::Result<()> {
        mounts::make_folder(place)
    }

    fn enter_root(&self, root: BorrowedFd<'_>) -> io::Result<()> {
        mounts::enter_root(root)
    }

    fn set_hostname(&self, name: &str) -> io::Result<()> {
        Ok(sethostname(name)?)
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(open(path, flags, Mode::empty())?)
    }

    fn write_to(&self, file: BorrowedFd<'_>, text: &str) -> io::Result<()> {
        nix::unistd::write(file, text.as_bytes())?;
        Ok(())
    }

    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        files::open_folder(path)
    }

    fn open_output(&self, folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
        files::open_output(folder, name)
    }

    fn give(&self, file: BorrowedFd<'_>, user: &User) -> io::Result<()> {
        Ok(fchown(
            file,
            Some(Uid::from_raw(user.uid)),
            Some(Gid::from_raw(user.gid)),
        )?)
    }

    fn set_output(&self, out: BorrowedFd<'_>, err: BorrowedFd<'_>) -> io::Result<()> {
        dup2_stdin(open(
            "/dev/null",
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?)?;
        dup2_stdout(out)?;
        Ok(dup2_stderr(err)?)
    }

    fn pipe(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        crate::logs::pipe()
    }

    fn let_go_of_output(&self, user: Option<&User>) -> io::Result<()> {
        let nothing = open(
            "/dev/null",
            OFlag::O_WRONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        dup2_stdout(&nothing)?;
        dup2_stderr(&nothing)?;
        if let Some(user) = user {
            // These say nothing when they fail: then files cannot take turns, and are emptied.
            nix::unistd::setfsgid(Gid::from_raw(user.gid));
            nix::unistd::setfsuid(Uid::from_raw(user.uid));
        }
        Ok(())
    }

    fn enter(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        fchdir(folder)?;
        // The kernel finds no way to a folder that is outside the root.
        nix::unistd::getcwd().map(drop).map_err(Into::into)
    }

    fn close_on_exec(&self) -> io::Result<()> {
        // SAFETY: the flag closes nothing now; it only marks files for the time of an exec.
        let result = unsafe { libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) };
        Ok(Errno::result(result).map(drop)?)
    }

    fn hide(&self) -> io::Result<()> {
        enter::hide()
    }

    fn enter_namespaces(&self, process: BorrowedFd<'_>, entered: Entered) -> io::Result<()> {
        enter::enter(process, entered)
    }

    fn open_terminal(&self, size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
        terminal::open_terminal(size)
    }

    fn control_by(&self, controlling: BorrowedFd<'_>) -> io::Result<()> {
        terminal::control_by(controlling)
    }

    fn set_streams(&self, streams: [BorrowedFd<'_>; 3]) -> io::Result<()> {
        enter::set_streams(streams)
    }

    fn keep_only(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        launcher::keep_only(file)
    }

    fn block_signals(&self) -> io::Result<()> {
        Ok(SigSet::all().thread_set_mask()?)
    }

    fn reset_signals(&self) -> io::Result<()> {
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        for signal in Signal::iterator() {
            if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
                // SAFETY: the default action runs no code of ours.
                unsafe { sigaction(signal, &default) }?;
            }
        }
        Ok(SigSet::empty().thread_set_mask()?)
    }

    fn wait_signal(&self) -> io::Result<Signal> {
        loop {
            match SigSet::all().wait() {
                // A real-time signal, which has no name and means nothing to an init.
                Err(Errno::EINVAL) => {}
                waited => return Ok(waited?),
            }
        }
    }

    fn wait_signal_and_log(&self, logger: &mut Logger) -> io::Result<Signal> {
        logger.wait_signal()
    }

    fn reap(&self) -> io::Result<Option<Reaped>> {
        let mut status = 0;
        // By hand, since nix takes the end by a real-time signal for an error and loses the child.
        // SAFETY: the status lives until the call is over.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            0 => Ok(None),
            -1 => match Errno::last() {
                Errno::ECHILD => Ok(None),
                error => Err(error.into()),
            },
            pid if libc::WIFEXITED(status) => Ok(Some(Reaped::Exited {
                pid,
                code: libc::WEXITSTATUS(status),
            })),
            pid => Ok(Some(Reaped::Signaled {
                pid,
                signal: libc::WTERMSIG(status),
            })),
        }
    }

    fn is_childless(&self) -> io::Result<bool> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        Ok(waitid(Id::All, look) == Err(Errno::ECHILD))
    }

    fn signal_all(&self, signal: Signal) -> io::Result<()> {
        match kill(Pid::from_raw(-1), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn signal_one(&self, pid: i32, signal: Signal) -> io::Result<()> {
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn signal_descendants(&self, signal: Signal) -> io::Result<()> {
        // Whoever ended while we looked needs no signal.
        let mut all = descendants(std::process::id()).into_iter();
        all.try_for_each(|pid| self.signal_one(pid, signal))
    }

    fn adopt_orphans(&self) -> io::Result<()> {
        Ok(prctl::set_child_subreaper(true)?)
    }

    fn set_name(&self, name: &CStr) -> io::Result<()> {
        Ok(prctl::set_name(name)?)
    }

    fn new_session(&self) -> io::Result<()> {
        setsid()?;
        Ok(())
    }

    fn set_umask(&self, mask: u32) {
        umask(Mode::from_bits_truncate(mask));
    }

    fn set_limit(&self, limit: &ResourceLimit) -> io::Result<()> {
        rights::set_limit(limit)
    }

    fn limit_capabilities(&self, bounding: u64) -> io::Result<()> {
        rights::limit_capabilities(bounding)
    }

    fn keep_capabilities(&self) -> io::Result<()> {
        Ok(rustix::thread::set_keep_capabilities(true)?)
    }

    fn become_user(&self, user: &User) -> io::Result<()> {
        let groups: Vec<_> = user.groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups)?;
        let gid = Gid::from_raw(user.gid);
        setresgid(gid, gid, gid)?;
        let uid = Uid::from_raw(user.uid);
        Ok(setresuid(uid, uid, uid)?)
    }

    fn set_capabilities(&self, held: u64, passed_on: u64) -> io::Result<()> {
        rights::set_capabilities(held, passed_on)
    }

    fn renounce_privileges(&self) -> io::Result<()> {
        Ok(rustix::thread::set_no_new_privs(true)?)
    }

    fn filter_calls(&self, program: &[u64]) -> io::Result<()> {
        rights::filter_calls(program)
    }

    fn fork(&self) -> io::Result<Forked> {
        spawn::fork()
    }

    fn exec(&self, path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
        match execve(path, arguments, environment) {
            Ok(never) => match never {},
            Err(error) => error.into(),
        }
    }
}
