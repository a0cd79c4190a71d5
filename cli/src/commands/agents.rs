//! `tepui agents`: the machines of the cluster.

use std::process::ExitCode;

use tepui_sdk::v1::{self, master::response::get_agents::Agent};

use super::ps::scalar;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 8] = [
    Column::text("AGENT"),
    Column::text("STATE"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("DISK"),
    Column::text("ATTRIBUTES"),
    Column::wide("ID"),
    Column::wide("VERSION"),
];

/// Prints the agents; quantities as used of total.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.agents().await?;
    output::print(read.output, &found, &COLUMNS, found.agents.iter().map(row))?;
    Ok(ExitCode::SUCCESS)
}

fn row(agent: &Agent) -> Vec<String> {
    let info = &agent.agent_info;
    let used = |name| {
        let of = |resources| output::number(scalar(resources, name));
        format!(
            "{}/{}",
            of(&agent.allocated_resources),
            of(&agent.total_resources)
        )
    };
    vec![
        format!("{}:{}", info.hostname, info.port.unwrap_or_default()),
        state(agent).to_owned(),
        used("cpus"),
        used("mem"),
        used("disk"),
        info.attributes
            .iter()
            .map(attribute)
            .collect::<Vec<_>>()
            .join(";"),
        info.id
            .as_ref()
            .map(|it| it.value.clone())
            .unwrap_or_default(),
        agent.version.clone(),
    ]
}

/// How the agent takes part.
fn state(agent: &Agent) -> &'static str {
    let drain = agent.drain_info.as_ref().map(v1::DrainInfo::state);
    match drain {
        Some(v1::DrainState::Draining) => "draining",
        Some(v1::DrainState::Drained) => "drained",
        _ if agent.deactivated() => "deactivated",
        _ if agent.active => "active",
        _ => "inactive",
    }
}

fn attribute(it: &v1::Attribute) -> String {
    let text = it.text.as_ref().map(|it| it.value.clone());
    let scalar = it.scalar.as_ref().map(|it| output::number(it.value));
    let ranges = it.ranges.as_ref().map(|it| {
        let ranges = it.range.iter().map(|it| format!("{}-{}", it.begin, it.end));
        format!("[{}]", ranges.collect::<Vec<_>>().join(","))
    });
    format!(
        "{}:{}",
        it.name,
        text.or(scalar).or(ranges).unwrap_or_default()
    )
}
