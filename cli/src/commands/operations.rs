//! `tepui operations`: offer operations that are under way or not yet acknowledged.

use std::process::ExitCode;

use tepui_sdk::v1::{Operation, offer::operation::Type};

use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 6] = [
    Column::text("OPERATION"),
    Column::text("STATE"),
    Column::text("AGENT"),
    Column::text("FRAMEWORK"),
    Column::text("MESSAGE"),
    Column::wide("ID"),
];

/// Prints the operations.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.operations().await?;
    let hosts = client::hosts(&operator).await?;
    let names = client::framework_names(&operator).await?;
    let rows = found.operations.iter().map(|operation| {
        let agent = operation.agent_id.as_ref().map(|id| &id.value);
        let framework = operation.framework_id.as_ref().map(|id| &id.value);
        let known = |id: Option<&String>, names: &std::collections::BTreeMap<String, String>| {
            let name = id.map(|id| names.get(id).unwrap_or(id).clone());
            name.unwrap_or_default()
        };
        row(operation, known(agent, &hosts), known(framework, &names))
    });
    output::print(read.output, &found, &COLUMNS, rows)?;
    Ok(ExitCode::SUCCESS)
}

fn row(operation: &Operation, agent: String, framework: String) -> Vec<String> {
    let status = &operation.latest_status;
    let state = status
        .state()
        .as_str_name()
        .trim_start_matches("OPERATION_")
        .to_lowercase();
    let id = status.operation_id.as_ref().map(|id| id.value.clone());
    vec![
        operation
            .info
            .r#type
            .and_then(|kind| Type::try_from(kind).ok())
            .map_or_else(String::new, |kind| kind.as_str_name().to_lowercase()),
        state,
        agent,
        framework,
        status.message.clone().unwrap_or_default(),
        id.unwrap_or_default(),
    ]
}
