//! Archives that tasks want unpacked in their sandboxes, by the rules of layers: no path leads out,
//! and everything has a limit.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, atomic::AtomicBool},
};

use super::{
    BUFFER_BYTES, Rules, Unpacking, cannot,
    entries::{self, Entry, Kind},
    tree::Tree,
    zip,
};
use crate::{
    Error,
    path::EntryPath,
    stream::{Verified, decompress_any, failed},
};

/// The form of a file that can be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A tar, compressed by gzip, xz, zstd, bzip2 or not at all, as its first bytes say.
    Tar,
    /// A zip archive.
    Zip,
    /// One file, compressed in the same ways.
    Single,
}

/// The endings of the names of archives.
const TARS: [&str; 10] = [
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".taz",
];

impl Form {
    /// What a file is by the end of its name (Mesos: FET-02); none if it is no archive.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let ends = |end: &str| name.len() > end.len() && name.ends_with(end);
        if TARS.into_iter().any(ends) {
            return Some(Self::Tar);
        }
        if ends(".zip") {
            return Some(Self::Zip);
        }
        ends(".gz").then_some(Self::Single)
    }
}

/// Unpacks a file into a folder, in which there may be something: what has the same name gives way.
/// Everything belongs to whoever does it. A single file gets this name without its last ending.
/// Gives the bytes that were unpacked. Ends early once `given_up` is set.
///
/// # Errors
/// What is wrong with the archive, or with the disk. More than `limit` bytes when unpacked are
/// [`Error::TooLarge`]. What was unpacked until then stays.
pub fn extract(
    file: &File,
    (form, name): (Form, &str),
    folder: OwnedFd,
    limit: u64,
    given_up: &Arc<AtomicBool>,
) -> Result<u64, Error> {
    let mut unpacking = Unpacking::new(Tree::new(folder), Rules::Archive);
    unpacking.given_up = Arc::clone(given_up);
    let bytes = match form {
        Form::Tar => {
            let stream = decompress_any(file).map_err(|error| failed(&error))?;
            let mut stream = Verified::new(stream, limit);
            entries::each(&mut stream, |entry, contents| {
                unpacking.add(&owned(entry), contents)
            })?;
            stream.finish().map_err(|error| failed(&error))?.1
        }
        Form::Zip => zip::each(file, limit, |entry, contents| {
            unpacking.add(entry, contents)
        })?,
        Form::Single => single(&mut unpacking, file, name, limit)?,
    };
    unpacking.finish()?;
    Ok(bytes)
}

/// Makes a new file beneath a folder, to be read and written, with the folders on the way. What has
/// its name gives way, unless it is a folder with contents.
///
/// # Errors
/// It cannot be made, or the path leads out.
pub fn make_file(folder: OwnedFd, path: &[u8]) -> Result<File, Error> {
    let path = EntryPath::read(path)?;
    let file = Tree::new(folder).file(&path);
    file.map(File::from)
        .map_err(|error| Error::Broken(format!("{} cannot be made: {error}", path.shown())))
}

/// An entry as whoever unpacks it may make it: nothing runs as somebody else.
fn owned(entry: &Entry) -> Entry {
    let own = |(name, _): &&(String, Vec<u8>)| name.starts_with("user.");
    Entry {
        path: entry.path.clone(),
        kind: entry.kind.clone(),
        owner: None,
        mode: entry.mode & 0o777,
        modified: entry.modified,
        attributes: entry.attributes.iter().filter(own).cloned().collect(),
    }
}

fn single(unpacking: &mut Unpacking, file: &File, name: &str, limit: u64) -> Result<u64, Error> {
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let entry = Entry {
        path: EntryPath::read(name.as_bytes())?,
        kind: Kind::File(0),
        owner: None,
        mode: 0o644,
        modified: (0, 0),
        attributes: Vec::new(),
    };
    let shown = |error: io::Error| cannot(&entry, &error);
    let stream = decompress_any(file).map_err(|error| failed(&error))?;
    let mut stream = Verified::new(stream, limit);
    let mut made = File::from(unpacking.tree.file(&entry.path).map_err(shown)?);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer).map_err(|error| failed(&error))?;
        if count == 0 {
            break;
        }
        unpacking.check_free(count as u64)?;
        made.write_all(&buffer[..count]).map_err(shown)?;
    }
    rustix::fs::fchmod(made.as_fd(), entry.mode.into()).map_err(|error| shown(error.into()))?;
    Ok(stream.finish().map_err(|error| failed(&error))?.1)
}

#[cfg(test)]
mod tests;
