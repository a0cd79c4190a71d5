//! Why the framework cannot run.

use std::{io, path::PathBuf};

use tepui_sdk::edge::ListenError;

use crate::core::Corrupt;

/// The cause, and what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flag has a value that it may not have.
    #[error("--role: {0}")]
    Role(#[from] tepui_sdk::model::InvalidRole),
    /// The folder for the store cannot be made.
    #[error("cannot make the folder {path:?}: {source}")]
    WorkDir {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] tepui_sdk::state::Error),
    /// A record in the store is not of this program's making.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The address is taken or not of this machine.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The session with the master is over.
    #[error(transparent)]
    Session(#[from] tepui_sdk::Error),
    /// A part of the program broke down.
    #[error("internal: {0}")]
    Internal(String),
}
