//! `tepui drain`: ends the tasks of an agent and offers it no more.

use std::{process::ExitCode, time::Duration};

use tepui_sdk::{
    Operator,
    model::AgentId,
    v1::{DrainState, master::response::get_agents::Agent},
};
use tokio::time::sleep;

use crate::{arguments::Master, client, failure::Failure};

/// How often `--wait` looks.
const POLL: Duration = Duration::from_millis(200);

/// The flags of `tepui drain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui drain S3 --grace 30s --wait && ssh node3 reboot")]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// The agent: its id, the id's end (S3) or its host name
    agent: String,
    /// The longest that a task gets between TERM and KILL [default: as each task says]
    #[arg(long, value_name = "DURATION", value_parser = tepui_edge::span::parse)]
    grace: Option<Duration>,
    /// Give the agent up for good when its last task has ended
    #[arg(long)]
    mark_gone: bool,
    /// Return when the last task has ended and its framework has heard of it
    #[arg(long)]
    wait: bool,
}

/// Asks for the drain, and waits for its end if that is wanted.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.master.master).await?;
    let agent = client::find_agent(&operator, &options.agent).await?;
    if options.wait && find(&operator, &agent).await?.is_none() {
        return Err(Failure::Failed(format!(
            "agent {agent} is away, and is drained when it returns: leave out --wait, or give it \
             up with `tepui gone {agent}`"
        )));
    }
    operator
        .drain_agent(&agent, options.grace, options.mark_gone)
        .await?;
    while options.wait && !is_drained(&operator, &agent).await? {
        sleep(POLL).await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(operator: &Operator, agent: &AgentId) -> Result<Option<Agent>, Failure> {
    let found = operator.agents().await?.agents;
    let is_it = |it: &Agent| {
        let id = it.agent_info.id.as_ref();
        id.is_some_and(|id| id.value == agent.as_str())
    };
    Ok(found.into_iter().find(is_it))
}

/// Whether nothing is left on the agent; one that was marked gone is not there any more.
async fn is_drained(operator: &Operator, agent: &AgentId) -> Result<bool, Failure> {
    let Some(found) = find(operator, agent).await? else {
        let recovering = operator.agents().await?.recovered_agents;
        let is_it = |id: &tepui_sdk::v1::AgentId| id.value == agent.as_str();
        let mut ids = recovering.iter().filter_map(|info| info.id.as_ref());
        return Ok(!ids.any(is_it));
    };
    match found.drain_info {
        Some(info) => Ok(info.state() == DrainState::Drained),
        None => Err(Failure::Failed(format!(
            "agent {agent} is not drained any more: it was reactivated meanwhile"
        ))),
    }
}
