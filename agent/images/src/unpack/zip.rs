//! The entries of a zip archive, read strictly: the directory at its end counts, and what stands
//! before an entry must not disagree with it.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
};

use flate2::read::DeflateDecoder;

use super::entries::{Entry, Kind};
use crate::{
    Error,
    limits::{MAX_ENTRIES, MAX_LINK_BYTES, MAX_ZIP_DIRECTORY_BYTES},
    path::{EntryPath, shown},
    stream::failed,
};

const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";
const LOCATOR_64_BYTES: u64 = 20;
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
/// What a number is when the real one is elsewhere, since it does not fit.
const ELSEWHERE: u64 = u32::MAX as u64;
/// The extra field with the numbers that do not fit.
const EXTRA_64: u16 = 1;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;

/// Where the directory is.
#[derive(Debug)]
struct Directory {
    offset: u64,
    bytes: u64,
    entries: u64,
}

/// What the directory says of one entry.
#[derive(Debug)]
struct Listed {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
    mode: u32,
}

/// Goes through all entries; gives the bytes of all files.
pub(super) fn each(
    file: &File,
    limit: u64,
    mut act: impl FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<u64, Error> {
    let length = file.metadata().map_err(|error| failed(&error))?.len();
    let directory = directory(file, length)?;
    let bytes = read(file, directory.offset, directory.bytes)?;
    let (mut rest, mut total) = (bytes.as_slice(), 0_u64);
    for _ in 0..directory.entries {
        let (listed, after) = listed(rest)?;
        rest = after;
        total = total.saturating_add(listed.size);
        if total > limit {
            return Err(Error::TooLarge(format!("it has more than {limit} bytes")));
        }
        let start = start(file, &listed)?;
        if start.saturating_add(listed.packed) > directory.offset {
            return Err(broken(&listed, "reaches into what follows"));
        }
        one(file, start, &listed, &mut act)?;
    }
    Ok(total)
}

fn one(
    file: &File,
    start: u64,
    listed: &Listed,
    act: &mut impl FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let packed = Part {
        file,
        at: start,
        left: listed.packed,
    };
    let unpacked: Box<dyn Read> = match listed.method {
        STORED if listed.packed == listed.size => Box::new(packed),
        DEFLATED => Box::new(DeflateDecoder::new(BufReader::new(packed))),
        STORED => return Err(broken(listed, "has two sizes")),
        _ => {
            return Err(broken(
                listed,
                "is compressed in a way that is not known here",
            ));
        }
    };
    let mut contents = Checked {
        inner: unpacked.take(listed.size.saturating_add(1)),
        hasher: crc32fast::Hasher::new(),
        count: 0,
    };
    let entry = entry(listed, &mut contents)?;
    act(&entry, &mut contents)?;
    if matches!(entry.kind, Kind::Folder) && listed.size == 0 {
        return Ok(());
    }
    // What follows the size that was named is found here.
    io::copy(&mut contents, &mut io::sink()).map_err(|error| failed(&error))?;
    if contents.count != listed.size || contents.hasher.finalize() != listed.crc {
        return Err(broken(listed, "is damaged"));
    }
    Ok(())
}

fn entry(listed: &Listed, contents: &mut impl Read) -> Result<Entry, Error> {
    const KIND: u32 = 0o170_000;
    let kind = match (listed.mode & KIND, listed.name.ends_with(b"/")) {
        (0o120_000, false) => {
            if listed.size > MAX_LINK_BYTES {
                return Err(broken(listed, "is too long a link"));
            }
            let mut target = Vec::new();
            let taken = contents.take(listed.size).read_to_end(&mut target);
            taken.map_err(|error| failed(&error))?;
            if target.is_empty() || target.contains(&0) {
                return Err(broken(listed, "links to nothing"));
            }
            Kind::Symlink(target)
        }
        (0o040_000 | 0, true) => Kind::Folder,
        (0o100_000 | 0, false) => Kind::File(listed.size),
        _ => return Err(broken(listed, "is of a kind that is not known here")),
    };
    let given = listed.mode & 0o777;
    let mode = match (given, &kind) {
        (0, Kind::Folder) => 0o755,
        (0, _) => 0o644,
        _ => given,
    };
    Ok(Entry {
        path: EntryPath::read(&listed.name)?,
        kind,
        owner: None,
        mode,
        // Zip's own times have no zone: they would be wrong half of the time.
        modified: now(),
        attributes: Vec::new(),
    })
}

fn now() -> (i64, u32) {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    (seconds, since.subsec_nanos())
}

/// Finds the directory from the end of the file.
fn directory(file: &File, length: u64) -> Result<Directory, Error> {
    let none = || Error::Broken("it is no zip archive, or its end is missing".to_owned());
    // A comment may follow.
    let tail_bytes = length.min(END_BYTES as u64 + u64::from(u16::MAX));
    let tail_at = length - tail_bytes;
    let tail = read(file, tail_at, tail_bytes)?;
    let is_end = |at: &usize| {
        let rest = &tail[*at..];
        rest.starts_with(END)
            && rest.len() >= END_BYTES
            && rest.len() == END_BYTES + usize::from(u16_at(rest, 20))
    };
    let at = (0..tail.len()).rev().find(is_end).ok_or_else(none)?;
    let end = &tail[at..];
    let mut found = Directory {
        entries: u16_at(end, 10).into(),
        bytes: u32_at(end, 12).into(),
        offset: u32_at(end, 16).into(),
    };
    let end_at = tail_at + at as u64;
    if found.entries == u64::from(u16::MAX) || found.bytes == ELSEWHERE || found.offset == ELSEWHERE
    {
        found = large_directory(file, end_at)?.unwrap_or(found);
    }
    if found.entries > MAX_ENTRIES || found.bytes > MAX_ZIP_DIRECTORY_BYTES {
        return Err(Error::TooLarge(format!(
            "it has more than {MAX_ENTRIES} entries"
        )));
    }
    if found.offset.saturating_add(found.bytes) > end_at {
        return Err(none());
    }
    Ok(found)
}

/// The directory of an archive with more than 65,535 entries or 4 GB.
fn large_directory(file: &File, end_at: u64) -> Result<Option<Directory>, Error> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_64_BYTES) else {
        return Ok(None);
    };
    let locator = read(file, locator_at, LOCATOR_64_BYTES)?;
    if !locator.starts_with(LOCATOR_64) {
        return Ok(None);
    }
    let end = read(file, u64_at(&locator, 8), 56)?;
    if !end.starts_with(END_64) {
        let text = "its end says where its directory is, and is wrong";
        return Err(Error::Broken(text.to_owned()));
    }
    Ok(Some(Directory {
        entries: u64_at(&end, 32),
        bytes: u64_at(&end, 40),
        offset: u64_at(&end, 48),
    }))
}

