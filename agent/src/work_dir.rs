//! The work dir: one agent at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use crate::Error;

/// The file that a running agent holds a lock on.
const LOCK: &str = "agent.lock";

/// The folder of the checkpoints.
const CHECKPOINTS: &str = "meta";

/// Makes a folder that nobody else looks into: checkpoints hold what tasks were told, secrets too.
fn make_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The work dir, owned until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl WorkDir {
    /// Makes the work dir if there is none, and takes it for this agent.
    pub(crate) fn claim(path: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::WorkDir {
            work_dir: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        // Tasks get absolute paths, whatever the agent was given.
        let path = path.canonicalize().map_err(unusable)?;
        let lock = open(&path.join(LOCK)).map_err(unusable)?;
        let mut lock = match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(Error::WorkDirInUse {
                    work_dir: path,
                    holder: holder(&mut file),
                });
            }
            Err((_, errno)) => return Err(unusable(errno.into())),
        };
        write_pid(&mut lock).map_err(unusable)?;
        make_private(&path.join(CHECKPOINTS)).map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Under which all sandboxes are.
    pub(crate) fn sandboxes(&self) -> PathBuf {
        self.path.join("slaves")
    }

    /// Where the checkpoints are.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Where the records of containers are, unless the operator says otherwise.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.path.join("run")
    }

    /// Where the images of tasks are, unless the operator says otherwise.
    pub(crate) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    /// Where what was fetched for tasks is kept for others, unless the operator says otherwise.
    pub(crate) fn fetched(&self) -> PathBuf {
        self.path.join("fetch")
    }

    /// The cgroup of this agent's containers: the same whenever an agent runs on this work dir, on
    /// whatever port, and another than that of any other work dir.
    pub(crate) fn cgroup_root(&self) -> String {
        format!(
            "tepui/{:016x}",
            fingerprint(self.path.as_os_str().as_bytes())
        )
    }
}

/// FNV-1a: the same in every version of this program.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who holds the lock, as well as can be said.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!(", process {}", pid.trim()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_dir_has_one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let first = WorkDir::claim(&path).unwrap();
        let error = WorkDir::claim(&path).unwrap_err().to_string();
        let pid = format!("process {}", std::process::id());
        assert!(
            error.contains(&pid) && error.contains("--work-dir"),
            "{error}"
        );
        let root = first.cgroup_root();
        drop(first);
        assert_eq!(WorkDir::claim(&path).unwrap().cgroup_root(), root);
        assert_ne!(WorkDir::claim(folder.path()).unwrap().cgroup_root(), root);
    }

    #[test]
    fn a_work_dir_that_cannot_be_made_is_refused() {
        let error = WorkDir::claim(Path::new("/proc/nothing"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/proc/nothing") && error.contains("--work-dir"),
            "{error}"
        );
    }
}
