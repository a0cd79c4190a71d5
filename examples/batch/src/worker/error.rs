//! Why a task has no output.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    part::PartError,
    paths::Damaged,
    plan::{Output, PlanError},
    record::CountError,
};

/// What went wrong in a task.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing to do.
    #[error("there is no plan: this is run by the batch framework, not by hand")]
    NoPlan,
    /// The plan is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan's list of files is damaged.
    #[error(transparent)]
    Paths(#[from] Damaged),
    /// A value cannot be summed up.
    #[error(transparent)]
    Count(#[from] CountError),
    /// A record cannot be written.
    #[error(transparent)]
    Record(#[from] PartError),
    /// A file cannot be used.
    #[error("cannot {deed} {}: {cause}", .path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The user's command cannot be run.
    #[error("cannot run the command: {0}")]
    Command(io::Error),
    /// The user's command failed.
    #[error("the command ended with {0}")]
    CommandStatus(std::process::ExitStatus),
    /// Outputs of the stage before cannot be fetched.
    #[error("cannot fetch {} outputs of the stage before; the first: {}", .0.len(), first(.0))]
    Lost(Vec<LostOutput>),
    /// The network cannot be used at all.
    #[error("cannot begin to fetch: {0}")]
    Runtime(io::Error),
}

/// An output of the stage before that is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOutput {
    /// Which.
    pub output: Output,
    /// Why.
    pub cause: String,
}

fn first(lost: &[LostOutput]) -> String {
    lost.first().map_or_else(String::new, |lost| {
        format!(
            "{} from {}: {}",
            lost.output.task, lost.output.agent, lost.cause
        )
    })
}

impl Failure {
    /// Says which file could not be used, and how.
    pub(crate) fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { deed, path, cause }
    }

    /// The partitions and attempts whose outputs are lost.
    #[must_use]
    pub fn lost(&self) -> Vec<(u32, u32)> {
        let Self::Lost(lost) = self else {
            return Vec::new();
        };
        lost.iter()
            .map(|lost| (lost.output.task.place.partition, lost.output.task.number))
            .collect()
    }
}
