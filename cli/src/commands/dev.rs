//! `tepui dev`: a whole cluster on this machine, each part a process of its own, as on many
//! machines.

mod children;
mod layout;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use crate::{failure::Failure, signals};

use self::children::Children;

/// The flags of `tepui dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many agents
    #[arg(long, env = "TEPUI_AGENTS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=MAX_AGENTS))]
    agents: u16,
    /// Address and port of the master; the agents take the next free ports
    #[arg(
        long,
        env = "TEPUI_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:5050"
    )]
    listen: SocketAddr,
    /// Folder for the state and the logs, kept [default: a new one, removed at the end]
    #[arg(long, env = "TEPUI_WORK_DIR", value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// How the agents isolate tasks; see `tepui agent --help`
    #[arg(long, env = "TEPUI_ISOLATION", value_name = "NAME,...")]
    isolation: Option<String>,
}

/// More would be another kind of test than this command is for.
const MAX_AGENTS: i64 = 64;

/// Starts everything, says where it is, and waits for Ctrl-C or for a part to fail.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let end = signals::end()?;
    let folder = layout::Folder::prepare(options.work_dir.as_deref())?;
    let mut children = Children::new(folder.logs());
    let outcome = tokio::select! {
        outcome = start_and_watch(&options, &folder, &mut children) => outcome,
        () = end => Ok(ExitCode::SUCCESS),
    };
    eprintln!("tepui: ending the cluster");
    children.end_all().await;
    match &outcome {
        Ok(_) => folder.remove_if_ours(),
        Err(_) => eprintln!("tepui: the logs are in {}", folder.logs().display()),
    }
    outcome
}

async fn start_and_watch(
    options: &Options,
    folder: &layout::Folder,
    children: &mut Children,
) -> Result<ExitCode, Failure> {
    let plan = layout::plan(
        options.listen,
        options.agents,
        options.isolation.as_deref(),
        folder,
    )?;
    children.start(&plan.master)?;
    children.await_answer(&plan.master).await?;
    for part in plan.agents.iter().chain(&plan.frameworks) {
        children.start(part)?;
    }
    for part in plan.agents.iter().chain(&plan.frameworks) {
        children.await_answer(part).await?;
    }
    layout::await_registered(options.listen, usize::from(options.agents)).await?;
    println!("{}", plan.summary(folder));
    children.first_to_end().await
}
