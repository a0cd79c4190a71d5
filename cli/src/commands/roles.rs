//! `tepui roles`: between whom the cluster is shared.

use std::process::ExitCode;

use tepui_sdk::services::RolePriority;

use super::ps::scalar;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column, Format},
};

const COLUMNS: [Column; 6] = [
    Column::text("ROLE"),
    Column::number("WEIGHT"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("FRAMEWORKS"),
    Column::wide("PRIORITY"),
];

/// Prints the roles with what is allocated to each.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.roles().await?;
    let priorities = match read.output {
        Format::Wide => operator.priorities().await?.priorities,
        _ => Vec::new(),
    };
    let rows = found.roles.iter().map(|role| {
        vec![
            role.name.clone(),
            output::number(role.weight),
            output::number(scalar(&role.resources, "cpus")),
            output::number(scalar(&role.resources, "mem")),
            role.frameworks.len().to_string(),
            priority(&priorities, &role.name).to_string(),
        ]
    });
    output::print(read.output, &found, &COLUMNS, rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The priority of a role: its own, or that of the closest role above that has one.
fn priority(set: &[RolePriority], role: &str) -> i32 {
    let inside = |above: &str| {
        let rest = role.strip_prefix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let above = set.iter().filter(|one| inside(&one.role));
    let closest = above.max_by_key(|one| one.role.len());
    closest.map_or(0, RolePriority::priority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_shows_the_priority_of_the_closest_role_above() {
        let one = |role: &str, priority| RolePriority {
            role: role.to_owned(),
            priority: Some(priority),
        };
        let set = [one("a", 3), one("a/b", -1), one("ab", 9)];
        let shown = ["a", "a/b/c", "a/c", "b"].map(|role| priority(&set, role));
        assert_eq!(shown, [3, -1, 3, 0]);
    }
}
