//! `tepui frameworks`: who schedules on the cluster.

use std::process::ExitCode;

use tepui_sdk::v1::{self, master::response::get_frameworks::Framework};

use super::ps::scalar;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 8] = [
    Column::text("NAME"),
    Column::text("ID"),
    Column::text("STATE"),
    Column::text("ROLES"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("OFFERS"),
    Column::wide("URL"),
];

/// Prints the frameworks, ended ones last.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.frameworks().await?;
    let current = found.frameworks.iter().map(|it| {
        row(
            it,
            if it.active {
                "active"
            } else if it.connected {
                "inactive"
            } else {
                "disconnected"
            },
        )
    });
    let completed = found
        .completed_frameworks
        .iter()
        .map(|it| row(it, "completed"));
    output::print(read.output, &found, &COLUMNS, current.chain(completed))?;
    Ok(ExitCode::SUCCESS)
}

fn row(framework: &Framework, state: &str) -> Vec<String> {
    let info = &framework.framework_info;
    vec![
        info.name.clone(),
        info.id
            .as_ref()
            .map(|it| it.value.clone())
            .unwrap_or_default(),
        state.to_owned(),
        roles_of(info),
        output::number(scalar(&framework.allocated_resources, "cpus")),
        output::number(scalar(&framework.allocated_resources, "mem")),
        framework.offers.len().to_string(),
        info.webui_url.clone().unwrap_or_default(),
    ]
}

/// A framework without MULTI_ROLE has one role, in a field that Mesos calls deprecated.
fn roles_of(info: &v1::FrameworkInfo) -> String {
    if info.roles.is_empty() {
        info.role().to_owned()
    } else {
        info.roles.join(",")
    }
}
