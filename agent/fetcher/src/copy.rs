//! Bytes from where they are to a file: counted, hashed and bounded.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::fstatvfs;
use tepui_images::{Digest, Error, Hasher};

use crate::limits::{BUFFER_BYTES, FREE_CHECK_BYTES, MIN_FREE_BYTES};

/// What was copied.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

/// What bounds a copy.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    /// The most bytes.
    pub(crate) limit: u64,
    /// Set when nobody wants it any more.
    pub(crate) given_up: &'a AtomicBool,
    /// What it must be.
    pub(crate) checksum: Option<&'a Digest>,
}

/// Copies all, asking before each piece whether there is room.
pub(crate) fn copy(
    read: &mut dyn Read,
    mut to: &File,
    bounds: &Bounds<'_>,
    mut room: impl FnMut(u64) -> Result<(), Error>,
) -> Result<Copied, Error> {
    let (mut hasher, mut bytes, mut unchecked) = (Hasher::default(), 0, FREE_CHECK_BYTES);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        if bounds.given_up.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let count = read.read(&mut buffer).map_err(|error| failed(&error))?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        if bytes > bounds.limit {
            let text = format!("there is room for {} bytes", bounds.limit);
            return Err(Error::TooLarge(text));
        }
        room(count as u64)?;
        unchecked += count as u64;
        if unchecked >= FREE_CHECK_BYTES {
            check_free(to)?;
            unchecked = 0;
        }
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count])
            .map_err(|error| failed(&error))?;
    }
    let digest = hasher.finish();
    match bounds.checksum {
        Some(expected) if *expected != digest => Err(Error::Mismatch {
            what: "the file".to_owned(),
            expected: expected.clone(),
            found: digest,
        }),
        _ => Ok(Copied { bytes, digest }),
    }
}

/// Others live on this disk too.
fn check_free(file: &File) -> Result<(), Error> {
    let disk = fstatvfs(file).map_err(|error| failed(&error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < MIN_FREE_BYTES {
        let text = format!("the agent's disk has only {free} bytes left");
        return Err(Error::TooLarge(text));
    }
    Ok(())
}

fn failed(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::TooLarge(error.to_string())
        }
        _ => Error::Broken(error.to_string()),
    }
}
