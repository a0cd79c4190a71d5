//! Logs: a component tells what it does, a tool only what goes wrong.

use std::io::{IsTerminal, stderr};

use tepui_edge::verbosity;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::arguments::Command;

/// What a command logs when `TEPUI_LOG` says nothing.
pub(crate) fn default_level(command: &Command) -> LevelFilter {
    let is_component = match command {
        Command::Master(_) | Command::Agent(_) => true,
        Command::Service(service) => service.serves(),
        Command::Batch(batch) => batch.serves(),
        _ => false,
    };
    if is_component {
        LevelFilter::INFO
    } else {
        LevelFilter::ERROR
    }
}

/// Sends logs to standard error. `TEPUI_LOG` wins over the level, in the form `level` or
/// `module=level,...`.
pub(crate) fn to_stderr(level: LevelFilter) {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_filter_reloading();
    let handle = logs.reload_handle();
    logs.init();
    let reload = move |verbosity| {
        let level = match verbosity {
            0 => return drop(handle.reload(filter(level))),
            1 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        drop(handle.reload(EnvFilter::default().add_directive(level.into())));
    };
    verbosity::changed_by(Box::new(reload));
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::builder()
        .with_env_var("TEPUI_LOG")
        .with_default_directive(level.into())
        .from_env_lossy()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::Program;

    fn level_of(line: &str) -> LevelFilter {
        default_level(&Program::try_parse_from(line.split(' ')).unwrap().command)
    }

    #[test]
    fn every_component_tells_what_it_does() {
        for component in ["master", "agent", "service serve", "batch serve"] {
            let line = format!("tepui {component}");
            assert_eq!(level_of(&line), LevelFilter::INFO, "{line}");
        }
    }

    #[test]
    fn a_tool_tells_only_what_goes_wrong() {
        for tool in ["ps", "dev", "run -- true", "service ls", "batch ls"] {
            let line = format!("tepui {tool}");
            assert_eq!(level_of(&line), LevelFilter::ERROR, "{line}");
        }
    }
}
