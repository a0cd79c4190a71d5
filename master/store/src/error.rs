//! Why a store could not do what it was asked.

use std::{io, path::PathBuf};

use crate::Family;

/// Why a store could not do what it was asked, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the store open.
    #[error("{path} is in use by {holder}: stop it, or choose another folder", path = path.display())]
    Locked {
        /// The store's folder.
        path: PathBuf,
        /// Who has it open, as well as can be said.
        holder: String,
    },
    /// The folder cannot be made, read or written.
    #[error("cannot use {path} as a store: {source}; it must be a folder that this user may write", path = path.display())]
    Folder {
        /// The store's folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store was written by a program that this one does not understand.
    #[error("{path} has store format '{found}', this program knows '{known}': use the newer program", path = path.display())]
    Format {
        /// The store's folder.
        path: PathBuf,
        /// What the marker file says.
        found: String,
        /// What this program writes.
        known: &'static str,
    },
    /// Files of the store are missing or damaged; nothing was changed.
    #[error("the store {path} is damaged: {message}; nothing was changed: restore it from a backup", path = path.display())]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// What was found.
        message: String,
    },
    /// A record does not match its checksum.
    #[error(
        "record '{key}' in family '{family}' is damaged: {message}; restore the store from a backup"
    )]
    Corrupt {
        /// The record's family.
        family: Family,
        /// The record's key.
        key: String,
        /// What does not match.
        message: String,
    },
    /// The family was not named when the store was opened.
    #[error("family '{family}' was not named when the store was opened")]
    UnknownFamily {
        /// The family.
        family: Family,
    },
    /// A record without a key.
    #[error("a record in family '{family}' has an empty key")]
    NoKey {
        /// The family.
        family: Family,
    },
    /// A record or batch is over a limit of [`crate::limits`].
    #[error(
        "record '{key}' in family '{family}': the {what} has {size} bytes, at most {limit} are taken"
    )]
    TooLarge {
        /// The record's family.
        family: Family,
        /// The record's key, shortened.
        key: String,
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Reading failed.
    #[error("cannot read the store: {message}")]
    Read {
        /// What was found.
        message: String,
    },
    /// Writing failed: whether the batch is durable is not known.
    #[error(
        "cannot write the store: {message}; whether the change was kept is not known until the store is opened again"
    )]
    Write {
        /// What went wrong.
        message: String,
    },
}
