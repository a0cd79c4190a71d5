//! What stands before an entry and says more about it: POSIX' extended headers and GNU's long
//! names.

use std::str;

use crate::{Error, limits::MAX_ATTRIBUTES, path::shown};

/// The key of an extended attribute begins with it.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";
/// The keys of files with holes begin with it.
const SPARSE: &[u8] = b"GNU.sparse.";

/// What stands before an entry and says more about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<(i64, u32)>,
    pub(super) attributes: Vec<(String, Vec<u8>)>,
    /// There was an extended header.
    posix: bool,
}

impl Extensions {
    /// Takes an extended header in. There is one at most.
    pub(super) fn posix(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.posix {
            return Err(Error::Broken(
                "an entry has two extended headers".to_owned(),
            ));
        }
        self.posix = true;
        for (key, value) in records(bytes)? {
            self.record(key, value)?;
        }
        Ok(())
    }

    /// A header for all entries that follow may say what concerns none.
    pub(super) fn global(bytes: &[u8]) -> Result<(), Error> {
        let mut keys = records(bytes)?.into_iter().map(|(key, _)| key);
        match keys.find(|key| *key != b"comment") {
            Some(key) => Err(Error::Broken(format!(
                "a header for all entries sets {}",
                shown(key)
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn gnu_path(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        once(&mut self.path, without_end(bytes), "name")
    }

    pub(super) fn gnu_link(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        once(&mut self.link, without_end(bytes), "target")
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if let Some(name) = key.strip_prefix(ATTRIBUTE) {
            return self.attribute(name, value);
        }
        if key.starts_with(SPARSE) {
            return Err(Error::Broken("it has a sparse file".to_owned()));
        }
        match key {
            b"path" => once(&mut self.path, value.to_vec(), "name"),
            b"linkpath" => once(&mut self.link, value.to_vec(), "target"),
            b"size" => once(&mut self.size, number(value)?, "size"),
            b"uid" => once(&mut self.uid, number(value)?, "owner"),
            b"gid" => once(&mut self.gid, number(value)?, "group"),
            b"mtime" => once(&mut self.modified, time(value)?, "time"),
            // Names of owners, other times, and what tools write for themselves.
            _ => Ok(()),
        }
    }

    /// Programs' rights and the user's own attributes; others would speak to this machine: what
    /// an overlay shows (`trusted.overlay`), who may do what (`system`, `security`).
    fn attribute(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let Ok(name) = str::from_utf8(name) else {
            return Err(Error::Broken("an attribute's name is no text".to_owned()));
        };
        let users_own = name.starts_with("user.") && !name.starts_with("user.overlay.");
        if name.contains('\0') || !(users_own || name == "security.capability") {
            return Ok(());
        }
        if self.attributes.len() >= MAX_ATTRIBUTES {
            let text = format!("an entry has more than {MAX_ATTRIBUTES} attributes");
            return Err(Error::TooLarge(text));
        }
        self.attributes.push((name.to_owned(), value.to_vec()));
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T, what: &str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Broken(format!("an entry has two of one {what}"))),
    }
}

fn without_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// A key and a value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// The records of an extended header, each as in `18 path=some/name\n` with its own length in
/// front.
fn records(mut bytes: &[u8]) -> Result<Vec<Record<'_>>, Error> {
    let broken = || Error::Broken("an extended header cannot be read".to_owned());
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ');
        let space = space.ok_or_else(broken)?;
        let length = usize::try_from(number(&bytes[..space])?).map_err(|_| broken())?;
        if length <= space + 1 || length > bytes.len() {
            return Err(broken());
        }
        let (record, rest) = bytes.split_at(length);
        let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=');
        let equals = equals.ok_or_else(broken)?;
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = rest;
    }
    Ok(records)
}

fn number(bytes: &[u8]) -> Result<u64, Error> {
    let digits = bytes.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(bytes).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::Broken(format!("{} is no number", shown(bytes))))
}

/// Seconds with a fraction, as in `1700000000.25`.
fn time(bytes: &[u8]) -> Result<(i64, u32), Error> {
    let broken = || Error::Broken(format!("{} is no time", shown(bytes)));
    let text = str::from_utf8(bytes).map_err(|_| broken())?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| broken())?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(broken());
    }
    let nanoseconds: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: u32 = nanoseconds.parse().map_err(|_| broken())?;
    // The kernel counts nanoseconds forward from the second before.
    match (seconds < 0 || text.starts_with('-'), nanoseconds) {
        (true, 1..) => Ok((seconds.saturating_sub(1), 1_000_000_000 - nanoseconds)),
        _ => Ok((seconds, nanoseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> Vec<u8> {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        format!("{length}{rest}").into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<Extensions, Error> {
        let mut extensions = Extensions::default();
        extensions.posix(bytes).map(|()| extensions)
    }

    #[test]
    fn records_say_more_about_an_entry() {
        let bytes = [
            record("path", "a b=c\nd"),
            record("size", "7"),
            record("mtime", "1700000000.25"),
            record("SCHILY.xattr.user.x", "1"),
            record("SCHILY.xattr.security.capability", "c"),
        ];
        let read = read(&bytes.concat()).unwrap();
        assert_eq!(read.path.as_deref(), Some(&b"a b=c\nd"[..]));
        assert_eq!(read.size, Some(7));
        assert_eq!(read.modified, Some((1_700_000_000, 250_000_000)));
        assert_eq!(read.attributes.len(), 2);
        assert_eq!(time(b"-1.5").unwrap(), (-2, 500_000_000));
    }

    #[test]
    fn attributes_that_speak_to_this_machine_are_left_out() {
        for name in [
            "trusted.overlay.opaque",
            "user.overlay.opaque",
            "system.posix_acl_access",
        ] {
            let bytes = record(&format!("SCHILY.xattr.{name}"), "y");
            assert!(read(&bytes).unwrap().attributes.is_empty(), "{name}");
        }
    }

    #[test]
    fn l07_an_entry_has_one_extended_header_and_each_key_once() {
        let mut extensions = read(&record("path", "a")).unwrap();
        assert!(extensions.posix(&record("uid", "1")).is_err());
        assert!(extensions.gnu_path(b"b\0".to_vec()).is_err());
        assert!(read(&[record("path", "a"), record("path", "b")].concat()).is_err());
        assert!(Extensions::global(&record("path", "a")).is_err());
        assert!(Extensions::global(&record("comment", "a")).is_ok());
    }

    #[test]
    fn l13_sparse_files_are_refused() {
        assert!(read(&record("GNU.sparse.major", "1")).is_err());
    }

    #[test]
    fn headers_that_cannot_be_read_are_refused() {
        for bytes in [
            &b"x"[..],
            b"5 a=b",
            b"99 a=b\n",
            b"0 a=b\n",
            b"6 a=b\n",
            b"2 a=b\n",
            b"-6 a=b\n",
            b"18446744073709551616 a=b\n",
            b" a=b\n",
            b"6 a.b\n",
        ] {
            assert!(records(bytes).is_err() || read(bytes).is_ok_and(|it| it.path.is_none()));
        }
        assert!(records(b"99 a=b\n").is_err());
        assert!(read(&record("size", "-1")).is_err());
        assert!(read(&record("mtime", "soon")).is_err());
    }
}
