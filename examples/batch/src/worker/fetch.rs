//! Brings the outputs of the stage before to a reduce task.

use std::path::Path;

use futures_util::{StreamExt, stream};
use tepui_sdk::{
    SandboxFile,
    model::{FrameworkId, TaskId},
};
use tokio::runtime::{Builder, Runtime};

use super::{Failure, LostOutput};
use crate::{
    download::{DownloadError, download},
    limits::FETCHES,
    plan::{Output, part_file},
};

/// How a reduce task gets its input. A test has its own.
pub trait Fetch {
    /// Brings the file of `partition` of every output to the path beside it.
    ///
    /// # Errors
    /// [`Failure::Lost`] with all outputs that are not to be had, not only the first: each must be
    /// made again.
    fn fetch(
        &self,
        framework: &str,
        partition: u32,
        wanted: &[(&Output, &Path)],
    ) -> Result<(), Failure>;
}

/// Fetches from the agents where the outputs were written.
#[derive(Debug)]
pub struct SandboxFetch {
    runtime: Runtime,
}

impl SandboxFetch {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`Failure::Runtime`].
    pub fn new() -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(Failure::Runtime)?,
        })
    }
}

impl Fetch for SandboxFetch {
    fn fetch(
        &self,
        framework: &str,
        partition: u32,
        wanted: &[(&Output, &Path)],
    ) -> Result<(), Failure> {
        let fetches = wanted.iter().map(|(output, path)| async move {
            match bring(framework, partition, output, path).await {
                Ok(()) => Ok(None),
                Err(DownloadError::Remote(cause)) => Ok(Some(LostOutput {
                    output: (*output).clone(),
                    cause,
                })),
                Err(DownloadError::Local(cause)) => Err(Failure::io("write", path)(cause)),
            }
        });
        let all = stream::iter(fetches).buffered(FETCHES).collect::<Vec<_>>();
        let lost: Vec<_> = self
            .runtime
            .block_on(all)
            .into_iter()
            .collect::<Result<_, _>>()?;
        let lost: Vec<_> = lost.into_iter().flatten().collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(Failure::Lost(lost))
        }
    }
}

async fn bring(
    framework: &str,
    partition: u32,
    output: &Output,
    path: &Path,
) -> Result<(), DownloadError> {
    let invalid = |error: tepui_sdk::model::InvalidId| DownloadError::Remote(error.to_string());
    let wanted = SandboxFile {
        framework_id: FrameworkId::new(framework).map_err(invalid)?,
        task_id: TaskId::new(output.task.to_string()).map_err(invalid)?,
        path: part_file(partition),
        offset: 0,
    };
    download(&output.agent, &wanted, path).await
}
