//! A folder in the making, in which no path leads astray.
//!
//! Every folder on the way is opened beneath the tree's root by the kernel, where links of the
//! layer mean the layer; what is at the end of a path is never followed.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
        chmodat, chownat, fchmod, fchown, fsetxattr, futimens, linkat, makedev, mkdirat, mknodat,
        openat, openat2, statat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{apart::OPAQUE_FOLDER, entries::Entry};
use crate::path::EntryPath;

/// Says to an overlay that a folder shows nothing of lower layers.
const OPAQUE: &str = "trusted.overlay.opaque";

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A folder in the making.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    /// The folder that was last worked in: most entries follow others of the same folder.
    last: Option<(Vec<u8>, OwnedFd)>,
    /// To whom folders are sent that are to show nothing of lower layers, where that cannot be set
    /// here.
    marker: Option<OwnedFd>,
}

impl Tree {
    pub(super) const fn new(root: OwnedFd) -> Self {
        Self {
            root,
            last: None,
            marker: None,
        }
    }

    /// One that has somebody else set what takes more power than to make files.
    pub(super) const fn marked_by(root: OwnedFd, marker: OwnedFd) -> Self {
        Self {
            root,
            last: None,
            marker: Some(marker),
        }
    }

    fn set_opaque(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        match &self.marker {
            Some(marker) => tepui_sys::send(marker.as_fd(), &[OPAQUE_FOLDER], &[folder]).map(drop),
            None => set_opaque(folder),
        }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a folder, and makes what is missing on the way.
    pub(super) fn folder(&mut self, path: &[u8]) -> io::Result<&OwnedFd> {
        if path.is_empty() {
            return Ok(&self.root);
        }
        let is_last = self.last.as_ref().is_some_and(|(last, _)| last == path);
        if !is_last {
            let opened = match self.open(path) {
                Err(Errno::NOENT) => self.make_folders(path)?,
                opened => opened?,
            };
            self.last = Some((path.to_owned(), opened));
        }
        match &self.last {
            Some((_, folder)) => Ok(folder),
            None => Ok(&self.root),
        }
    }

    fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.root, path, flags, Mode::empty(), resolve)
    }

    fn make_folders(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let ends = path.iter().enumerate();
        let ends = ends.filter_map(|(at, byte)| (*byte == b'/').then_some(at));
        let mut parent = self.open(b"/")?;
        let mut begin = 0;
        for end in ends.chain([path.len()]) {
            parent = match self.open(&path[..end]) {
                Err(Errno::NOENT) => {
                    mkdirat(&parent, &path[begin..end], Mode::from_raw_mode(0o755))?;
                    self.open(&path[..end])?
                }
                opened => opened?,
            };
            begin = end + 1;
        }
        Ok(parent)
    }

    /// Makes a new file, in place of what has its name.
    pub(super) fn file(&mut self, path: &EntryPath) -> io::Result<OwnedFd> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        self.replace(path, |folder, name| {
            openat(folder, name, flags | OFlags::CLOEXEC, mode)
        })
    }

    pub(super) fn symlink(&mut self, path: &EntryPath, to: &[u8]) -> io::Result<()> {
        self.replace(path, |folder, name| symlinkat(to, folder, name))
    }

    pub(super) fn fifo(&mut self, path: &EntryPath) -> io::Result<()> {
        let mode = Mode::from_raw_mode(0o600);
        self.replace(path, |folder, name| {
            mknodat(folder, name, FileType::Fifo, mode, 0)
        })
    }

    /// Gives what is at a path of this layer another name. A link has a new name as a link.
    pub(super) fn hard_link(&mut self, path: &EntryPath, to: &EntryPath) -> io::Result<()> {
        if path == to || to.is_root() {
            return Err(Errno::EXIST.into());
        }
        let source = self.open(if to.folder().is_empty() {
            b"/"
        } else {
            to.folder()
        })?;
        // Found before what has the new name is taken away: that may be what it leads to.
        statat(&source, to.name(), AtFlags::SYMLINK_NOFOLLOW)?;
        self.replace(path, |folder, name| {
            linkat(&source, to.name(), folder, name, AtFlags::empty())
        })
    }

    /// Makes a folder, or keeps the one that is there; opens it.
    pub(super) fn directory(&mut self, path: &EntryPath) -> io::Result<OwnedFd> {
        if path.is_root() {
            return Ok(self.open(b"/")?);
        }
        let folder = self.folder(path.folder())?;
        let mut opaque = false;
        let mode = Mode::from_raw_mode(0o700);
        if mkdirat(folder, path.name(), mode) == Err(Errno::EXIST) {
            let there = statat(folder, path.name(), AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(there.st_mode) != FileType::Directory {
                // What hid a folder of lower layers gives way to one that shows nothing of them.
                opaque = is_whiteout(&there);
                unlinkat(folder, path.name(), AtFlags::empty())?;
                mkdirat(folder, path.name(), mode)?;
                self.last = None;
            }
        }
        let folder = self.folder(path.folder())?;
        let opened = openat(folder, path.name(), FOLDER, Mode::empty())?;
        if opaque {
            self.set_opaque(opened.as_fd())?;
        }
        Ok(opened)
    }

    /// Lets a name of lower layers not be seen. What this layer has of that name is seen.
    pub(super) fn hide(&mut self, path: &EntryPath, hidden: &[u8]) -> io::Result<()> {
        let folder = self.folder(path.folder())?;
        let nothing = makedev(0, 0);
        let mode = Mode::empty();
        match mknodat(folder, hidden, FileType::CharacterDevice, mode, nothing) {
            Err(Errno::EXIST) => {}
            made => return Ok(made?),
        }
        let there = statat(folder, hidden, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(there.st_mode) == FileType::Directory {
            let hidden = openat(folder, hidden, FOLDER, Mode::empty())?;
            self.set_opaque(hidden.as_fd())?;
        }
        Ok(())
    }

    /// Lets nothing that lower layers have in a folder be seen.
    pub(super) fn make_opaque(&mut self, folder: &[u8]) -> io::Result<()> {
        let folder = self.folder(folder)?.try_clone()?;
        self.set_opaque(folder.as_fd())
    }

    /// Makes something under a name. What has it is taken away, unless it is a folder with
    /// contents.
    fn replace<T>(
        &mut self,
        path: &EntryPath,
        make: impl Fn(BorrowedFd<'_>, &OsStr) -> Result<T, Errno>,
    ) -> io::Result<T> {
        if path.is_root() {
            return Err(Errno::ISDIR.into());
        }
        let name = OsStr::from_bytes(path.name());
        let folder = self.folder(path.folder())?;
        match make(folder.as_fd(), name) {
            Err(Errno::EXIST) => {}
            made => return Ok(made?),
        }
        let there = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(there.st_mode);
        let flags = match kind {
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        unlinkat(folder, name, flags)?;
        let made = make(folder.as_fd(), name)?;
        // What was taken away may have been on the way there.
        self.last = None;
        Ok(made)
    }

    /// Sets owner, permissions and time of what has no descriptor: a link, a pipe.
    pub(super) fn describe(&mut self, entry: &Entry, is_link: bool) -> io::Result<()> {
        let folder = self.folder(entry.path.folder())?;
        let name = entry.path.name();
        if let Some((uid, gid)) = owner(entry) {
            chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !is_link {
            chmodat(
                folder,
                name,
                Mode::from_raw_mode(entry.mode),
                AtFlags::empty(),
            )?;
        }
        let times = times(entry.modified);
        Ok(utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the time of a folder, once everything is in it.
    pub(super) fn set_time(&self, path: &[u8], modified: (i64, u32)) -> io::Result<()> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let path = if path.is_empty() { b"." } else { path };
        match openat2(&self.root, path, FOLDER, Mode::empty(), resolve) {
            Ok(folder) => Ok(futimens(folder, &times(modified))?),
            // It gave way to something else, or is reached through a link.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Sets owner, attributes and permissions of an open file or folder, in the order in which none of
/// them takes back another.
pub(super) fn describe_open(file: BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
    if let Some((uid, gid)) = owner(entry) {
        fchown(file, uid, gid)?;
    }
    for (name, value) in &entry.attributes {
        match fsetxattr(file, name.as_str(), value, XattrFlags::empty()) {
            // Some file systems have no user attributes; programs live without them.
            Err(Errno::OPNOTSUPP) if name.starts_with("user.") => {}
            set => set?,
        }
    }
    Ok(fchmod(file, Mode::from_raw_mode(entry.mode))?)
}

/// Sets the time of an open file.
pub(super) fn set_time_open(file: BorrowedFd<'_>, modified: (i64, u32)) -> io::Result<()> {
    Ok(futimens(file, &times(modified))?)
}

fn owner(entry: &Entry) -> Option<(Option<Uid>, Option<Gid>)> {
    let (uid, gid) = entry.owner?;
    Some((Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
}

fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Lets a folder show nothing of lower layers.
pub(super) fn set_opaque(folder: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())?)
}

fn is_whiteout(there: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(there.st_mode) == FileType::CharacterDevice
        && there.st_rdev == makedev(0, 0)
}
