//! From a stream of tar to a folder, whatever the stream holds: layers for overlayfs, and archives
//! that tasks want unpacked.

mod apart;
mod archive;
mod entries;
mod extensions;
#[cfg(test)]
mod tests;
mod tree;
mod zip;

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::fstatvfs;
use serde::{Deserialize, Serialize};

pub(crate) use self::apart::unpack_apart;
pub use self::{
    apart::unpack_main,
    archive::{Form, extract, make_file},
};
use self::{
    entries::{Entry, Kind},
    tree::Tree,
};
use crate::{
    Digest, Error,
    limits::{FREE_CHECK_BYTES, MAX_FOLDER_NAME_BYTES, MIN_FREE_BYTES},
    path::Meaning,
    stream::{Verified, decompress, failed},
};

const BUFFER_BYTES: usize = 128 << 10;

/// What became of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The digest of the stream when decompressed.
    pub diff_id: Digest,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Its entries.
    pub entries: u64,
}

/// Unpacks a layer, compressed or not, into an empty folder that nobody else works in.
///
/// Whiteouts become what overlayfs takes for them. Device files are left out: a container has its
/// own. When this fails, the folder holds a part of the layer, and must not be used.
///
/// # Errors
/// What is wrong with the layer, or with the disk. A stream of more than `limit` bytes when
/// decompressed is [`Error::TooLarge`].
pub fn unpack(stream: impl Read, folder: OwnedFd, limit: u64) -> Result<Unpacked, Error> {
    unpack_into(stream, Tree::new(folder), limit)
}

fn unpack_into(stream: impl Read, tree: Tree, limit: u64) -> Result<Unpacked, Error> {
    let stream = decompress(stream).map_err(|error| failed(&error))?;
    let mut stream = Verified::new(stream, limit);
    let mut layer = Unpacking::new(tree, Rules::Layer);
    let entries = entries::each(&mut stream, |entry, contents| layer.add(entry, contents))?;
    layer.finish()?;
    // The digest is that of every byte, also of those after the last entry.
    let (diff_id, bytes) = stream.finish().map_err(|error| failed(&error))?;
    Ok(Unpacked {
        diff_id,
        bytes,
        entries,
    })
}

/// What counts in what is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// It is a layer: whiteouts hide names, and everything keeps its owner.
    Layer,
    /// It is somebody's own archive: names are names, and everything belongs to whoever unpacks it.
    Archive,
}

/// A folder in the making.
struct Unpacking {
    rules: Rules,
    tree: Tree,
    /// The folders, whose times are set when everything is in them.
    folders: Vec<(Vec<u8>, (i64, u32))>,
    name_bytes: usize,
    /// How much was written since the free space was looked at.
    unchecked: u64,
    buffer: Vec<u8>,
    /// Set when nobody wants it any more.
    given_up: Arc<AtomicBool>,
}

impl Unpacking {
    fn new(tree: Tree, rules: Rules) -> Self {
        Self {
            rules,
            tree,
            folders: Vec::new(),
            name_bytes: 0,
            unchecked: FREE_CHECK_BYTES,
            buffer: vec![0; BUFFER_BYTES],
            given_up: Arc::default(),
        }
    }

    fn add(&mut self, entry: &Entry, contents: &mut dyn Read) -> Result<(), Error> {
        let shown = |error: io::Error| cannot(entry, &error);
        self.check_wanted()?;
        let meaning = match self.rules {
            Rules::Layer => entry.path.meaning()?,
            Rules::Archive => Meaning::Entry,
        };
        match meaning {
            Meaning::Nothing => Ok(()),
            Meaning::Opaque => self.tree.make_opaque(entry.path.folder()).map_err(shown),
            Meaning::Hides(hidden) => self.tree.hide(&entry.path, hidden).map_err(shown),
            Meaning::Entry => match &entry.kind {
                Kind::File(size) => self.add_file(entry, *size, contents),
                Kind::Folder => self.add_folder(entry),
                Kind::Device => Ok(()),
                kind => self.add_special(entry, kind).map_err(shown),
            },
        }
    }

    fn add_special(&mut self, entry: &Entry, kind: &Kind) -> io::Result<()> {
        match kind {
            // It is what it was under its other name.
            Kind::HardLink(to) => self.tree.hard_link(&entry.path, to),
            Kind::Symlink(to) => {
                self.tree.symlink(&entry.path, to)?;
                self.tree.describe(entry, true)
            }
            _ => {
                self.tree.fifo(&entry.path)?;
                self.tree.describe(entry, false)
            }
        }
    }

    fn add_folder(&mut self, entry: &Entry) -> Result<(), Error> {
        let shown = |error: io::Error| cannot(entry, &error);
        let path = entry.path.bytes();
        self.name_bytes += path.len();
        if self.name_bytes > MAX_FOLDER_NAME_BYTES {
            let text = "the names of its folders are too long together";
            return Err(Error::TooLarge(text.to_owned()));
        }
        let opened = self.tree.directory(&entry.path).map_err(shown)?;
        tree::describe_open(opened.as_fd(), entry).map_err(shown)?;
        self.folders.push((path.to_owned(), entry.modified));
        Ok(())
    }

    fn add_file(&mut self, entry: &Entry, size: u64, contents: &mut dyn Read) -> Result<(), Error> {
        let shown = |error: io::Error| cannot(entry, &error);
        let mut file = File::from(self.tree.file(&entry.path).map_err(shown)?);
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(BUFFER_BYTES);
            let count = contents
                .read(&mut self.buffer[..most])
                .map_err(|error| failed(&error))?;
            if count == 0 {
                let path = entry.path.shown();
                return Err(Error::Broken(format!("it ends in the middle of {path}")));
            }
            self.check_free(count as u64)?;
            file.write_all(&self.buffer[..count]).map_err(shown)?;
            left -= count as u64;
        }
        tree::describe_open(file.as_fd(), entry).map_err(shown)?;
        tree::set_time_open(file.as_fd(), entry.modified).map_err(shown)
    }

    fn check_wanted(&self) -> Result<(), Error> {
        match self.given_up.load(Ordering::Relaxed) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }

    /// Looks now and then whether there is room: others live on this disk too.
    fn check_free(&mut self, count: u64) -> Result<(), Error> {
        self.check_wanted()?;
        self.unchecked += count;
        if self.unchecked < FREE_CHECK_BYTES {
            return Ok(());
        }
        self.unchecked = 0;
        let disk = fstatvfs(self.tree.root()).map_err(|error| failed(&error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < MIN_FREE_BYTES {
            let advice = match self.rules {
                Rules::Layer => ", for example by `tepui agent images prune`",
                Rules::Archive => "",
            };
            return Err(Error::TooLarge(format!(
                "the agent's disk has only {free} bytes left: make room{advice}"
            )));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        for (path, modified) in self.folders.drain(..).rev() {
            let set = self.tree.set_time(&path, modified);
            set.map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

fn cannot(entry: &Entry, error: &io::Error) -> Error {
    let path = entry.path.shown();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::TooLarge(format!("there is no room for {path}: {error}"))
        }
        _ => Error::Broken(format!("{path} cannot be made: {error}")),
    }
}
