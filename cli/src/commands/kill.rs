//! `tepui kill`: asks for a task's end.

use std::{process::ExitCode, time::Duration};

use tepui_edge::span;

use crate::{arguments::Master, client, failure::Failure};

/// The flags of `tepui kill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// The task's id, or its beginning
    task: String,
    /// How long the task may take between TERM and KILL [default: as the task says]
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    grace: Option<Duration>,
}

/// Asks, and returns when the master has heard.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.master.master).await?;
    let task = client::find_task(&operator, &options.task).await?;
    let (framework, id) = client::ids_of(&task)?;
    operator
        .kill_task(&id, Some(&framework), options.grace)
        .await?;
    Ok(ExitCode::SUCCESS)
}
