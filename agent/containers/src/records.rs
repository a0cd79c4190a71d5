//! What is written down about containers, so that a restarted agent finds them.
//!
//! `RUNTIME_DIR/containers/ID/record` is written before the container's program runs, and says
//! which process its init is. `status` beside it is made empty by the agent and filled by the init.
//! `plan` is what the container's programs are started by.
//! Nothing needs to be flushed to a disk: what a crash of the machine loses is what a crash of the
//! machine ends.

use std::{
    fs, io,
    io::Read,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tepui_model::ContainerId;

use crate::{
    Bytes, ExitStatus,
    grants::Granted,
    init::wire::{Plan, parse_status},
    limits::{MAX_PLAN_BYTES, MAX_RECORD_BYTES},
};

/// The form of records. Another agent's are not read.
const VERSION: u32 = 1;

/// What is written down about a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// The boot of the machine in which it was started.
    pub(crate) boot_id: String,
    /// The process id of its init.
    pub(crate) pid: u32,
    /// When that process started.
    pub(crate) start_time: u64,
    /// Whether its init takes all processes along when it ends.
    pub(crate) own_processes: bool,
    /// The memory limit that it was given.
    pub(crate) memory_limit: Bytes,
    /// The sandbox, and the most that it may hold.
    #[serde(default)]
    pub(crate) disk: Option<(PathBuf, Bytes)>,
    /// The most files that it may hold, with what counts as it does.
    #[serde(default)]
    pub(crate) files: Option<u64>,
    /// The group of the container that it is inside of, beneath that of all containers.
    #[serde(default)]
    pub(crate) parent: Option<String>,
    /// Whether others are inside of it, and end with it.
    #[serde(default)]
    pub(crate) holds_others: bool,
    /// The user of the machine that is root in it, if it has users of its own, or those of the
    /// container that it is inside of.
    #[serde(default)]
    pub(crate) users: Option<u32>,
    /// What counts as the sandbox does: the changes to its root.
    #[serde(default)]
    pub(crate) changes: Option<PathBuf>,
    /// What it has to itself.
    #[serde(default)]
    pub(crate) granted: Granted,
}

impl Record {
    pub(crate) fn new(
        boot_id: &str,
        (pid, start_time): (u32, u64),
        own_processes: bool,
        memory_limit: Bytes,
    ) -> Self {
        let boot_id = boot_id.to_owned();
        Self {
            version: VERSION,
            boot_id,
            pid,
            start_time,
            own_processes,
            memory_limit,
            disk: None,
            files: None,
            parent: None,
            holds_others: false,
            users: None,
            changes: None,
            granted: Granted::default(),
        }
    }
}

/// The folder of all records.
#[derive(Clone, Debug)]
pub(crate) struct Records(PathBuf);

impl Records {
    /// Makes the folder if there is none. Only the agent's user may look into it.
    pub(crate) fn open(runtime_dir: &Path) -> io::Result<Self> {
        let path = runtime_dir.join("containers");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        Ok(Self(path))
    }

    /// The folder of one container, whether it exists or not.
    pub(crate) fn folder(&self, id: &ContainerId) -> Folder {
        Folder(self.0.join(id.as_str()))
    }

    /// All containers that there are records of, in order.
    pub(crate) fn ids(&self) -> io::Result<Vec<ContainerId>> {
        let entries = fs::read_dir(&self.0)?.collect::<Result<Vec<_>, _>>()?;
        let names = entries.iter().map(fs::DirEntry::file_name);
        let ids = names.filter_map(|name| ContainerId::new(name.to_str()?).ok());
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        Ok(ids)
    }
}

/// The folder of one container.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of another container.
    pub(crate) fn of(&self, id: &ContainerId) -> Self {
        Self(self.0.with_file_name(id.as_str()))
    }

    /// The file for the exit status.
    pub(crate) fn status_path(&self) -> PathBuf {
        self.0.join("status")
    }

    /// Where the user namespace of the container is mounted.
    pub(crate) fn users_path(&self) -> PathBuf {
        self.0.join("users")
    }

    /// The socket of the container's terminal.
    pub(crate) fn console_path(&self) -> PathBuf {
        self.0.join("console")
    }

    /// Where the container's own root is put together. Only the container sees it there.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Where a volume is put together. Only the container sees it there.
    pub(crate) fn volume_path(&self, number: usize) -> PathBuf {
        self.0.join(format!("volume-{number}"))
    }

    /// Makes the folder with an empty status. False if it exists.
    pub(crate) fn create(&self) -> io::Result<bool> {
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        fs::File::create_new(self.status_path())?;
        Ok(true)
    }

    /// Writes the record, whole or not at all.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let unfinished = self.0.join("record.new");
        fs::write(&unfinished, serde_json::to_vec(record)?)?;
        fs::rename(unfinished, self.0.join("record"))
    }

    /// Keeps the plan, which later programs in the container are started by. It holds the task's
    /// environment, so it is for the agent's user alone, as the whole folder is.
    pub(crate) fn keep_plan(&self, plan: &[u8]) -> io::Result<()> {
        fs::write(self.0.join("plan"), plan)
    }

    /// Reads the plan again. `None` if there is none, or none that can be read.
    pub(crate) fn plan(&self) -> Option<Plan> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.0.join("plan")).ok()?;
        let mut file = file.take(MAX_PLAN_BYTES as u64);
        file.read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Reads the record. `None` if there is none, or none that can be read.
    pub(crate) fn read(&self) -> Option<Record> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.0.join("record")).ok()?;
        file.take(MAX_RECORD_BYTES).read_to_end(&mut bytes).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Whether its launch never came so far that a record was written. One that cannot be read is
    /// there all the same.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.0.join("record").try_exists().is_ok_and(|there| !there)
    }

    /// Reads the exit status that the init wrote, if it came to that.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        let mut text = String::new();
        let file = fs::File::open(self.status_path()).ok()?;
        file.take(MAX_RECORD_BYTES).read_to_string(&mut text).ok()?;
        parse_status(&text)
    }

    /// Removes the folder.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let users = self.users_path();
        if fs::symlink_metadata(&users).is_ok() {
            tepui_sys::remove_network(&users)?;
        }
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new("boot", (7, 4711), true, Bytes(32 << 20))
    }

    #[test]
    fn a_record_reads_back_and_a_damaged_one_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let folder = records.folder(&ContainerId::new("c1").unwrap());
        assert!(folder.create().unwrap());
        assert!(!folder.create().unwrap(), "an id is used once");
        assert_eq!(folder.read(), None);
        folder.write(&record()).unwrap();
        assert_eq!(folder.read(), Some(record()));
        let path = folder.path().join("record");
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(folder.read(), None);
        }
        let other = String::from_utf8(whole)
            .unwrap()
            .replace(r#""version":1"#, r#""version":2"#);
        fs::write(&path, other).unwrap();
        assert_eq!(folder.read(), None, "another agent's record");
        folder.remove().unwrap();
        folder.remove().unwrap();
        assert!(records.ids().unwrap().is_empty());
    }

    #[test]
    fn a_status_is_none_until_the_init_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let folder = records.folder(&ContainerId::new("c1").unwrap());
        folder.create().unwrap();
        assert_eq!(folder.status(), None);
        fs::write(folder.status_path(), "exited 3\n").unwrap();
        assert_eq!(folder.status(), Some(ExitStatus::Code(3)));
        assert_eq!(records.ids().unwrap(), [ContainerId::new("c1").unwrap()]);
    }
}
