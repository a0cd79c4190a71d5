//! How much a sandbox holds.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{
    Bytes, DiskReport,
    limits::{MAX_MEASURED_FILES, PROJECT_SLACK_BYTES},
    projects::Project,
    records::Record,
};

/// The unit in which the kernel counts what a file takes, whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

/// What counts for the limit on a container's disk, and how it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    sandbox: PathBuf,
    changes: Option<PathBuf>,
    project: Option<Project>,
    /// The most that it may be.
    pub(crate) limit: Bytes,
}

impl Holding {
    /// `None` for a container without such a limit.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let (sandbox, limit) = record.disk.clone()?;
        Some(Self {
            sandbox,
            changes: record.changes.clone(),
            project: record.granted.project.clone(),
            limit,
        })
    }

    /// What it is now.
    pub(crate) fn used(&self) -> io::Result<Bytes> {
        if let Some(project) = &self.project {
            return project.used();
        }
        let changes = self.changes.as_deref();
        let changes = changes.map_or(0, |changes| used(changes).unwrap_or_default().0);
        Ok(Bytes(used(&self.sandbox)?.0.saturating_add(changes)))
    }

    /// What it is now, where the kernel counts.
    pub(crate) fn counted(&self) -> Option<DiskReport> {
        let used = self.project.as_ref()?.used().ok()?;
        let limit = self.limit;
        Some(DiskReport { limit, used })
    }

    /// Beyond what it ends. Where the kernel keeps the limit, only who gets around it comes there.
    pub(crate) fn end(&self) -> Bytes {
        let Bytes(limit) = self.limit;
        let slack = self
            .project
            .as_ref()
            .map(|_| limit / 64 + PROJECT_SLACK_BYTES);
        Bytes(limit.saturating_add(slack.unwrap_or(0)))
    }
}

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
