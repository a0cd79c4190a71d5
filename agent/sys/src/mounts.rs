//! Mounts that no path leads astray.
//!
//! Every tree of mounts is made or copied first, attached nowhere, and then moved to a place that
//! was opened beneath a container's root. What a task or an image has put on the way, links or
//! folders that change places, leads nowhere else (CVE-2021-30465, CVE-2025-31133).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat, openat2},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::stat::{
        FchmodatFlags, Mode, SFlag, fchmodat, fstat, major, makedev, minor, mkdirat, mknodat,
    },
    unistd::{chdir, fchdir, symlinkat},
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::{Device, Layers, Mount, Place};

/// The device that is always empty, and hides files.
const NULL: (u64, u64) = (1, 3);

/// Opens a place. `None` if it is not there.
fn open_place(place: &Place<'_>) -> io::Result<Option<OwnedFd>> {
    match open_from(place.root, place.path, place.links) {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::ENOENT) => Ok(None),
        Err(Errno::ELOOP) => Err(io::Error::other(
            "there is a symbolic link on the way to it",
        )),
        Err(error) => Err(error.into()),
    }
}

fn open_from(root: BorrowedFd<'_>, path: &Path, links: bool) -> nix::Result<OwnedFd> {
    // An absolute path means the root here, and never leaves it.
    let mut resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    resolve.set(ResolveFlag::RESOLVE_NO_SYMLINKS, !links);
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    openat2(root, path, OpenHow::new().flags(flags).resolve(resolve))
}

