//! Files of the store: whole or not there.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, limits::MAX_DOCUMENT_BYTES};

/// Makes a folder that only the agent's user may look into, if there is none.
pub(super) fn make_private(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::store("make", path))
}

/// Lets everybody look into a folder: it becomes the root of containers.
pub(super) fn open_to_all(folder: &File, path: &Path) -> Result<(), Error> {
    let set = folder.set_permissions(Permissions::from_mode(0o755));
    set.map_err(Error::store("open to all", path))
}

/// The names in a folder, without those that are no text.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let read = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = read.map_err(Error::store("read", folder))?;
    let names = entries
        .into_iter()
        .map(|entry| entry.file_name().into_string());
    Ok(names.filter_map(Result::ok).collect())
}

/// Removes what is there, if anything is. Links are not followed.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::store("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes everything in a folder.
pub(super) fn sweep(folder: &Path) -> Result<(), Error> {
    names(folder)?
        .iter()
        .try_for_each(|name| remove(&folder.join(name)))
}

/// Writes a new file.
pub(super) fn write(path: &Path, what: &impl Serialize) -> Result<(), Error> {
    let written = serde_json::to_vec(what)
        .map_err(io::Error::from)
        .and_then(|bytes| {
            let mut file = File::create(path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        });
    written.map_err(Error::store("write", path))
}

/// Writes a file in place of another.
pub(super) fn replace(path: &Path, what: &impl Serialize) -> Result<(), Error> {
    let new = path.with_extension("new");
    write(&new, what)?;
    fs::rename(&new, path).map_err(Error::store("replace", path))?;
    flush_folder_of(path)
}

/// Reads a file. None if there is none, or none that can be read.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_DOCUMENT_BYTES as u64 * 2)
        .read_to_end(&mut bytes)
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn flush_folder_of(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let flushed = File::open(folder).and_then(|folder| folder.sync_all());
    flushed.map_err(Error::store("write", folder))
}

/// Something in the making: removed unless it is finished.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Unfinished {
    pub(super) fn make(path: PathBuf) -> Result<Self, Error> {
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(Error::store("make", &path))?;
        Ok(Self {
            path,
            finished: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until everything is on the disk: what has its name must be whole after a power cut.
    pub(super) fn flush(&self) -> Result<(), Error> {
        let flushed = File::open(&self.path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        flushed.map_err(Error::store("write", &self.path))
    }

    /// Gives it its name.
    pub(super) fn finish(mut self, path: &Path) -> Result<(), Error> {
        fs::rename(&self.path, path).map_err(Error::store("make", path))?;
        self.finished = true;
        flush_folder_of(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(%error, "something unfinished stays until the next start");
        }
    }
}
