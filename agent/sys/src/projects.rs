//! Project quotas of file systems: a number that files carry and hand on to those made beside them,
//! and what all files of one number may take together.
//!
//! Every call is of the one form that the kernel has for xfs and ext4 alike.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};

use crate::open_folder;

/// What all files of a project take, and may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProjectUse {
    /// Bytes in use.
    pub bytes: u64,
    /// Files, folders too, that carry the number.
    pub files: u64,
    /// The most that they may take.
    pub limit: ProjectLimit,
}

/// What all files of a project may take. `None` is as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProjectLimit {
    /// The most bytes.
    pub bytes: Option<u64>,
    /// The most files, folders too.
    pub files: Option<u64>,
}

/// The unit of the kernel's numbers.
const BLOCK: u64 = 512;

const PRJQUOTA: u32 = 2;
const Q_XGETQUOTA: u32 = 0x5803;
const Q_XSETQLIM: u32 = 0x5804;
const Q_XGETQSTAT: u32 = 0x5805;
/// Of the state of a file system: limits of projects are in force.
const FS_QUOTA_PDQ_ENFD: u16 = 1 << 5;

const FS_DQUOT_VERSION: i8 = 1;
const FS_PROJ_QUOTA: i8 = 2;
const FS_DQ_ISOFT: u16 = 1;
const FS_DQ_IHARD: u16 = 1 << 1;
const FS_DQ_BSOFT: u16 = 1 << 2;
const FS_DQ_BHARD: u16 = 1 << 3;

const FS_IOC_FSGETXATTR: libc::c_ulong = 0x801c_581f;
const FS_IOC_FSSETXATTR: libc::c_ulong = 0x401c_5820;
/// What is made in a folder carries its number.
const FS_XFLAG_PROJINHERIT: u32 = 0x200;

/// `struct fs_disk_quota` of `linux/dqblk_xfs.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DiskQuota {
    version: i8,
    flags: i8,
    fields: u16,
    id: u32,
    blocks_hard: u64,
    blocks_soft: u64,
    files_hard: u64,
    files_soft: u64,
    blocks: u64,
    files: u64,
    timers: [u32; 2],
    warnings: [u16; 2],
    timers_high: [u8; 4],
    real_time: [u64; 3],
    real_time_timer: u32,
    real_time_warnings: u16,
    padding: [u8; 10],
}

/// The first bytes of `struct fs_quota_stat`, and room for the rest.
#[repr(C, align(8))]
#[derive(Default)]
struct State {
    version: i8,
    flags: u16,
    rest: [u64; 31],
}

/// `struct fsxattr` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    padding: [u8; 8],
}

/// Whether limits of projects are in force on the file system of a folder.
pub fn has_projects(folder: BorrowedFd<'_>) -> bool {
    let mut state = State::default();
    let known = quotactl(folder, Q_XGETQSTAT, 0, &mut state);
    known.is_ok() && state.flags & FS_QUOTA_PDQ_ENFD != 0
}

/// What the files of a project take on the file system of a folder.
pub fn project_use(folder: BorrowedFd<'_>, project: u32) -> io::Result<ProjectUse> {
    let mut quota = DiskQuota::default();
    match quotactl(folder, Q_XGETQUOTA, project, &mut quota) {
        Ok(()) => Ok(quota.told()),
        // xfs says so of a number that no file ever carried.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(ProjectUse::default()),
        Err(error) => Err(error),
    }
}

/// Lets the files of a project take so much and no more on the file system of a folder.
pub fn limit_project(folder: BorrowedFd<'_>, project: u32, most: ProjectLimit) -> io::Result<()> {
    let mut quota = DiskQuota::limit(project, most);
    quotactl(folder, Q_XSETQLIM, project, &mut quota)
}

