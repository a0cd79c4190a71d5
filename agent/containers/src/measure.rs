//! What the files of a folder take, and how many they are, whatever a task has made of them.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use tepui_sys::{open_folder, open_folder_inside};

use crate::{
    Bytes,
    limits::{MAX_MEASURED_STEP, MAX_MEASURED_STEPS},
};

/// The unit in which the kernel counts what a file takes, whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What its files take.
    pub(crate) bytes: Bytes,
    /// Its files, folders too; one with several names counts as often.
    pub(crate) files: u64,
    /// Whether some were nested too deep to be looked at.
    pub(crate) too_deep: bool,
}

impl Tally {
    /// What both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            bytes: Bytes(self.bytes.0.saturating_add(other.bytes.0)),
            files: self.files.saturating_add(other.files),
            too_deep: self.too_deep || other.too_deep,
        }
    }
}

/// Where a folder is: the way there from one that is held open. No path is longer than the kernel
/// takes, and no more folders are open at a time than there are such steps.
struct Place {
    from: Rc<OwnedFd>,
    way: PathBuf,
    steps: usize,
}

impl Place {
    /// The folder of this name in here, open, and its place.
    fn enter(&self, name: &OsString) -> io::Result<(Rc<OwnedFd>, Self)> {
        let way = self.way.join(name);
        let opened = Rc::new(open_folder_inside(self.from.as_fd(), &way)?);
        let place = match way.as_os_str().len() < MAX_MEASURED_STEP {
            true => Self {
                from: Rc::clone(&self.from),
                way,
                steps: self.steps,
            },
            false => Self {
                from: Rc::clone(&opened),
                way: PathBuf::new(),
                steps: self.steps + 1,
            },
        };
        Ok((opened, place))
    }
}

/// What a folder holds on its file system. Links are not followed, what is mounted inside does not
/// count, and a file with several names takes its room once. Once there are more than `most` files,
/// nothing more is counted.
///
/// A folder that changes meanwhile is measured as it happens to be seen.
pub(crate) fn measure(folder: &Path, most: u64) -> io::Result<Tally> {
    let opened = Rc::new(open_folder(folder)?);
    let top = fs::metadata(path_of(&opened))?;
    let mut seen = BTreeSet::new();
    let (mut blocks, mut tally) = (top.blocks(), Tally::default());
    let place = Place {
        from: opened,
        way: PathBuf::new(),
        steps: 0,
    };
    // Each with the folder that it is in, which those of one folder share.
    let mut waiting = vec![(Rc::new(place), OsString::new())];
    'folders: while let Some((above, name)) = waiting.pop() {
        // One that is gone by now takes nothing.
        let Ok((opened, place)) = above.enter(&name) else {
            continue;
        };
        let Ok(entries) = fs::read_dir(path_of(&opened)) else {
            continue;
        };
        let place = Rc::new(place);
        for entry in entries.flatten() {
            tally.files += 1;
            if tally.files > most {
                break 'folders;
            }
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let is_new = metadata.nlink() < 2 || metadata.is_dir() || seen.insert(metadata.ino());
            if metadata.dev() != top.dev() || !is_new {
                continue;
            }
            blocks += metadata.blocks();
            if metadata.is_dir() && place.steps >= MAX_MEASURED_STEPS {
                tally.too_deep = true;
            } else if metadata.is_dir() {
                waiting.push((Rc::clone(&place), entry.file_name()));
            }
        }
    }
    tally.bytes = Bytes(blocks.saturating_mul(BLOCK_BYTES));
    Ok(tally)
}

/// The folder that was opened, whatever its name is by now.
fn path_of(opened: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", opened.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::{
        fcntl::{OFlag, openat},
        sys::stat::{Mode, mkdirat},
    };

    use super::*;

    fn used(folder: &Path) -> u64 {
        measure(folder, u64::MAX).unwrap().bytes.0
    }

    #[test]
    fn what_files_take_counts_once_and_links_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let empty = used(folder.path());
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), vec![1; 1 << 20]).unwrap();
        let one = used(folder.path());
        assert!((1 << 20..2 << 20).contains(&(one - empty)), "{one}");
        fs::hard_link(at("a/b/file"), at("second-name")).unwrap();
        symlink("/usr", at("link")).unwrap();
        let linked = used(folder.path());
        assert!(linked - one < 64 << 10, "{one} and then {linked}");
        // A hole takes nothing.
        fs::File::create(at("hole"))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        assert!(used(folder.path()) < 2 << 20);
        assert!(measure(&at("none"), 9).is_err());
        assert!(measure(&at("link"), 9).is_err());
    }

    #[test]
    fn files_of_all_kinds_count_for_each_name_and_no_more_than_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files = |most| measure(folder.path(), most).unwrap().files;
        assert_eq!(files(9), 0);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "").unwrap();
        fs::hard_link(at("a/b/file"), at("second-name")).unwrap();
        symlink("/usr", at("link")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        assert_eq!((files(9), files(6)), (6, 6));
        assert_eq!((files(5), files(2), files(0)), (6, 3, 1));
    }

    /// Makes folders in each other, and so many files in the innermost.
    fn nest(top: &Path, name: &str, depth: usize, files: usize) {
        let mut at = open_folder(top).unwrap();
        for _ in 0..depth {
            mkdirat(&at, name, Mode::S_IRWXU).unwrap();
            at = openat(&at, name, OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        for number in 0..files {
            let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
            openat(&at, format!("{number}").as_str(), flags, Mode::S_IRWXU).unwrap();
        }
    }

    #[test]
    fn files_cannot_be_hidden_by_a_path_that_is_too_long_for_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        nest(folder.path(), &"x".repeat(250), 40, 100);
        let tally = measure(folder.path(), 1000).unwrap();
        assert_eq!((tally.files, tally.too_deep), (140, false));
    }

    #[test]
    fn folders_that_are_nested_too_deep_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let deep = MAX_MEASURED_STEP.div_ceil(250) * (MAX_MEASURED_STEPS + 2);
        nest(folder.path(), &"x".repeat(250), deep, 1);
        assert!(measure(folder.path(), 10_000).unwrap().too_deep);
    }
}
