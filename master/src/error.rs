//! Why a master does not start, or stops unasked.

use std::path::PathBuf;

/// Why a master does not start, or stops unasked, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that makes no sense.
    #[error("--{flag} {problem}")]
    Option {
        /// The option's flag.
        flag: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] tepui_edge::ListenError),
    /// The registry cannot be opened.
    #[error("cannot use the work dir {work_dir} (--work-dir): {source}", work_dir = work_dir.display())]
    Registry {
        /// The work dir.
        work_dir: PathBuf,
        /// Why.
        source: tepui_store::Error,
    },
    /// A record of the registry cannot be understood.
    #[error("the registry in {work_dir} has a record that this version cannot read: {problem}; use the version that wrote it", work_dir = work_dir.display())]
    Record {
        /// The work dir.
        work_dir: PathBuf,
        /// Which record, and why.
        problem: String,
    },
    /// A change could not be made durable, so the master must not go on.
    #[error(
        "the registry cannot be written: {0}; the master stops, tasks run on: make room or mend the disk and start it again"
    )]
    Commit(tepui_store::Error),
    /// A part of the server ended in a way that it must not.
    #[error(
        "the master's {part} failed: {message}; this is a bug, please report it: tasks run on, start the master again"
    )]
    Broken {
        /// Which part.
        part: &'static str,
        /// How.
        message: String,
    },
}