impl DiskQuota {
    /// None at all is the kernel's word for no limit, so the least is one block, and one file.
    fn limit(project: u32, most: ProjectLimit) -> Self {
        Self {
            version: FS_DQUOT_VERSION,
            flags: FS_PROJ_QUOTA,
            fields: FS_DQ_BSOFT | FS_DQ_BHARD | FS_DQ_ISOFT | FS_DQ_IHARD,
            id: project,
            blocks_hard: most.bytes.map_or(0, |bytes| (bytes / BLOCK).max(1)),
            files_hard: most.files.map_or(0, |files| files.max(1)),
            ..Self::default()
        }
    }

    fn told(&self) -> ProjectUse {
        let bytes = |blocks: u64| blocks.saturating_mul(BLOCK);
        ProjectUse {
            bytes: bytes(self.blocks),
            files: self.files,
            limit: ProjectLimit {
                bytes: (self.blocks_hard > 0).then(|| bytes(self.blocks_hard)),
                files: (self.files_hard > 0).then_some(self.files_hard),
            },
        }
    }
}

/// The project whose number a file carries. 0 is none.
pub fn project_of(file: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(attributes(file)?.project)
}

/// Gives a folder and all in it to a project, which what is made there later is of too. Returns how
/// many files were left out, or at least some when there are more than `most`.
///
/// Nothing leads out of the folder: no link is followed, what is mounted inside is left alone, and
/// so is a file with a second name, which may be elsewhere. Links and device files carry no number.
pub fn join_project(folder: &Path, project: u32, most: u64) -> io::Result<u64> {
    let top = open_folder(folder)?;
    give(top.as_fd(), project, true)?;
    let (mut waiting, mut seen, mut left_out) = (vec![PathBuf::new()], 0, 0);
    while let Some(folder) = waiting.pop() {
        let Ok(opened) = open_inside(top.as_fd(), &folder) else {
            left_out += 1;
            continue;
        };
        // This way the folder that is read is the one that was opened, whatever its name is by now.
        let entries = fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
        for entry in entries.flatten() {
            seen += 1;
            if seen > most {
                return Ok(left_out + 1);
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = folder.join(entry.file_name());
            if !kind.is_dir() && !kind.is_file() {
                continue;
            }
            if give_inside(top.as_fd(), &path, project).is_err() {
                left_out += 1;
            } else if kind.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(left_out)
}

fn give_inside(top: BorrowedFd<'_>, path: &Path, project: u32) -> io::Result<()> {
    let file = fs::File::from(open_inside(top, path)?);
    let metadata = file.metadata()?;
    let is_own = metadata.is_dir() || metadata.is_file() && metadata.nlink() == 1;
    if !is_own {
        return Err(io::Error::other("it is no file of this folder alone"));
    }
    give(file.as_fd(), project, metadata.is_dir())
}

/// Opens the folder at a path in a folder and on the same file system, through no link.
pub fn open_folder_inside(top: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    open_with(top, path, OFlag::O_DIRECTORY)
}

/// Opens what is at a path in a folder and on the same file system, and no link.
fn open_inside(top: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    open_with(top, path, OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
}

fn open_with(top: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let how = OpenHow::new().flags(flags).resolve(resolve);
    Ok(openat2(top, path, how)?)
}

fn give(file: BorrowedFd<'_>, project: u32, is_folder: bool) -> io::Result<()> {
    let known = attributes(file)?;
    let mut wanted = known;
    wanted.project = project;
    if is_folder {
        wanted.flags |= FS_XFLAG_PROJINHERIT;
    }
    if wanted == known {
        return Ok(());
    }
    // SAFETY: the kernel reads the struct, which lives until the call is over.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FSSETXATTR as _, &raw mut wanted) };
    Ok(Errno::result(result).map(drop)?)
}

fn attributes(file: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    let at = &raw mut attributes;
    // SAFETY: the kernel writes into the struct, which lives until the call is over.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FSGETXATTR as _, at) };
    Errno::result(result)?;
    Ok(attributes)
}

/// Asks the kernel about quotas of projects; `told` is of the struct that the command has.
fn quotactl<T>(folder: BorrowedFd<'_>, command: u32, project: u32, told: &mut T) -> io::Result<()> {
    let command = command << 8 | PRJQUOTA;
    let (file, told) = (folder.as_raw_fd(), std::ptr::from_mut(told));
    // SAFETY: the struct is as long as the command's, and lives until the call is over.
    let result = unsafe { libc::syscall(libc::SYS_quotactl_fd, file, command, project, told) };
    Ok(Errno::result(result).map(drop)?)
}

#[cfg(test)]
mod tests {
    use std::{mem::offset_of, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn the_structs_are_laid_out_as_the_kernel_s() {
        assert_eq!(size_of::<DiskQuota>(), 112);
        assert_eq!(offset_of!(DiskQuota, id), 4);
        assert_eq!(offset_of!(DiskQuota, blocks_hard), 8);
        assert_eq!(offset_of!(DiskQuota, blocks), 40);
        assert_eq!(offset_of!(DiskQuota, files), 48);
        assert_eq!(offset_of!(DiskQuota, real_time), 72);
        assert_eq!(offset_of!(DiskQuota, real_time_timer), 96);
        assert_eq!(size_of::<Attributes>(), 28);
        assert_eq!(offset_of!(Attributes, project), 12);
        assert_eq!(offset_of!(State, flags), 2);
        // `struct fs_quota_stat` has 80.
        assert!(size_of::<State>() >= 80);
    }

    #[test]
    fn a_limit_is_told_in_blocks_and_files_and_read_back_in_bytes() {
        let limit = |bytes, files| ProjectLimit { bytes, files };
        let told = |bytes, files| DiskQuota::limit(1, limit(bytes, files)).told().limit;
        let set = DiskQuota::limit(5000, limit(Some(4 << 20), Some(9)));
        assert_eq!((set.version, set.flags, set.fields), (1, 2, 0b1111));
        assert_eq!((set.id, set.blocks_hard, set.blocks_soft), (5000, 8192, 0));
        assert_eq!((set.files_hard, set.files_soft), (9, 0));
        assert_eq!(set.told().limit, limit(Some(4 << 20), Some(9)));
        assert_eq!(told(Some(0), Some(0)), limit(Some(512), Some(1)));
        assert_eq!(told(None, None), ProjectLimit::default());
        let most = told(Some(u64::MAX), Some(u64::MAX));
        assert_eq!(most, limit(Some(u64::MAX - 511), Some(u64::MAX)));
        let used = DiskQuota {
            blocks: 3,
            files: 2,
            ..DiskQuota::default()
        };
        let expected = ProjectUse {
            bytes: 1536,
            files: 2,
            limit: ProjectLimit::default(),
        };
        assert_eq!(used.told(), expected);
    }

    #[test]
    fn a_file_system_without_projects_says_so_and_opening_inside_never_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open_folder(folder.path()).unwrap();
        if !has_projects(opened.as_fd()) {
            let most = ProjectLimit {
                bytes: Some(1 << 20),
                files: None,
            };
            assert!(limit_project(opened.as_fd(), 5000, most).is_err());
        }
        fs::create_dir(folder.path().join("inside")).unwrap();
        fs::write(folder.path().join("inside/file"), "").unwrap();
        symlink("/etc", folder.path().join("link")).unwrap();
        let at = |path: &str| open_inside(opened.as_fd(), Path::new(path));
        for good in ["", "inside", "inside/file"] {
            assert!(at(good).is_ok(), "{good}");
        }
        for bad in ["..", "/etc", "link", "link/passwd", "inside/../.."] {
            assert!(at(bad).is_err(), "{bad}");
        }
        let is_folder = |path: &str| open_folder_inside(opened.as_fd(), Path::new(path)).is_ok();
        assert!(is_folder("") && is_folder("inside"));
        assert!(!is_folder("inside/file") && !is_folder("link"));
    }
}