/// Opens a place, and makes what is missing of it: folders, and at the end a folder or a file.
fn open_or_make(place: &Place<'_>, file: bool) -> io::Result<OwnedFd> {
    if let Some(opened) = open_place(place)? {
        return Ok(opened);
    }
    if !place.make {
        return Err(io::Error::other(
            "there is nothing at that path to show it over",
        ));
    }
    let (mut parent, mut so_far) = (place.root.try_clone_to_owned()?, PathBuf::from("/"));
    let names: Vec<_> = place
        .path
        .components()
        .filter_map(|component| match component {
            std::path::Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    for (at, name) in names.iter().enumerate() {
        so_far.push(name);
        let next = Place {
            path: &so_far,
            ..*place
        };
        parent = match open_place(&next)? {
            Some(opened) => opened,
            None => {
                let is_file = file && at + 1 == names.len();
                let made = make(parent.as_fd(), Path::new(name), is_file);
                // Somebody else may have made it at the same moment.
                match (open_place(&next)?, made) {
                    (Some(opened), Ok(()) | Err(nix::Error::EEXIST)) => opened,
                    (_, Err(error)) => return Err(error.into()),
                    (None, Ok(())) => return Err(io::ErrorKind::NotFound.into()),
                }
            }
        };
    }
    Ok(parent)
}

/// A name that is there, as that of a link to nowhere, is an error.
fn make(parent: BorrowedFd<'_>, name: &Path, file: bool) -> nix::Result<()> {
    if file {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(
            parent,
            name,
            flags | OFlag::O_WRONLY,
            Mode::from_bits_truncate(0o644),
        )
        .map(drop)
    } else {
        mkdirat(parent, name, Mode::from_bits_truncate(0o755))
    }
}

fn is_folder(file: BorrowedFd<'_>) -> io::Result<bool> {
    let mode = fstat(file)?.st_mode;
    Ok(SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

/// Makes a folder where there is none.
pub(crate) fn make_folder(place: &Place<'_>) -> io::Result<()> {
    open_or_make(place, false).map(drop)
}

/// Whether a place is a folder.
pub(crate) fn is_folder_at(place: &Place<'_>) -> bool {
    let opened = open_place(place);
    opened.is_ok_and(|opened| opened.is_some_and(|file| is_folder(file.as_fd()).unwrap_or(false)))
}

pub(crate) fn attach(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree, "", place, "", flags)?)
}

/// A new file system, attached nowhere.
pub(crate) fn create(wanted: &Mount) -> io::Result<OwnedFd> {
    let context = fsopen(wanted.kind.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", wanted.kind.as_str())?;
    for option in wanted
        .options
        .split(',')
        .filter(|option| !option.is_empty())
    {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(context.as_fd(), key, value)?,
            None => fsconfig_set_flag(context.as_fd(), option)?,
        }
    }
    fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID;
    attributes.set(MountAttrFlags::MOUNT_ATTR_NODEV, !wanted.devices);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, wanted.no_exec);
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, wanted.read_only);
    Ok(fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}

/// Mounts a new file system, and makes the folder for it where there is none.
pub(crate) fn mount_at(root: BorrowedFd<'_>, wanted: &Mount) -> io::Result<()> {
    let tree = create(wanted)?;
    let place = Place {
        root,
        path: &wanted.target,
        links: false,
        make: true,
    };
    attach(tree.as_fd(), open_or_make(&place, false)?.as_fd())
}

/// A copy of the mounts at a path of the host, attached nowhere. Its own name must be no link, and
/// with a `base` it lies beneath that folder (CVE-2026-14896).
pub(crate) fn copy(base: Option<&Path>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    resolve.set(ResolveFlag::RESOLVE_BENEATH, base.is_some());
    let how = OpenHow::new().flags(flags).resolve(resolve);
    let opened = match base {
        Some(base) => openat2(open_root(base)?, path, how)?,
        None => openat2(AT_FDCWD, path, how)?,
    };
    let kind = SFlag::from_bits_truncate(fstat(opened.as_fd())?.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFLNK {
        return Err(io::Error::other("it is a symbolic link"));
    }
    copy_opened(opened.as_fd())
}

/// Makes a folder beneath another, with all that is missing on the way. Symbolic links
/// on the way are an error.
pub fn make_beneath(folder: &Path, path: &Path) -> io::Result<OwnedFd> {
    let root = open_root(folder)?;
    let place = Place {
        root: root.as_fd(),
        path,
        links: false,
        make: true,
    };
    open_or_make(&place, false)
}

pub(crate) fn copy_opened(opened: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(opened, "", flags)?)
}

/// Attaches a copy at a place.
pub(crate) fn show(tree: BorrowedFd<'_>, place: &Place<'_>, read_only: bool) -> io::Result<()> {
    let attributes = if read_only {
        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV
    } else {
        libc::MOUNT_ATTR_NODEV
    };
    restrict(tree, attributes)?;
    let target = open_or_make(place, !is_folder(tree)?)?;
    attach(tree, target.as_fd())
}

/// Restricts every mount of a tree.
pub(crate) fn restrict(tree: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    set_attributes(tree, attributes, libc::AT_RECURSIVE)
}

/// Lets what belongs to a user on the disk belong to the same user of a namespace, in a copy that
/// is attached nowhere. Not every file system can.
pub(crate) fn map_users(tree: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()> {
    let users = std::os::fd::AsRawFd::as_raw_fd(&users);
    change(tree, libc::MOUNT_ATTR_IDMAP, libc::AT_RECURSIVE, users)
}

fn set_attributes(tree: BorrowedFd<'_>, attributes: u64, flags: i32) -> io::Result<()> {
    change(tree, attributes, flags, 0)
}

fn change(tree: BorrowedFd<'_>, attributes: u64, flags: i32, users: i32) -> io::Result<()> {
    // SAFETY: all zeroes is a valid value of this plain struct of integers.
    let mut wanted: libc::mount_attr = unsafe { std::mem::zeroed() };
    wanted.attr_set = attributes;
    wanted.userns_fd = u64::from(users.unsigned_abs());
    // SAFETY: path and struct live until the call is over, and the size is the struct's.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            std::os::fd::AsRawFd::as_raw_fd(&tree),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Lets a place only be read, with all that is mounted below it. A place that is not there needs no
/// protection.
pub(crate) fn protect(place: &Place<'_>) -> io::Result<()> {
    let Some(opened) = open_place(place)? else {
        return Ok(());
    };
    let tree = copy_opened(opened.as_fd())?;
    restrict(tree.as_fd(), libc::MOUNT_ATTR_RDONLY)?;
    attach(tree.as_fd(), opened.as_fd())
}

/// Hides what is at a place: a folder is empty, a file has no content. What is not there needs no
/// mask.
pub(crate) fn mask(place: &Place<'_>) -> io::Result<()> {
    let Some(opened) = open_place(place)? else {
        return Ok(());
    };
    let tree = if is_folder(opened.as_fd())? {
        create(&Mount {
            kind: "tmpfs".to_owned(),
            target: PathBuf::new(),
            options: "size=0,mode=000".to_owned(),
            no_exec: true,
            devices: false,
            read_only: true,
        })?
    } else {
        let tree = copy_opened(null(place.root)?.as_fd())?;
        restrict(tree.as_fd(), libc::MOUNT_ATTR_RDONLY)?;
        tree
    };
    attach(tree.as_fd(), opened.as_fd())
}

/// The container's own `/dev/null`, if it is one (CVE-2025-31133).
fn null(root: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let opened = open_from(root, Path::new("/dev/null"), false)?;
    let number = fstat(opened.as_fd())?.st_rdev;
    if (major(number), minor(number)) != NULL {
        return Err(io::Error::other("/dev/null is another device"));
    }
    Ok(opened)
}

/// Makes a device file, in a folder that is there.
pub(crate) fn make_device(root: BorrowedFd<'_>, device: &Device) -> io::Result<()> {
    let (folder, name) = folder_of(root, &device.path)?;
    let kind = if device.block {
        SFlag::S_IFBLK
    } else {
        SFlag::S_IFCHR
    };
    let number = makedev(device.major.into(), device.minor.into());
    let mode = Mode::from_bits_truncate(device.mode);
    mknodat(folder.as_fd(), name, kind, mode, number)?;
    // The mask for new files had its say in the call before.
    let flags = FchmodatFlags::FollowSymlink;
    Ok(fchmodat(folder.as_fd(), name, mode, flags)?)
}

/// Lets no device file in a mounted folder mean anything but these, which become mounts of their
/// own: a task that may make device files can make them there too, and later.
pub(crate) fn seal_devices(root: BorrowedFd<'_>, folder: &Path, kept: &[&Path]) -> io::Result<()> {
    let copied = |path: &&Path| {
        let place = open_from(root, path, false)?;
        let tree = copy_opened(place.as_fd())?;
        Ok((tree, place))
    };
    let copies: Vec<_> = kept.iter().map(copied).collect::<io::Result<_>>()?;
    let opened = open_from(root, folder, false)?;
    // What else is mounted below it, as terminals, stays as it is.
    set_attributes(opened.as_fd(), libc::MOUNT_ATTR_NODEV, 0)?;
    let show = |(tree, place): &(OwnedFd, OwnedFd)| attach(tree.as_fd(), place.as_fd());
    copies.iter().try_for_each(show)
}

/// Makes a symbolic link.
pub(crate) fn make_link(root: BorrowedFd<'_>, path: &Path, to: &Path) -> io::Result<()> {
    let (folder, name) = folder_of(root, path)?;
    Ok(symlinkat(to, folder.as_fd(), name)?)
}

fn folder_of<'a>(root: BorrowedFd<'_>, path: &'a Path) -> io::Result<(OwnedFd, &'a Path)> {
    let missing = || io::Error::from(io::ErrorKind::InvalidInput);
    let (folder, name) = path.parent().zip(path.file_name()).ok_or_else(missing)?;
    Ok((open_from(root, folder, false)?, Path::new(name)))
}

/// Lays layers of folders over each other, and shows them at a folder of the host.
pub(crate) fn mount_layers(layers: &Layers, at: &Path) -> io::Result<()> {
    let lower = layers.lower.iter().map(|path| open_root(path));
    let lower: Vec<OwnedFd> = lower.collect::<Result<_, _>>()?;
    lay(&lower, layers, at)
}

/// The same, where what belongs to a user in the lower layers belongs to the same user of a
/// namespace. The upper one belongs to these users already.
pub(crate) fn mount_layers_of(layers: &Layers, at: &Path, users: BorrowedFd<'_>) -> io::Result<()> {
    let place = open_root(at)?;
    // Of layers that are attached nowhere older kernels make no whole: they are for a moment, one
    // over the other.
    let attached = |path: &PathBuf| {
        let layer = copy_opened(open_root(path)?.as_fd())?;
        map_users(layer.as_fd(), users)?;
        attach(layer.as_fd(), place.as_fd())?;
        Ok(layer)
    };
    let lower: Vec<OwnedFd> = layers
        .lower
        .iter()
        .map(attached)
        .collect::<io::Result<_>>()?;
    lay(&lower, layers, at)?;
    let whole = copy_opened(open_root(at)?.as_fd())?;
    for _ in 0..=lower.len() {
        umount2(at, MntFlags::MNT_DETACH)?;
    }
    attach(whole.as_fd(), place.as_fd())
}

fn lay(lower: &[OwnedFd], layers: &Layers, at: &Path) -> io::Result<()> {
    // By number, since all names together must fit into a page, and may hold any letter.
    let name = |file: &OwnedFd| format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
    let names: Vec<_> = lower.iter().map(name).collect();
    let (upper, work) = (open_root(&layers.upper)?, open_root(&layers.work)?);
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        names.join(":"),
        name(&upper),
        name(&work)
    );
    // Its devices are not those of the container, which has its own `/dev`.
    let flags = MsFlags::MS_NODEV;
    Ok(mount(
        Some("overlay"),
        at,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )?)
}

/// Shows copied mounts at a folder, as something that can become a root.
pub(crate) fn mount_folder(mounts: BorrowedFd<'_>, at: &Path, read_only: bool) -> io::Result<()> {
    let target = open_root(at)?;
    let place = Place {
        root: target.as_fd(),
        path: Path::new("/"),
        links: false,
        make: false,
    };
    show(mounts, &place, read_only)
}

/// Opens a folder that paths of a container begin at.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}

/// Makes a mounted folder the root of this process, and lets go of all that was there before.
pub(crate) fn enter_root(root: BorrowedFd<'_>) -> io::Result<()> {
    fchdir(root)?;
    // The old root is put over the new one, from where it is taken away: no folder is needed.
    rustix::process::pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_make_the_same_folder_at_once_all_have_it() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = format!("{round}/common/deep");
            let make = || make_beneath(folder.path(), Path::new(&path));
            std::thread::scope(|scope| {
                let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
                for maker in makers {
                    maker.join().unwrap().unwrap();
                }
            });
        }
        assert!(folder.path().join("49/common/deep").is_dir());
    }
}
