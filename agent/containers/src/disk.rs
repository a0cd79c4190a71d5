//! How much a sandbox may hold, and how much it holds.

use std::{io, path::PathBuf};

use crate::{
    Bytes, DiskReport,
    limits::{LEAST_FILES, MAX_MEASURED_FILES, PROJECT_SLACK_BYTES},
    measure::{Tally, measure},
    projects::Project,
    records::Record,
};

/// The most that a container's disk may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// What its files may take.
    pub(crate) bytes: Bytes,
    /// How many they may be. `None` for any number.
    pub(crate) files: Option<u64>,
}

impl Room {
    /// Of a container that asked for so much disk, where each file has its share of that: an empty
    /// one takes an inode, of which a file system may have no more to give.
    pub(crate) fn of(disk: Bytes, bytes_per_file: Option<Bytes>) -> Self {
        let share = |Bytes(share): Bytes| (disk.0 / share.max(1)).max(LEAST_FILES);
        Self {
            bytes: disk,
            files: bytes_per_file.map(share),
        }
    }
}

/// What counts for the limit on a container's disk, and how it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    sandbox: PathBuf,
    changes: Option<PathBuf>,
    project: Option<Project>,
    room: Room,
}

impl Holding {
    /// `None` for a container without such a limit.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let (sandbox, bytes) = record.disk.clone()?;
        let project = record.granted.project.clone();
        // Files that nobody counts but who looks at each are no more than can be looked at.
        let most = project.as_ref().map_or(MAX_MEASURED_FILES, |_| u64::MAX);
        let files = record.files.map(|files| files.min(most));
        Some(Self {
            sandbox,
            changes: record.changes.clone(),
            project,
            room: Room { bytes, files },
        })
    }

    /// What it is now.
    fn tally(&self) -> io::Result<Tally> {
        if let Some(project) = &self.project {
            return project.used();
        }
        let most = self.room.files.unwrap_or(MAX_MEASURED_FILES);
        let changes = self.changes.as_deref();
        let changes = changes.map(|changes| measure(changes, most).unwrap_or_default());
        Ok(measure(&self.sandbox, most)?.and(changes.unwrap_or_default()))
    }

    fn report(&self, held: Tally) -> DiskReport {
        DiskReport {
            limit: self.room.bytes,
            used: held.bytes,
            file_limit: self.room.files,
            files: held.files,
        }
    }

    /// What it is now, if that is beyond the limit.
    pub(crate) fn excess(&self) -> io::Result<Option<DiskReport>> {
        let held = self.tally()?;
        let too_many = self.room.files.is_some_and(|most| held.files > most);
        let is_beyond = held.bytes > self.end() || too_many || held.too_deep;
        Ok(is_beyond.then(|| self.report(held)))
    }

    /// What it is now, where the kernel counts.
    pub(crate) fn counted(&self) -> Option<DiskReport> {
        Some(self.report(self.project.as_ref()?.used().ok()?))
    }

    /// Beyond what it ends. Where the kernel keeps the limit, only who gets around it comes there.
    fn end(&self) -> Bytes {
        let Bytes(limit) = self.room.bytes;
        let slack = self
            .project
            .as_ref()
            .map(|_| limit / 64 + PROJECT_SLACK_BYTES);
        Bytes(limit.saturating_add(slack.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::limits::BYTES_PER_FILE;

    #[test]
    fn each_file_has_its_share_of_the_disk_and_a_small_one_has_room_for_many() {
        let files = |bytes: u64, share: Option<u64>| Room::of(Bytes(bytes), share.map(Bytes)).files;
        assert_eq!(files(1 << 30, Some(BYTES_PER_FILE)), Some(65_536));
        assert_eq!(files(1 << 30, Some(4096)), Some(262_144));
        assert_eq!(files(1 << 20, Some(4096)), Some(10_000));
        assert_eq!(files(0, Some(0)), Some(10_000));
        assert_eq!(files(1 << 40, None), None);
        assert_eq!(Room::of(Bytes(7), None).bytes, Bytes(7));
    }

    fn holding(sandbox: &Path, bytes: u64, files: Option<u64>) -> Holding {
        let mut record = Record::new("boot", (1, 1), true, Bytes(0));
        record.disk = Some((sandbox.to_owned(), Bytes(bytes)));
        record.files = files;
        Holding::of(&record).unwrap()
    }

    #[test]
    fn too_many_files_are_beyond_the_limit_whatever_they_take_and_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..9 {
            fs::write(folder.path().join(format!("{number}")), "some").unwrap();
        }
        let excess = |bytes, files| holding(folder.path(), bytes, files).excess().unwrap();
        assert_eq!(excess(1 << 20, Some(9)), None);
        assert_eq!(excess(1 << 20, None), None);
        let said = excess(1 << 20, Some(8)).unwrap().to_string();
        assert_eq!(
            said,
            "Disk usage (9 files) exceeds quota (8 files for 1.0MB)"
        );
        let said = excess(0, Some(9)).unwrap().to_string();
        assert!(said.ends_with("MB) exceeds quota (0.0MB)"), "{said}");
    }

    #[test]
    fn changes_to_the_root_count_with_the_sandbox() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["sandbox", "upper"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), "").unwrap();
        }
        let mut both = holding(&at("sandbox"), 1 << 20, Some(1));
        assert_eq!(both.excess().unwrap(), None);
        both.changes = Some(at("upper"));
        assert_eq!(both.excess().unwrap().unwrap().files, 2);
    }

    #[test]
    fn where_each_file_is_looked_at_there_are_no_more_than_that() {
        let most = |files| holding(Path::new("/"), 1, files).room.files;
        assert_eq!(most(Some(u64::MAX)), Some(MAX_MEASURED_FILES));
        assert_eq!((most(Some(9)), most(None)), (Some(9), None));
    }

    #[test]
    fn what_is_nested_too_deep_to_be_measured_is_told_of() {
        let report = DiskReport {
            limit: Bytes(1),
            used: Bytes(1),
            file_limit: Some(1),
            files: 1,
        };
        assert!(report.to_string().contains("nested too deep"), "{report}");
    }
}
