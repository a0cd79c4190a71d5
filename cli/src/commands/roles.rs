//! `tepui roles`: between whom the cluster is shared.

use std::process::ExitCode;

use super::ps::scalar;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 5] = [
    Column::text("ROLE"),
    Column::number("WEIGHT"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("FRAMEWORKS"),
];

/// Prints the roles with what is allocated to each.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.roles().await?;
    let rows = found.roles.iter().map(|role| {
        vec![
            role.name.clone(),
            output::number(role.weight),
            output::number(scalar(&role.resources, "cpus")),
            output::number(scalar(&role.resources, "mem")),
            role.frameworks.len().to_string(),
        ]
    });
    output::print(read.output, &found, &COLUMNS, rows)?;
    Ok(ExitCode::SUCCESS)
}
