//! The store in a folder: RocksDB, one column family per record kind, one flush per commit.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, IteratorMode, LogLevel, Options,
    WriteBatch, WriteOptions, checkpoint::Checkpoint,
};

use crate::{Batch, Epoch, Error, Family, Store, frame};

/// The file whose presence says that the folder was made completely, and by which format.
const MARKER: &str = "TEPUI-STORE";
const FORMAT: &str = "tepui-store 1";
/// RocksDB's own pointer to its newest manifest.
const CURRENT: &str = "CURRENT";

/// A store in a folder of the local disk, for one process at a time.
#[derive(Debug)]
pub struct RocksStore {
    db: DB,
    path: PathBuf,
}

impl RocksStore {
    /// Opens the store in `path`, or makes it, with at least these families.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Damaged`] when files of it are
    /// missing or do not match their checksums, [`Error::Format`] when a newer program wrote it,
    /// and [`Error::Folder`] when the folder cannot be used.
    pub fn open(path: impl AsRef<Path>, families: &[Family]) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        make_folder(&path).map_err(|source| Error::Folder {
            path: path.clone(),
            source,
        })?;
        let complete = check_marker(&path)?;
        // A complete store without this file has lost it; making a new one would hide the loss.
        if complete && !path.join(CURRENT).exists() {
            return Err(Error::Damaged {
                path,
                message: format!("the file {CURRENT} is missing"),
            });
        }
        let db = open_db(&path, families, !complete).map_err(|error| explain(&path, &error))?;
        if !complete {
            write_marker(&path).map_err(|source| Error::Folder {
                path: path.clone(),
                source,
            })?;
        }
        Ok(Self { db, path })
    }

    /// Copies the store as it is now to `target`, which must not exist: a backup that opens as a
    /// store. Files are linked where the file system allows, so it takes no time and little space.
    ///
    /// # Errors
    /// [`Error::Write`] with what went wrong.
    pub fn checkpoint(&self, target: impl AsRef<Path>) -> Result<(), Error> {
        let failed = |message: String| Error::Write { message };
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(&target))
            .map_err(|error| failed(error.into_string()))?;
        write_marker(target.as_ref()).map_err(|error| failed(error.to_string()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn column(&self, family: Family) -> Result<&ColumnFamily, Error> {
        self.db
            .cf_handle(family.name())
            .ok_or(Error::UnknownFamily { family })
    }
}

impl Store for RocksStore {
    fn load(&self, family: Family) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut records = Vec::new();
        for record in self
            .db
            .iterator_cf(self.column(family)?, IteratorMode::Start)
        {
            let (key, bytes) = record.map_err(|error| explain(&self.path, &error))?;
            let key = String::from_utf8(key.into_vec()).map_err(|error| Error::Corrupt {
                family,
                key: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                message: "its key is not UTF-8".to_owned(),
            })?;
            let value = frame::open(family, &key, &bytes)?;
            records.push((key, value));
        }
        Ok(records)
    }

    fn commit(&self, batch: Batch) -> Result<Epoch, Error> {
        batch.check()?;
        if !batch.is_empty() {
            let mut writes = WriteBatch::default();
            for write in batch.writes() {
                let column = self.column(write.family)?;
                match &write.value {
                    Some(value) => {
                        let sealed = frame::seal(write.family, &write.key, value);
                        writes.put_cf(column, &write.key, sealed);
                    }
                    None => writes.delete_cf(column, &write.key),
                }
            }
            let mut options = WriteOptions::default();
            options.set_sync(true);
            self.db
                .write_opt(writes, &options)
                .map_err(|error| Error::Write {
                    message: error.into_string(),
                })?;
        }
        Ok(Epoch(self.db.latest_sequence_number()))
    }
}

fn open_db(path: &Path, families: &[Family], create: bool) -> Result<DB, rocksdb::Error> {
    let options = database_options(create);
    let mut names: BTreeSet<String> = families.iter().map(|f| f.name().to_owned()).collect();
    names.insert("default".to_owned());
    // RocksDB opens all families or none; those that this program does not know stay as they are.
    if path.join(CURRENT).exists() {
        names.extend(DB::list_cf(&options, path)?);
    }
    let columns = names
        .into_iter()
        .map(|name| ColumnFamilyDescriptor::new(name, family_options()));
    DB::open_cf_descriptors(&options, path, columns)
}

fn database_options(create: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    // A record that was cut short at the very end was never acknowledged; damage anywhere else
    // means that an acknowledged one is lost, and the store must not open as if nothing were.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_total_wal_size(64 << 20);
    options.set_db_write_buffer_size(32 << 20);
    options.set_max_open_files(256);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options
}

fn family_options() -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(8 << 20);
    options
}

/// Makes the folder, open to nobody else, and makes its name durable.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether the store was made completely, by a program of this format.
fn check_marker(path: &Path) -> Result<bool, Error> {
    match fs::read_to_string(path.join(MARKER)) {
        Ok(found) if found.trim_end() == FORMAT => Ok(true),
        Ok(found) => {
            let found = found.trim_end().to_owned();
            Err(Error::Format {
                path: path.to_owned(),
                found,
                known: FORMAT,
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Folder {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Written under another name first, so that a half written marker is never seen.
fn write_marker(path: &Path) -> io::Result<()> {
    let draft = path.join("TEPUI-STORE.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&draft, path.join(MARKER))?;
    sync_folder(path)
}

/// What RocksDB's error means for the reader. Its kinds are words at the start of the text.
fn explain(path: &Path, error: &rocksdb::Error) -> Error {
    let path = path.to_owned();
    let message = error.to_string();
    match error.kind() {
        rocksdb::ErrorKind::IOError if message.contains("lock ") => {
            let holder = lock_holder(&path).unwrap_or_else(|| "another process".to_owned());
            Error::Locked { path, holder }
        }
        rocksdb::ErrorKind::Corruption | rocksdb::ErrorKind::InvalidArgument => {
            Error::Damaged { path, message }
        }
        rocksdb::ErrorKind::IOError if message.contains("No such file") => {
            Error::Damaged { path, message }
        }
        rocksdb::ErrorKind::IOError => Error::Folder {
            path,
            source: io::Error::other(message),
        },
        _ => Error::Read { message },
    }
}

/// Who holds the lock file, from the kernel's table of locks: `1: POSIX ADVISORY WRITE pid
/// maj:min:inode`.
fn lock_holder(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(path.join("LOCK")).ok()?.ino();
    let table = fs::read_to_string("/proc/locks").ok()?;
    let pid = table.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(4);
        let (pid, file) = (words.next()?, words.next()?);
        (file.rsplit(':').next()? == inode.to_string()).then(|| pid.to_owned())
    })?;
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => Some(format!("process {pid} ({})", name.trim_end())),
        Err(_) => Some(format!("process {pid}")),
    }
}

#[cfg(test)]
mod tests;
