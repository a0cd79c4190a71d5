//! The entries of a tar stream, read strictly: what two readers could read in two ways is an
//! error.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::extensions::Extensions;
use crate::{
    Error,
    limits::{MAX_ENTRIES, MAX_EXTENSION_BYTES},
    path::{EntryPath, shown},
    stream::failed,
};

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: EntryPath,
    pub(super) kind: Kind,
    /// Whose it becomes, by number; none if it is whose who unpacks it.
    pub(super) owner: Option<(u32, u32)>,
    /// Permissions, with those that make a program run as its owner.
    pub(super) mode: u32,
    /// When it was last changed: seconds since 1970, and nanoseconds.
    pub(super) modified: (i64, u32),
    pub(super) attributes: Vec<(String, Vec<u8>)>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// With its size in bytes.
    File(u64),
    Folder,
    Symlink(Vec<u8>),
    /// Another name of what is at that path.
    HardLink(EntryPath),
    Fifo,
    Device,
}

/// Goes through all entries. The contents of a file are there while its entry is.
pub(super) fn each(
    stream: impl Read,
    mut act: impl FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut archive = tar::Archive::new(stream);
    let entries = archive.entries().map_err(|error| failed(&error))?;
    let mut extensions = Extensions::default();
    let mut count = 0;
    for raw in entries.raw(true) {
        let mut raw = raw.map_err(|error| failed(&error))?;
        count += 1;
        if count > MAX_ENTRIES {
            return Err(Error::TooLarge(format!(
                "it has more than {MAX_ENTRIES} entries"
            )));
        }
        let kind = raw.header().entry_type();
        match kind {
            EntryType::XHeader => extensions.posix(&extension(&mut raw)?)?,
            EntryType::XGlobalHeader => Extensions::global(&extension(&mut raw)?)?,
            EntryType::GNULongName => extensions.gnu_path(extension(&mut raw)?)?,
            EntryType::GNULongLink => extensions.gnu_link(extension(&mut raw)?)?,
            _ => {
                let entry = entry(raw.header(), std::mem::take(&mut extensions))?;
                act(&entry, &mut raw)?;
            }
        }
    }
    if extensions != Extensions::default() {
        return Err(Error::Broken("it ends after half an entry".to_owned()));
    }
    Ok(count)
}

/// Reads the contents of an extended header.
fn extension(raw: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = raw.take(MAX_EXTENSION_BYTES + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| failed(&error))?;
    if read as u64 > MAX_EXTENSION_BYTES {
        let text = format!("an extended header has more than {MAX_EXTENSION_BYTES} bytes");
        return Err(Error::TooLarge(text));
    }
    Ok(bytes)
}

fn entry(header: &Header, extensions: Extensions) -> Result<Entry, Error> {
    let name = extensions
        .path
        .unwrap_or_else(|| header.path_bytes().into_owned());
    let broken = |error: io::Error| Error::Broken(format!("{}: {error}", shown(&name)));
    let size = header.entry_size().map_err(broken)?;
    if extensions.size.is_some_and(|other| other != size) {
        // Who reads the one sees other entries than who reads the other (CVE-2025-62518).
        return Err(Error::Broken(format!("{} has two sizes", shown(&name))));
    }
    let link = || {
        let link = extensions.link.clone();
        let link = link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        link.filter(|link| !link.is_empty() && !link.contains(&0))
            .ok_or_else(|| Error::Broken(format!("{} links to nothing", shown(&name))))
    };
    let path = EntryPath::read(&name)?;
    let kind = match header.entry_type() {
        // As the oldest tools wrote folders.
        EntryType::Regular if name.ends_with(b"/") => Kind::Folder,
        EntryType::Regular | EntryType::Continuous => Kind::File(size),
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Symlink(link()?),
        EntryType::Link => Kind::HardLink(EntryPath::read(&link()?)?),
        EntryType::Fifo => Kind::Fifo,
        EntryType::Char | EntryType::Block => Kind::Device,
        EntryType::GNUSparse => {
            return Err(Error::Broken(format!("{} is a sparse file", shown(&name))));
        }
        other => {
            let kind = char::from(other.as_byte()).escape_debug();
            return Err(Error::Broken(format!(
                "{} is of unknown kind '{kind}'",
                shown(&name)
            )));
        }
    };
    if size > 0 && !matches!(kind, Kind::File(_)) {
        return Err(Error::Broken(format!(
            "{} is no file and has contents",
            shown(&name)
        )));
    }
    let number = |from: Option<u64>, own: io::Result<u64>| -> Result<u32, Error> {
        let number = from.map_or(own, Ok).map_err(broken)?;
        // The highest stands for "nobody in particular".
        u32::try_from(number)
            .ok()
            .filter(|number| *number != u32::MAX)
            .ok_or_else(|| Error::Broken(format!("{} has an impossible owner", shown(&name))))
    };
    let modified = match extensions.modified {
        Some(modified) => modified,
        None => (
            i64::try_from(header.mtime().map_err(broken)?).unwrap_or(0),
            0,
        ),
    };
    Ok(Entry {
        owner: Some((
            number(extensions.uid, header.uid())?,
            number(extensions.gid, header.gid())?,
        )),
        mode: header.mode().map_err(broken)? & 0o7777,
        attributes: extensions.attributes,
        path,
        kind,
        modified,
    })
}
