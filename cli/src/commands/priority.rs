//! `tepui priority`: which roles are served first, whatever their shares.

use std::{process::ExitCode, str::FromStr};

use tepui_sdk::services::RolePriority;

use crate::{
    arguments::{Master, Read},
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 2] = [Column::text("ROLE"), Column::number("PRIORITY")];

/// What to do with priorities.
#[derive(Debug, clap::Args)]
pub(crate) struct Priority {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the priorities that were set; every other role has that of the role above, or 0
    #[command(after_help = "Example: tepui priority list")]
    List(Read),
    /// Set the priorities of roles; the higher is served first
    #[command(after_help = "Example: tepui priority set prod=10 dev=-1")]
    Set(Set),
    /// Take the priorities of roles away
    #[command(after_help = "Example: tepui priority unset prod")]
    Unset(Unset),
}

#[derive(Debug, clap::Args)]
struct Set {
    #[command(flatten)]
    master: Master,
    /// The roles and their priorities
    #[arg(required = true, value_name = "ROLE=N")]
    priorities: Vec<One>,
}

#[derive(Debug, clap::Args)]
struct Unset {
    #[command(flatten)]
    master: Master,
    /// The roles
    #[arg(required = true, value_name = "ROLE")]
    roles: Vec<String>,
}

#[derive(Clone, Debug)]
struct One(RolePriority);

impl FromStr for One {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form role=number, such as prod=10");
        let (role, priority) = text.split_once('=').ok_or_else(wrong)?;
        let priority = priority.parse().map_err(|_| wrong())?;
        if role.is_empty() {
            return Err(wrong());
        }
        Ok(Self(RolePriority {
            role: role.to_owned(),
            priority: Some(priority),
        }))
    }
}

/// Carries out a command on priorities.
pub(crate) async fn run(priority: Priority) -> Result<ExitCode, Failure> {
    match priority.command {
        Command::List(read) => {
            let operator = client::connect(&read.master.master).await?;
            let found = operator.priorities().await?;
            let row = |one: &RolePriority| vec![one.role.clone(), one.priority().to_string()];
            let rows = found.priorities.iter().map(row);
            output::print(read.output, &found, &COLUMNS, rows)?;
        }
        Command::Set(set) => {
            let operator = client::connect(&set.master.master).await?;
            let priorities = set.priorities.into_iter().map(|one| one.0).collect();
            operator.update_priorities(priorities).await?;
        }
        Command::Unset(unset) => {
            let operator = client::connect(&unset.master.master).await?;
            let none = |role| RolePriority {
                role,
                priority: None,
            };
            let priorities = unset.roles.into_iter().map(none).collect();
            operator.update_priorities(priorities).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_a_role_and_a_whole_number() {
        let one: One = "a/b=-5".parse().unwrap();
        assert_eq!((one.0.role.as_str(), one.0.priority), ("a/b", Some(-5)));
        for wrong in ["a", "=1", "a=", "a=x", "a=0.5", "a=3000000000"] {
            assert!(wrong.parse::<One>().is_err(), "{wrong}");
        }
    }
}