/// Reads one entry of the directory; gives what follows it.
fn listed(bytes: &[u8]) -> Result<(Listed, &[u8]), Error> {
    let cut = || Error::Broken("its directory cannot be read".to_owned());
    if bytes.len() < ENTRY_BYTES || !bytes.starts_with(ENTRY) {
        return Err(cut());
    }
    let length = |at| usize::from(u16_at(bytes, at));
    let (name, extra, comment) = (length(28), length(30), length(32));
    let after = bytes.get(ENTRY_BYTES..).ok_or_else(cut)?;
    let after = after.get(name + extra + comment..).ok_or_else(cut)?;
    let extras = &bytes[ENTRY_BYTES + name..ENTRY_BYTES + name + extra];
    // Which system wrote it: only Unix has permissions there.
    let is_unix = bytes[5] == 3;
    let mut listed = Listed {
        name: bytes[ENTRY_BYTES..ENTRY_BYTES + name].to_vec(),
        flags: u16_at(bytes, 8),
        method: u16_at(bytes, 10),
        crc: u32_at(bytes, 16),
        packed: u32_at(bytes, 20).into(),
        size: u32_at(bytes, 24).into(),
        offset: u32_at(bytes, 42).into(),
        mode: if is_unix { u32_at(bytes, 38) >> 16 } else { 0 },
    };
    enlarge(&mut listed, extras).ok_or_else(cut)?;
    if listed.flags & ENCRYPTED != 0 {
        return Err(broken(&listed, "is encrypted"));
    }
    Ok((listed, after))
}

/// Takes the numbers that do not fit from where they are, in the order in which they are missing.
fn enlarge(listed: &mut Listed, mut extras: &[u8]) -> Option<()> {
    while extras.len() >= 4 {
        let (kind, length) = (u16_at(extras, 0), usize::from(u16_at(extras, 2)));
        let mut field = extras.get(4..4 + length)?;
        extras = &extras[4 + length..];
        if kind != EXTRA_64 {
            continue;
        }
        let numbers = [&mut listed.size, &mut listed.packed, &mut listed.offset];
        for number in numbers.into_iter().filter(|number| **number == ELSEWHERE) {
            *number = u64_at(field.get(..8)?, 0);
            field = &field[8..];
        }
    }
    Some(())
}

/// Where the contents of an entry begin.
fn start(file: &File, listed: &Listed) -> Result<u64, Error> {
    let local = read(file, listed.offset, LOCAL_BYTES as u64)?;
    let name_bytes = u64::from(u16_at(&local, 26));
    let name = read(
        file,
        listed.offset.saturating_add(LOCAL_BYTES as u64),
        name_bytes,
    )?;
    // Who reads from the start must see what who reads from the end does.
    if !local.starts_with(LOCAL) || name != listed.name || u16_at(&local, 8) != listed.method {
        return Err(broken(listed, "is another where it begins"));
    }
    let skipped = LOCAL_BYTES as u64 + name_bytes + u64::from(u16_at(&local, 28));
    Ok(listed.offset.saturating_add(skipped))
}

fn read(file: &File, at: u64, bytes: u64) -> Result<Vec<u8>, Error> {
    let cut = || Error::Broken("it is cut short".to_owned());
    if bytes > MAX_ZIP_DIRECTORY_BYTES {
        return Err(Error::TooLarge("its directory is too long".to_owned()));
    }
    let mut buffer = vec![0; usize::try_from(bytes).map_err(|_| cut())?];
    match file.read_exact_at(&mut buffer, at) {
        Ok(()) => Ok(buffer),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut()),
        // No file is that long.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(cut()),
        Err(error) => Err(failed(&error)),
    }
}

fn broken(listed: &Listed, problem: &str) -> Error {
    Error::Broken(format!("{} {problem}", shown(&listed.name)))
}

/// Of bytes that are long enough.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// A part of a file.
struct Part<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Contents whose checksum and length are known in the end.
struct Checked<R> {
    inner: R,
    hasher: crc32fast::Hasher,
    count: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
