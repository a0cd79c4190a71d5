//! Why an agent does not start, or stops unasked.

use std::{io, path::PathBuf};

/// Why an agent does not start, or stops unasked, and what to do about it.
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
    /// Another agent has the work dir.
    #[error(
        "the work dir {work_dir} belongs to another running agent{holder}: stop it, or give this one its own with --work-dir",
        work_dir = work_dir.display()
    )]
    WorkDirInUse {
        /// The work dir.
        work_dir: PathBuf,
        /// Who has it, as well as can be said.
        holder: String,
    },
    /// The work dir cannot be used.
    #[error("cannot use the work dir {work_dir} (--work-dir): {source}", work_dir = work_dir.display())]
    WorkDir {
        /// The work dir.
        work_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The checkpoints cannot be opened.
    #[error("cannot read the checkpoints in {work_dir} (--work-dir): {source}", work_dir = work_dir.display())]
    Checkpoints {
        /// The work dir.
        work_dir: PathBuf,
        /// Why.
        source: tepui_store::Error,
    },
    /// The images of tasks cannot be kept.
    #[error("cannot keep images of tasks (--image-store-dir): {0}")]
    Images(tepui_images::Error),
    /// Nothing can be fetched for tasks.
    #[error(transparent)]
    Fetcher(#[from] tepui_fetcher::Error),
    /// This machine cannot isolate containers as asked for.
    #[error(transparent)]
    Isolation(#[from] tepui_containers::Refusal),
    /// What the earlier agent left does not fit.
    #[error(transparent)]
    Recovery(#[from] tepui_agent_core::RecoveryError),
    /// The machine does not say what it has.
    #[error("cannot find out {what}: {source}; say it with --{flag}")]
    Detect {
        /// What was looked for.
        what: &'static str,
        /// The flag that tells it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A change could not be made durable, so the agent must not go on.
    #[error(
        "the checkpoints cannot be written: {0}; the agent stops, tasks run on: make room or mend the disk and start it again"
    )]
    Commit(tepui_store::Error),
    /// A part of the server ended in a way that it must not.
    #[error(
        "the agent's {part} failed: {message}; this is a bug, please report it: tasks run on, start the agent again"
    )]
    Broken {
        /// Which part.
        part: &'static str,
        /// How.
        message: String,
    },
}

/// A part of the server that must not have ended, and how it did.
pub(crate) fn broken(part: &'static str, message: &impl ToString) -> Error {
    Error::Broken {
        part,
        message: message.to_string(),
    }
}
