//! The long-running components: each runs until it fails or is told to end.

use std::{future::Future, process::ExitCode};

use crate::{failure::Failure, signals};

/// Runs a master until SIGINT or SIGTERM.
pub(crate) fn master(options: tepui_master::Options) -> Result<ExitCode, Failure> {
    block_on(async {
        tepui_master::run(options, signals::end()?)
            .await
            .map_err(Failure::failed)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs an agent until SIGINT or SIGTERM; its tasks go on.
pub(crate) fn agent(options: tepui_agent::Options) -> Result<ExitCode, Failure> {
    block_on(async {
        tepui_agent::run(options, signals::end()?)
            .await
            .map_err(Failure::failed)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a command to its end.
pub(crate) fn block_on(
    command: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    tepui_sys::give_back_large_blocks();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(command);
    // What is still blocked, a read of standard input say, must not keep the program.
    runtime.shutdown_background();
    outcome
}
