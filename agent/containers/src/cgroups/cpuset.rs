//! Which processors groups may run on.
//!
//! In v1 a new group may run nowhere, and none may run where its parent may not: a change goes down
//! the tree and then up again. In v2 groups that say nothing follow their parent.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Error, folders, is_gone, read};
use crate::processors::{Processors, list, parse};

/// The file in both versions.
pub(super) const FILE: &str = "cpuset.cpus";

/// The memory that goes with processors, v1 only.
const MEMORY: &str = "cpuset.mems";

/// How often a change is tried while groups are being made below.
const TRIES: u32 = 20;

/// Lets the groups from the root of the hierarchy down to this one run on what their parents may,
/// where they may run nowhere yet.
pub(super) fn open(group: &Path, depth: usize) -> Result<(), Error> {
    let mut chain: Vec<_> = group.ancestors().take(depth).collect();
    chain.reverse();
    let closed = |group: &&Path| read(&group.join(FILE)).trim().is_empty();
    let mut closed = chain.into_iter().filter(closed);
    closed.try_for_each(inherit)
}

/// Lets a new group run on what its parent may.
pub(super) fn inherit(group: &Path) -> Result<(), Error> {
    let Some(parent) = group.parent() else {
        return Ok(());
    };
    [MEMORY, FILE].into_iter().try_for_each(|name| {
        let path = group.join(name);
        let value = read(&parent.join(name));
        fs::write(&path, value.trim()).map_err(|error| Error::new("write", &path, error))
    })
}

/// Lets a v1 group, and those below it, run on these processors alone.
pub(super) fn confine(group: &Path, processors: &Processors) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match confine_once(group, processors) {
            // A group was made below that may run on what this one might before.
            Err((_, error)) if is_busy(&error) && tries < TRIES => tries += 1,
            Err((_, error)) if is_gone(&error) => return Ok(()),
            Err((path, error)) => return Err(Error::new("write", &path, error)),
            Ok(()) => return Ok(()),
        }
    }
}

fn confine_once(group: &Path, processors: &Processors) -> Result<(), (PathBuf, io::Error)> {
    let path = group.join(FILE);
    let write =
        |value: &Processors| fs::write(&path, list(value)).map_err(|error| (path.clone(), error));
    let now = parse(&read(&path));
    if now != *processors {
        write(&now.union(processors).copied().collect())?;
    }
    for below in folders(group) {
        match confine_once(&below, processors) {
            Err((_, error)) if is_gone(&error) => {}
            confined => confined?,
        }
    }
    match now == *processors {
        true => Ok(()),
        false => write(processors),
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ResourceBusy || error.raw_os_error() == Some(nix::libc::EACCES)
}

/// Lets a v2 group run on these processors alone.
pub(super) fn set(path: &Path, processors: &Processors) -> Result<(), Error> {
    match fs::write(path, list(processors)) {
        Err(error) if is_gone(&error) => Ok(()),
        written => written.map_err(|error| Error::new("write", path, error)),
    }
}

/// The processors of a group, where they are bounded.
pub(super) fn shown(group: &Path, file: &str) -> Option<String> {
    let text = read(&group.join(file));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
