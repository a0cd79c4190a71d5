//! How much a sandbox holds.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{Bytes, limits::MAX_MEASURED_FILES};

/// The unit in which the kernel counts what a file takes, whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

/// What the files of a folder take on its file system. Links are not followed, a file with several
/// names counts once, and what is mounted inside does not count.
///
/// A folder that changes meanwhile is measured as it happens to be seen.
pub(crate) fn used(folder: &Path) -> io::Result<Bytes> {
    let top = fs::symlink_metadata(folder)?;
    let mut counted = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
    let (mut blocks, mut files) = (top.blocks(), 0_usize);
    while let Some(folder) = waiting.pop() {
        // One that is gone by now takes nothing.
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            files += 1;
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let is_new =
                metadata.nlink() < 2 || metadata.is_dir() || counted.insert(metadata.ino());
            if metadata.dev() != top.dev() || !is_new {
                continue;
            }
            blocks += metadata.blocks();
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
        }
        if files > MAX_MEASURED_FILES {
            break;
        }
    }
    Ok(Bytes(blocks.saturating_mul(BLOCK_BYTES)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_files_take_counts_once_and_links_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let empty = used(folder.path()).unwrap().0;
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), vec![1; 1 << 20]).unwrap();
        let one = used(folder.path()).unwrap().0;
        assert!((1 << 20..2 << 20).contains(&(one - empty)), "{one}");
        fs::hard_link(at("a/b/file"), at("second-name")).unwrap();
        symlink("/usr", at("link")).unwrap();
        let linked = used(folder.path()).unwrap().0;
        assert!(linked - one < 64 << 10, "{one} and then {linked}");
        // A hole takes nothing.
        fs::File::create(at("hole"))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        assert!(used(folder.path()).unwrap().0 < 2 << 20);
        assert!(used(&at("none")).is_err());
    }
}
