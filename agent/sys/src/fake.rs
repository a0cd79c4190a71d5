//! A kernel that does nothing but write down what it was asked.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ffi::{CStr, CString},
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use crate::{
    Device, Entered, Forked, Kernel, Layers, Logger, Mount, Place, Reaped, ResourceLimit, Signal,
    User, WindowSize,
};

/// A kernel that does nothing but write down what it was asked, one line per call.
#[derive(Debug)]
pub struct Recorder {
    calls: RefCell<Vec<String>>,
    refused: Option<(String, i32)>,
    missing_folders: Vec<String>,
    /// Who comes back from `fork`.
    pub forked: Forked,
    /// The signals that `wait_signal` gives out; after the last it fails.
    pub signals: RefCell<VecDeque<Signal>>,
    /// The children that `reap` finds; `None` ends one round of reaping.
    pub reaped: RefCell<VecDeque<Option<Reaped>>>,
    /// What `exec` answers, path by path; `ENOENT` when it is used up.
    pub exec_errors: RefCell<VecDeque<i32>>,
}

impl Recorder {
    /// A kernel on which everything works, and which is the given side of each fork.
    #[must_use]
    pub fn new(forked: Forked) -> Self {
        Self {
            calls: RefCell::default(),
            refused: None,
            missing_folders: Vec::new(),
            forked,
            signals: RefCell::default(),
            reaped: RefCell::default(),
            exec_errors: RefCell::default(),
        }
    }

    /// Lets every call whose line starts like this fail with an error number.
    #[must_use]
    pub fn refusing(mut self, call: &str, errno: i32) -> Self {
        self.refused = Some((call.to_owned(), errno));
        self
    }

    /// Lets a folder not exist.
    #[must_use]
    pub fn without_folder(mut self, path: &str) -> Self {
        self.missing_folders.push(path.to_owned());
        self
    }

    /// What was asked so far.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }

    fn record(&self, call: String) -> io::Result<()> {
        let refused = self
            .refused
            .as_ref()
            .filter(|(start, _)| call.starts_with(start.as_str()));
        self.calls.borrow_mut().push(call);
        refused.map_or(Ok(()), |(_, errno)| {
            Err(io::Error::from_raw_os_error(*errno))
        })
    }

    fn open(&self, call: String) -> io::Result<OwnedFd> {
        self.record(call)?;
        Ok(File::open("/dev/null")?.into())
    }
}

impl Kernel for Recorder {
    fn unshare_cgroups(&self) -> io::Result<()> {
        self.record("unshare cgroups".to_owned())
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        self.record(format!("write {text} to {}", path.display()))
    }

    fn join_network(&self, path: &Path) -> io::Result<()> {
        self.record(format!("join network {}", path.display()))
    }

    fn detach_mounts(&self) -> io::Result<()> {
        self.record("detach mounts".to_owned())
    }

    fn take_off(&self, path: &Path) -> io::Result<()> {
        self.record(format!("take off {}", path.display()))
    }

    fn mount_layers(
        &self,
        layers: &Layers,
        at: &Path,
        users: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mapped = if users.is_some() { " mapped" } else { "" };
        let Layers { lower, upper, work } = layers;
        let at = at.display();
        self.record(format!(
            "mount layers {lower:?} under {upper:?} and {work:?} at {at}{mapped}"
        ))
    }

    fn mount_folder(&self, _mounts: BorrowedFd<'_>, at: &Path, read_only: bool) -> io::Result<()> {
        let mode = if read_only { " ro" } else { "" };
        self.record(format!("mount folder at {}{mode}", at.display()))
    }

    fn open_root(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(format!("open root {}", path.display()))
    }

    fn forbid_devices(&self, _root: BorrowedFd<'_>) -> io::Result<()> {
        self.record("forbid devices".to_owned())
    }

    fn copy_mounts(&self, base: Option<&Path>, source: &Path) -> io::Result<OwnedFd> {
        let base = base.map(|base| format!(" beneath {}", base.display()));
        let base = base.unwrap_or_default();
        self.open(format!("copy {}{base}", source.display()))
    }

    fn copy_mounts_of(&self, process: u32, _started: u64, path: &Path) -> io::Result<OwnedFd> {
        self.open(format!("copy {} of process {process}", path.display()))
    }

    fn open_users(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(format!("open users {}", path.display()))
    }

