//! The one binary: it is the master, the agent, the frameworks and the tools, by its first word.

mod arguments;
mod client;
mod commands;
mod config;
mod failure;
mod logging;
mod output;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Program, failure::Failure};

fn main() -> ExitCode {
    // Inside a container this program is the launcher and the init, and nothing else.
    if let Some(code) = tepui_containers::init_main() {
        return code;
    }
    // Beside an agent it may be what unpacks one layer of an image.
    if let Some(code) = tepui_images::unpack_main() {
        return code;
    }
    if let Some(code) = commands::inside_task(std::env::args_os()) {
        return code;
    }
    let arguments = match config::expand(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(problem) => return Failure::Usage(problem.to_string()).report(),
    };
    let program = match Program::try_parse_from(arguments) {
        Ok(program) => program,
        Err(error) => return failure::of_usage(&error),
    };
    match commands::run(program.command) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
