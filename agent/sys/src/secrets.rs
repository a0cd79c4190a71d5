//! Secrets as files: in memory that is never written to a disk, and reached by nobody but those who
//! are shown them.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat},
    mount::{MntFlags, umount2},
    sys::stat::{Mode, fchmod},
    unistd::{Gid, Uid, fchown},
};

use crate::{Mount, User, mounts};

/// Puts secrets into a file system in memory, which is let go of but for the copies that come back:
/// one for each secret.
pub(crate) fn hold(at: &Path, secrets: &[&[u8]], owner: Option<&User>) -> io::Result<Vec<OwnedFd>> {
    // Of a file system that is attached nowhere older kernels copy nothing.
    let folder = mounts::open_root(at)?;
    mounts::attach(in_memory()?.as_fd(), folder.as_fd())?;
    let held = fill(at, secrets, owner);
    umount2(at, MntFlags::MNT_DETACH)?;
    held
}

/// A file system that is never swapped out, as a `tmpfs` is.
fn in_memory() -> io::Result<OwnedFd> {
    mounts::create(&Mount {
        kind: "ramfs".to_owned(),
        target: PathBuf::new(),
        options: "mode=0700".to_owned(),
        no_exec: true,
        devices: false,
        read_only: false,
    })
}

fn fill(at: &Path, secrets: &[&[u8]], owner: Option<&User>) -> io::Result<Vec<OwnedFd>> {
    let folder = mounts::open_root(at)?;
    let one = |(number, secret): (usize, &&[u8])| {
        let name = number.to_string();
        let file = write(folder.as_fd(), Path::new(&name), secret, owner)?;
        mounts::copy_opened(file.as_fd())
    };
    secrets.iter().enumerate().map(one).collect()
}

fn write(
    folder: BorrowedFd<'_>,
    name: &Path,
    secret: &[u8],
    owner: Option<&User>,
) -> io::Result<OwnedFd> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::S_IRUSR)?);
    file.write_all(secret)?;
    if let Some(user) = owner {
        fchown(
            &file,
            Some(Uid::from_raw(user.uid)),
            Some(Gid::from_raw(user.gid)),
        )?;
    }
    fchmod(&file, Mode::S_IRUSR)?;
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}