    fn map_users(&self, _mounts: BorrowedFd<'_>, _users: BorrowedFd<'_>) -> io::Result<()> {
        self.record("map users".to_owned())
    }

    fn act_as(&self, user: u32) -> io::Result<()> {
        self.record(format!("act as {user}"))
    }

    fn enter_users(&self, _users: BorrowedFd<'_>) -> io::Result<()> {
        self.record("enter users".to_owned())
    }

    fn show(&self, _mounts: BorrowedFd<'_>, place: &Place<'_>, read_only: bool) -> io::Result<()> {
        let mode = if read_only { " ro" } else { "" };
        self.record(format!("show at {}{mode}", shown(place)))
    }

    fn mount(&self, _root: BorrowedFd<'_>, mount: &Mount) -> io::Result<()> {
        self.record(format!("mount {mount}"))
    }

    fn make_device(&self, _root: BorrowedFd<'_>, device: &Device) -> io::Result<()> {
        let Device {
            path,
            block,
            major,
            minor,
            mode,
        } = device;
        let (path, kind) = (path.display(), if *block { 'b' } else { 'c' });
        self.record(format!(
            "make device {path} {kind} {major}:{minor} {mode:o}"
        ))
    }

    fn seal_devices(&self, _root: BorrowedFd<'_>, folder: &Path, kept: &[&Path]) -> io::Result<()> {
        self.record(format!("seal devices in {} but {kept:?}", folder.display()))
    }

    fn hold_secrets(
        &self,
        at: &Path,
        secrets: &[&[u8]],
        owner: Option<&User>,
    ) -> io::Result<Vec<OwnedFd>> {
        let (at, count) = (at.display(), secrets.len());
        let owner = owner.map(|user| format!(" of {}", user.uid));
        let call = format!("hold {count} secrets{} at {at}", owner.unwrap_or_default());
        self.record(call)?;
        let open = |_: &&[u8]| Ok(File::open("/dev/null")?.into());
        secrets.iter().map(open).collect()
    }

    fn make_link(&self, _root: BorrowedFd<'_>, path: &Path, to: &Path) -> io::Result<()> {
        self.record(format!("link {} to {}", path.display(), to.display()))
    }

    fn mask(&self, place: &Place<'_>) -> io::Result<()> {
        self.record(format!("mask {}", shown(place)))
    }

    fn protect(&self, place: &Place<'_>) -> io::Result<()> {
        self.record(format!("protect {}", shown(place)))
    }

    fn is_folder(&self, place: &Place<'_>) -> bool {
        !self
            .missing_folders
            .iter()
            .any(|missing| Path::new(missing) == place.path)
    }

    fn make_folder(&self, place: &Place<'_>) -> io::Result<()> {
        self.record(format!("make folder {}", shown(place)))
    }

    fn enter_root(&self, _root: BorrowedFd<'_>) -> io::Result<()> {
        self.record("enter root".to_owned())
    }

    fn set_hostname(&self, name: &str) -> io::Result<()> {
        self.record(format!("set hostname {name}"))
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(format!("open {} for writing", path.display()))
    }

