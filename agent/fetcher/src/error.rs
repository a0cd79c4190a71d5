//! Why something cannot be fetched.

use std::{io, path::PathBuf};

/// Why something cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the things that a task wants.
    #[error("cannot fetch the URI '{uri}': {problem}")]
    Uri {
        /// Which, without a password.
        uri: String,
        /// What is wrong.
        problem: String,
    },
    /// The folder of the cache cannot be worked on.
    #[error("cannot use the fetcher's cache {path}: {source}; see --fetcher-cache-dir")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The fetcher cannot speak to anybody.
    #[error("the fetcher cannot be set up: {0}")]
    SetUp(tepui_images::Error),
    /// The sandbox cannot be worked on.
    #[error("cannot give the sandbox to the task's user: {0}")]
    Sandbox(io::Error),
}

/// What is wrong, for the one who wrote the URI.
pub(crate) fn problem(error: &tepui_images::Error) -> String {
    use tepui_images::Error;
    match error {
        Error::Broken(text) => text.clone(),
        Error::TooLarge(text) => format!("it is too large: {text}"),
        Error::Cancelled => "it was given up".to_owned(),
        Error::Mismatch {
            expected, found, ..
        } => format!("its checksum is {found}, and not {expected}"),
        other => other.to_string(),
    }
}
