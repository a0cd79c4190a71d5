//! `tepui agent`, and `tepui agent isolators`: what this machine has to keep tasks apart with.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tepui_containers::{InitProgram, Offer, offers};

use super::components;
use crate::{
    arguments::Component,
    failure::Failure,
    output::{self, Column, Format},
};

/// An agent, or what is asked about one before it runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Agent {
    #[command(subcommand)]
    question: Option<Question>,
    #[command(flatten)]
    component: Component<tepui_agent::Options>,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// List what an agent on this machine can keep tasks apart with, and what is missing for the
    /// rest
    #[command(after_help = "Example: tepui agent isolators")]
    Isolators {
        /// The form of the answer
        #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
        output: Format,
    },
    /// List the images that an agent on this machine has, or remove those that no task uses
    Images(super::images::Options),
}

const COLUMNS: [Column; 3] = [
    Column::text("ISOLATOR"),
    Column::text("HERE"),
    Column::text("WHAT IT GIVES A TASK"),
];

/// Runs the agent, or answers.
pub(crate) fn run(agent: Agent) -> Result<ExitCode, Failure> {
    match agent.question {
        None => components::agent(agent.component.options),
        Some(Question::Isolators { output }) => components::block_on(list(output)),
        Some(Question::Images(options)) => components::block_on(super::images::run(options)),
    }
}

/// Exits with 1 when an agent with all isolators would not start here.
async fn list(form: Format) -> Result<ExitCode, Failure> {
    let found = offers(&InitProgram::CurrentExecutable).map_err(Failure::failed)?;
    let rows = found.iter().map(|offer| {
        vec![
            offer.isolator.name().to_owned(),
            offer.missing.clone().unwrap_or_else(|| "yes".to_owned()),
            offer.isolator.purpose().to_owned(),
        ]
    });
    output::print(form, &message(&found), &COLUMNS, rows)?;
    let usual = found.iter().filter(|offer| !offer.isolator.is_extra());
    let complete = usual.fold(true, |all, offer| all & offer.missing.is_none());
    Ok(ExitCode::from(u8::from(!complete)))
}

fn message(found: &[Offer]) -> serde_json::Value {
    let one = |offer: &Offer| {
        serde_json::json!({
            "name": offer.isolator.name(),
            "works": offer.missing.is_none(),
            "missing": offer.missing,
            "purpose": offer.isolator.purpose(),
        })
    };
    serde_json::json!({ "isolators": found.iter().map(one).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use tepui_containers::Isolator;

    use super::*;

    #[test]
    fn what_is_missing_is_said_in_json_too() {
        let offer = Offer {
            isolator: Isolator::Pids,
            missing: Some("no cgroups".to_owned()),
        };
        let text = message(&[offer]).to_string();
        assert!(text.contains(r#""name":"cgroups/pids""#), "{text}");
        assert!(text.contains(r#""missing":"no cgroups""#) && text.contains(r#""works":false"#));
    }
}
