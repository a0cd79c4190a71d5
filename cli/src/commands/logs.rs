//! `tepui logs`: what a task wrote, from the sandbox on its agent.

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use tepui_sdk::{Node, SandboxFile, v1};

use crate::{arguments::Master, client, failure::Failure};

/// The flags of `tepui logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// The task's id, or its beginning
    task: String,
    /// Go on until the task ends
    #[arg(short, long)]
    follow: bool,
    /// Only this file of the sandbox, instead of standard output and error
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
}

/// Prints the task's standard output and error to ours.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.master.master).await?;
    let task = client::find_task(&operator, &options.task).await?;
    let node = client::node_of(&operator, &task.agent_id).await?;
    let copy = |path: &str, to_stderr| copy(&node, &task, path, options.follow, to_stderr);
    match &options.file {
        Some(path) => copy(path, false)?.await?,
        None => {
            let (output, error) = (copy("stdout", false)?, copy("stderr", true)?);
            tokio::try_join!(output, error)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies a file of the sandbox to our standard output or error.
pub(crate) fn copy(
    node: &Node,
    task: &v1::Task,
    path: &str,
    follow: bool,
    to_stderr: bool,
) -> Result<impl Future<Output = Result<(), Failure>> + Send + use<>, Failure> {
    let (framework_id, task_id) = client::ids_of(task)?;
    let file = SandboxFile {
        framework_id,
        task_id,
        path: path.to_owned(),
        offset: 0,
    };
    let node = node.clone();
    Ok(async move {
        let mut reading = node.read_sandbox(&file, follow).await?;
        while let Some(bytes) = reading.next().await? {
            if to_stderr {
                stderr().write_all(&bytes)?;
            } else {
                stdout().write_all(&bytes)?;
                stdout().flush()?;
            }
        }
        Ok(())
    })
}
