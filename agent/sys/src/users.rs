//! User namespaces: users of a container's own, which are other users outside.
//!
//! One is made empty, told by the agent which users of the machine its users are, and kept by a
//! mount until its container is removed. Whoever enters it has no power over the machine any more.

use std::{
    fs::{self, OpenOptions},
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::Path,
};

use nix::{
    fcntl::{OFlag, open},
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns},
    sys::stat::Mode,
    unistd::{Gid, Uid, setfsgid, setfsuid, setgroups, setresgid, setresuid},
};
use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};

/// Says which users and groups of this namespace those of a process' own user namespace are: its 0
/// is `start` here, and so on. It can be said once.
pub fn map_users(process: u32, start: u32, count: u32) -> io::Result<()> {
    let map = format!("0 {start} {count}");
    for kind in ["uid_map", "gid_map"] {
        let path = format!("/proc/{process}/{kind}");
        // In one call: the kernel takes no map in pieces.
        let mut file = OpenOptions::new().write(true).open(path)?;
        io::Write::write_all(&mut file, map.as_bytes())?;
    }
    Ok(())
}

/// Keeps a namespace of a process, `user` or `net`, by a mount on a new file.
pub fn keep_namespace(process: u32, kind: &str, at: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(at)?;
    let (of, none) = (format!("/proc/{process}/ns/{kind}"), None::<&str>);
    let kept = mount(Some(of.as_str()), at, none, MsFlags::MS_BIND, none);
    if kept.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(at);
    }
    Ok(kept?)
}

/// Opens a namespace that is kept by a mount.
pub(crate) fn open_kept(at: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    Ok(open(at, flags, Mode::empty())?)
}

/// Enters a user namespace as its root, for good.
pub(crate) fn enter(users: BorrowedFd<'_>) -> io::Result<()> {
    setns(users, CloneFlags::CLONE_NEWUSER)?;
    // Until here it is who it was outside, and nobody inside: what follows takes power away from
    // who was root before.
    setgroups(&[])?;
    let (gid, uid) = (Gid::from_raw(0), Uid::from_raw(0));
    setresgid(gid, gid, gid)?;
    Ok(setresuid(uid, uid, uid)?)
}

/// Does to files from now on what this user and this group may, and yet with all the power that
/// this process has: what it makes is theirs.
pub(crate) fn act_as(user: u32) -> io::Result<()> {
    // Otherwise, power over files goes with the user.
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    let (gid, uid) = (Gid::from_raw(user), Uid::from_raw(user));
    // These say only who it was before.
    setfsgid(gid);
    setfsuid(uid);
    let became = (setfsgid(gid), setfsuid(uid)) == (gid, uid);
    set_capabilities_secure_bits(CapabilitiesSecureBits::empty())?;
    if became {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::PermissionDenied))
    }
}
