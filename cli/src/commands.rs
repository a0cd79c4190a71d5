//! The commands, one file each.

pub(crate) mod agents;
pub(crate) mod batch;
pub(crate) mod components;
pub(crate) mod dev;
pub(crate) mod events;
pub(crate) mod file;
pub(crate) mod frameworks;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod offers;
pub(crate) mod ps;
pub(crate) mod roles;
pub(crate) mod run;
pub(crate) mod service;

use std::{
    ffi::OsString,
    io::{IsTerminal, stderr},
    process::ExitCode,
};

use clap::CommandFactory;

use crate::{
    arguments::{Command, Program},
    failure::Failure,
};

/// Carries out a command.
pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    log_to_stderr(matches!(command, Command::Master(_) | Command::Agent(_)));
    match command {
        Command::Master(component) => components::master(component.options),
        Command::Agent(component) => components::agent(component.options),
        Command::Dev(options) => components::block_on(dev::run(options)),
        Command::Run(options) => components::block_on(run::run(options)),
        Command::Ps(options) => components::block_on(ps::run(options)),
        Command::Agents(read) => components::block_on(agents::run(read)),
        Command::Frameworks(read) => components::block_on(frameworks::run(read)),
        Command::Roles(read) => components::block_on(roles::run(read)),
        Command::Offers(options) => components::block_on(offers::run(options)),
        Command::Events(read) => components::block_on(events::run(read)),
        Command::Logs(options) => components::block_on(logs::run(options)),
        Command::Kill(options) => components::block_on(kill::run(options)),
        Command::Service(service) => components::block_on(service::run(service)),
        Command::Batch(batch) => components::block_on(batch::run(batch)),
        Command::Completions { shell } => {
            let mut program = Program::command();
            clap_complete::generate(shell, &mut program, "tepui", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What the frameworks' own tasks run, by a first word that is not for people.
pub(crate) fn inside_task(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let word = arguments.nth(1)?;
    match word.to_str()? {
        "batch-worker" => Some(tepui_batch::worker::main(arguments)),
        "demo-web" => Some(tepui_service::demo_web::main(&texts(arguments))),
        _ => None,
    }
}

fn texts(arguments: impl Iterator<Item = OsString>) -> Vec<String> {
    arguments
        .map(|it| it.to_string_lossy().into_owned())
        .collect()
}

/// Logs go to standard error: a component tells what it does, a tool only what goes wrong.
/// `TEPUI_LOG` says otherwise, in the form `level` or `module=level,...`.
fn log_to_stderr(is_component: bool) {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("TEPUI_LOG")
        .with_default_directive(if is_component {
            tracing_subscriber::filter::LevelFilter::INFO.into()
        } else {
            tracing_subscriber::filter::LevelFilter::ERROR.into()
        })
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
}
