//! Paths of entries: names beneath a layer's root, and what whiteouts among them mean.

use crate::{
    Error,
    limits::{MAX_NAME_BYTES, MAX_PATH_BYTES},
};

/// What the name of a whiteout begins with.
const WHITEOUT: &[u8] = b".wh.";
/// What the names of marks begin with that are about a folder and not about a name in it.
const MARK: &[u8] = b".wh..wh.";
/// The mark that hides everything that lower layers have in a folder.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A path beneath a layer's root. The root itself has no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryPath {
    /// The names with slashes between them; empty for the root.
    joined: Vec<u8>,
    /// Where the last name begins.
    last: usize,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// Something is there.
    Entry,
    /// A name of lower layers is not seen.
    Hides(&'a [u8]),
    /// Nothing that lower layers have in this folder is seen.
    Opaque,
    /// A mark of an old tool's own.
    Nothing,
}

impl EntryPath {
    /// Reads a path. One that begins with a slash means the root of the layer, as everywhere.
    pub(crate) fn read(path: &[u8]) -> Result<Self, Error> {
        let refuse = |problem: &str| Err(Error::Broken(format!("{} {problem}", shown(path))));
        if path.contains(&0) {
            return refuse("contains a NUL character");
        }
        if path.len() > MAX_PATH_BYTES {
            return refuse("is too long a path");
        }
        let (mut joined, mut last) = (Vec::with_capacity(path.len()), 0);
        for name in path.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => return refuse("leads out of the layer"),
                name if name.len() > MAX_NAME_BYTES => return refuse("has too long a name"),
                name => {
                    if !joined.is_empty() {
                        joined.push(b'/');
                    }
                    last = joined.len();
                    joined.extend_from_slice(name);
                }
            }
        }
        Ok(Self { joined, last })
    }

    pub(crate) fn is_root(&self) -> bool {
        self.joined.is_empty()
    }

    /// The whole path, without a slash at either end.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.joined
    }

    /// The folder's path, empty for the root.
    pub(crate) fn folder(&self) -> &[u8] {
        &self.joined[..self.last.saturating_sub(1)]
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.joined[self.last..]
    }

    /// What the last name means.
    pub(crate) fn meaning(&self) -> Result<Meaning<'_>, Error> {
        let name = self.name();
        let Some(hidden) = name.strip_prefix(WHITEOUT) else {
            return Ok(Meaning::Entry);
        };
        if name == OPAQUE {
            return Ok(Meaning::Opaque);
        }
        if name.starts_with(MARK) {
            return Ok(Meaning::Nothing);
        }
        if matches!(hidden, b"" | b"." | b"..") {
            let text = format!("{} hides no name", self.shown());
            return Err(Error::Broken(text));
        }
        Ok(Meaning::Hides(hidden))
    }

    pub(crate) fn shown(&self) -> String {
        shown(&self.joined)
    }
}

/// A path for people.
pub(crate) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(&path[..path.len().min(200)]);
    format!("'{}'", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &[u8]) -> EntryPath {
        EntryPath::read(path).unwrap()
    }

    #[test]
    fn l01_a_path_that_leads_up_is_refused_wherever_it_does() {
        for path in ["..", "../x", "a/../../b", "a/..", "/../x", "./../x"] {
            assert!(EntryPath::read(path.as_bytes()).is_err(), "{path}");
        }
        assert_eq!(read(b"a/..b/c..").bytes(), b"a/..b/c..");
    }

    #[test]
    fn l02_an_absolute_path_is_one_of_the_layer() {
        assert_eq!(read(b"/etc//./passwd").bytes(), b"etc/passwd");
        assert_eq!(read(b"/etc/passwd").folder(), b"etc");
        assert_eq!(read(b"/etc/passwd").name(), b"passwd");
        for root in ["", "/", "./", "."] {
            assert!(read(root.as_bytes()).is_root());
        }
    }

    #[test]
    fn l12_paths_and_names_have_limits_and_no_nul_but_newlines() {
        assert!(EntryPath::read(&vec![b'/'; MAX_PATH_BYTES + 1]).is_err());
        assert!(EntryPath::read(&vec![b'a'; MAX_NAME_BYTES + 1]).is_err());
        assert!(EntryPath::read(&vec![b'a'; MAX_NAME_BYTES]).is_ok());
        assert!(EntryPath::read(b"a\0b").is_err());
        assert_eq!(read(b"a\nb").name(), b"a\nb");
    }

    #[test]
    fn l09_whiteouts_hide_names_and_nothing_else() {
        let meaning = |path: &str| {
            let path = read(path.as_bytes());
            path.meaning().map(|meaning| format!("{meaning:?}"))
        };
        assert_eq!(read(b"a/.wh.b").meaning().unwrap(), Meaning::Hides(b"b"));
        assert_eq!(meaning("a/.wh..wh..opq").unwrap(), "Opaque");
        assert_eq!(meaning("a/.wh..wh.plnk").unwrap(), "Nothing");
        assert_eq!(meaning("a/.whx").unwrap(), "Entry");
        for path in [".wh.", ".wh..", ".wh...", "a/.wh..."] {
            assert!(meaning(path).is_err(), "{path}");
        }
    }
}
