//! How a command ends when it does not succeed: the text, and the exit code that scripts rely on.

use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The thing asked about failed, or there is no such thing.
    #[error("{0}")]
    Failed(String),
    /// The command was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// The master, or an agent, does not answer.
    #[error(
        "{0}; is it running there? `tepui dev` starts a cluster on this machine, --master names another"
    )]
    Unreachable(String),
}

impl Failure {
    /// Prints the text and gives the exit code: 1 failed, 2 wrong usage, 3 cannot reach.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("tepui: {self}");
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        })
    }

    /// A failure with the text of any error.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<tepui_sdk::Error> for Failure {
    fn from(error: tepui_sdk::Error) -> Self {
        match error {
            tepui_sdk::Error::Unreachable { .. } => Self::Unreachable(error.to_string()),
            tepui_sdk::Error::NoMaster | tepui_sdk::Error::Address(_) => {
                Self::Usage(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

/// Prints what clap has to say: help and version are no failure.
pub(crate) fn of_usage(error: &clap::Error) -> ExitCode {
    // A closed standard output leaves nobody to tell.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
