//! `tepui deactivate`, `tepui reactivate` and `tepui gone`: whether an agent takes part.

use std::process::ExitCode;

use crate::{arguments::Master, client, failure::Failure};

/// An agent to offer no more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui deactivate S3")]
pub(crate) struct Deactivate {
    #[command(flatten)]
    one: One,
}

/// An agent to offer again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui reactivate S3")]
pub(crate) struct Reactivate {
    #[command(flatten)]
    one: One,
}

/// An agent to give up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui gone node3.example.com")]
pub(crate) struct Gone {
    #[command(flatten)]
    one: One,
}

#[derive(Debug, clap::Args)]
struct One {
    #[command(flatten)]
    master: Master,
    /// The agent: its id, the id's end (S3) or its host name
    agent: String,
}

/// Takes an agent out of the offers.
pub(crate) async fn deactivate(options: Deactivate) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.one.master.master).await?;
    let agent = client::find_agent(&operator, &options.one.agent).await?;
    operator.deactivate_agent(&agent).await?;
    Ok(ExitCode::SUCCESS)
}

/// Offers an agent again.
pub(crate) async fn reactivate(options: Reactivate) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.one.master.master).await?;
    let agent = client::find_agent(&operator, &options.one.agent).await?;
    operator.reactivate_agent(&agent).await?;
    Ok(ExitCode::SUCCESS)
}

/// Gives an agent up.
pub(crate) async fn gone(options: Gone) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.one.master.master).await?;
    let agent = client::find_agent(&operator, &options.one.agent).await?;
    operator.mark_agent_gone(&agent).await?;
    Ok(ExitCode::SUCCESS)
}
