//! The commands, one file each.

pub(crate) mod agents;
pub(crate) mod attach;
pub(crate) mod batch;
pub(crate) mod components;
pub(crate) mod dev;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod file;
pub(crate) mod frameworks;
pub(crate) mod images;
pub(crate) mod isolators;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod membership;
pub(crate) mod offers;
pub(crate) mod operations;
pub(crate) mod priority;
pub(crate) mod ps;
pub(crate) mod quota;
pub(crate) mod reserve;
pub(crate) mod roles;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod simulate;
pub(crate) mod volume;
pub(crate) mod weight;

use std::{ffi::OsString, process::ExitCode};

use clap::CommandFactory;

use crate::{
    arguments::{Command, Program},
    failure::Failure,
    logging,
};

/// Carries out a command.
pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    logging::to_stderr(logging::default_level(&command));
    match command {
        Command::Master(component) => components::master(component.options),
        Command::Agent(agent) => isolators::run(*agent),
        Command::Dev(options) => components::block_on(dev::run(options)),
        Command::Run(options) => components::block_on(run::run(options)),
        Command::Ps(options) => components::block_on(ps::run(options)),
        Command::Agents(read) => components::block_on(agents::run(read)),
        Command::Frameworks(read) => components::block_on(frameworks::run(read)),
        Command::Roles(read) => components::block_on(roles::run(read)),
        Command::Offers(options) => components::block_on(offers::run(options)),
        Command::Explain(options) => components::block_on(explain::run(options)),
        Command::Events(read) => components::block_on(events::run(read)),
        Command::Attach(options) => components::block_on(attach::run(options)),
        Command::Exec(options) => components::block_on(exec::run(options)),
        Command::Logs(options) => components::block_on(logs::run(options)),
        Command::Kill(options) => components::block_on(kill::run(options)),
        Command::Quota(quota) => components::block_on(quota::run(quota)),
        Command::Priority(priority) => components::block_on(priority::run(priority)),
        Command::Weight(weight) => components::block_on(weight::run(weight)),
        Command::Reserve(options) => components::block_on(reserve::reserve(options)),
        Command::Unreserve(options) => components::block_on(reserve::unreserve(options)),
        Command::Volume(volume) => components::block_on(volume::run(volume)),
        Command::Operations(read) => components::block_on(operations::run(read)),
        Command::Maintenance(options) => components::block_on(maintenance::run(options)),
        Command::Drain(options) => components::block_on(drain::run(options)),
        Command::Deactivate(options) => components::block_on(membership::deactivate(options)),
        Command::Reactivate(options) => components::block_on(membership::reactivate(options)),
        Command::Gone(options) => components::block_on(membership::gone(options)),
        Command::Service(service) => components::block_on(service::run(service)),
        Command::Batch(batch) => components::block_on(batch::run(batch)),
        Command::Simulate(options) => simulate::run(&options),
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
