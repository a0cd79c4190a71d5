//! What a container wants to be fetched.

use std::path::PathBuf;

use tepui_images::Digest;

use crate::Owner;

/// What one container wants to be fetched.
#[derive(Clone, Debug)]
pub struct Job {
    /// The sandbox, which is there.
    pub sandbox: PathBuf,
    /// Whose everything becomes, if that is not whoever runs this.
    pub owner: Option<Owner>,
    /// The user's name: what is cached is shared among tasks of the same.
    pub user: String,
    /// How many bytes there is room for, if the task has a limit of its own.
    pub room: Option<u64>,
    /// What is fetched, in this order.
    pub items: Vec<Item>,
}

/// One thing to be fetched.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it is.
    pub source: Source,
    /// The path of its file, from the sandbox.
    pub file: PathBuf,
    /// Whether it is a program.
    pub executable: bool,
    /// Whether it is unpacked, if it is an archive by its name.
    pub extract: bool,
    /// Whether it is kept for others.
    pub cache: bool,
    /// What it must be.
    pub checksum: Option<Digest>,
}

/// Where a thing is that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Elsewhere: an address of http or https.
    Remote(String),
    /// On this machine.
    Local(PathBuf),
}

impl Source {
    /// For people: without a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Remote(address) => {
                let Some((scheme, rest)) = address.split_once("://") else {
                    return address.clone();
                };
                let end = rest.find('/').unwrap_or(rest.len());
                let host = rest[..end].rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}{}", &rest[end..])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let shown = |address: &str| Source::Remote(address.to_owned()).shown();
        assert_eq!(shown("http://me:secret@h:1/a@b"), "http://h:1/a@b");
        assert_eq!(shown("https://h/a"), "https://h/a");
    }
}