    fn write_to(&self, _file: BorrowedFd<'_>, text: &str) -> io::Result<()> {
        self.record(format!("write {} to a file", text.trim_end()))
    }

    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(format!("open folder {}", path.display()))
    }

    fn open_output(&self, _folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
        self.open(format!("open output {name}"))
    }

    fn give(&self, _file: BorrowedFd<'_>, user: &User) -> io::Result<()> {
        self.record(format!("give to {}:{}", user.uid, user.gid))
    }

    fn set_output(&self, _out: BorrowedFd<'_>, _err: BorrowedFd<'_>) -> io::Result<()> {
        self.record("set output".to_owned())
    }

    fn pipe(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        self.record("pipe".to_owned())?;
        crate::logs::pipe()
    }

    fn let_go_of_output(&self, _user: Option<&User>) -> io::Result<()> {
        self.record("let go of output".to_owned())
    }

    fn enter(&self, _folder: BorrowedFd<'_>) -> io::Result<()> {
        self.record("enter folder".to_owned())
    }

    fn close_on_exec(&self) -> io::Result<()> {
        self.record("close on exec".to_owned())
    }

    fn hide(&self) -> io::Result<()> {
        self.record("hide".to_owned())
    }

    fn enter_namespaces(&self, _process: BorrowedFd<'_>, entered: Entered) -> io::Result<()> {
        let Entered { mount, pid, .. } = entered;
        self.record(format!("enter namespaces, mount {mount}, pid {pid}"))
    }

    fn open_terminal(&self, size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
        let WindowSize { rows, columns } = size;
        let master = self.open(format!("open terminal of {rows} by {columns}"))?;
        Ok((master, File::open("/dev/null")?.into()))
    }

    fn control_by(&self, _terminal: BorrowedFd<'_>) -> io::Result<()> {
        self.record("control by terminal".to_owned())
    }

    fn set_streams(&self, _streams: [BorrowedFd<'_>; 3]) -> io::Result<()> {
        self.record("set streams".to_owned())
    }

    fn keep_only(&self, _file: BorrowedFd<'_>) -> io::Result<()> {
        self.record("keep only one file".to_owned())
    }

    fn block_signals(&self) -> io::Result<()> {
        self.record("block signals".to_owned())
    }

    fn reset_signals(&self) -> io::Result<()> {
        self.record("reset signals".to_owned())
    }

    fn wait_signal(&self) -> io::Result<Signal> {
        self.signals
            .borrow_mut()
            .pop_front()
            .ok_or_else(|| io::Error::other("no more signals"))
    }

    fn wait_signal_and_log(&self, _logger: &mut Logger) -> io::Result<Signal> {
        self.wait_signal()
    }

    fn reap(&self) -> io::Result<Option<Reaped>> {
        Ok(self.reaped.borrow_mut().pop_front().flatten())
    }

    fn is_childless(&self) -> io::Result<bool> {
        Ok(self.reaped.borrow().is_empty())
    }

    fn signal_all(&self, signal: Signal) -> io::Result<()> {
        self.record(format!("signal all {signal}"))
    }

    fn signal_one(&self, pid: i32, signal: Signal) -> io::Result<()> {
        self.record(format!("signal {pid} {signal}"))
    }

    fn signal_descendants(&self, signal: Signal) -> io::Result<()> {
        self.record(format!("signal descendants {signal}"))
    }

    fn adopt_orphans(&self) -> io::Result<()> {
        self.record("adopt orphans".to_owned())
    }

    fn set_name(&self, name: &CStr) -> io::Result<()> {
        self.record(format!("set name {}", name.to_string_lossy()))
    }

    fn new_session(&self) -> io::Result<()> {
        self.record("new session".to_owned())
    }

    fn set_umask(&self, mask: u32) {
        // Nothing that is recorded here can be refused.
        self.calls
            .borrow_mut()
            .push(format!("set umask {mask:03o}"));
    }

    fn become_user(&self, user: &User) -> io::Result<()> {
        self.record(format!(
            "become user {}:{} {:?}",
            user.uid, user.gid, user.groups
        ))
    }

    fn set_limit(&self, limit: &ResourceLimit) -> io::Result<()> {
        let ResourceLimit {
            resource,
            soft,
            hard,
        } = limit;
        self.record(format!("limit resource {resource} to {soft} of {hard}"))
    }

    fn limit_capabilities(&self, bounding: u64) -> io::Result<()> {
        self.record(format!("limit capabilities to {bounding:x}"))
    }

    fn keep_capabilities(&self) -> io::Result<()> {
        self.record("keep capabilities".to_owned())
    }

    fn set_capabilities(&self, held: u64, passed_on: u64) -> io::Result<()> {
        self.record(format!(
            "set capabilities {held:x} passing on {passed_on:x}"
        ))
    }

    fn renounce_privileges(&self) -> io::Result<()> {
        self.record("renounce privileges".to_owned())
    }

    fn filter_calls(&self, program: &[u64]) -> io::Result<()> {
        self.record(format!("filter calls by {} instructions", program.len()))
    }

    fn fork(&self) -> io::Result<Forked> {
        self.record("fork".to_owned())?;
        Ok(self.forked)
    }

    fn exec(&self, path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
        let call = format!(
            "exec {} {arguments:?} {environment:?}",
            path.to_string_lossy()
        );
        self.calls.borrow_mut().push(call);
        let errno = self
            .exec_errors
            .borrow_mut()
            .pop_front()
            .unwrap_or(libc::ENOENT);
        io::Error::from_raw_os_error(errno)
    }
}

/// A place, and whether links may lead there.
fn shown(place: &Place<'_>) -> String {
    let links = if place.links { " over links" } else { "" };
    let made = if place.make { "" } else { " if there" };
    format!("{}{links}{made}", place.path.display())
}
