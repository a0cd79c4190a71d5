//! The command line: what each command takes. The comments are its manual.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{commands, output::Format};

/// Tepui: a two-level resource scheduler
#[derive(Debug, Parser)]
#[command(
    name = "tepui",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a master: it collects resources from agents and offers them to frameworks
    Master(Component<tepui_master::Options>),
    /// Run an agent: it runs tasks on this machine, each in a container
    Agent(Box<commands::isolators::Agent>),
    /// Run a whole cluster on this machine: a master, agents and both frameworks; Ctrl-C ends all
    Dev(commands::dev::Options),
    /// Run one command as a task: its output as it comes, and its exit code
    Run(commands::run::Options),
    /// List tasks
    Ps(commands::ps::Options),
    /// List agents
    Agents(Read),
    /// List frameworks
    Frameworks(Read),
    /// List roles
    Roles(Read),
    /// List outstanding offers
    Offers(commands::offers::Options),
    /// Say why a framework, a role or a task waits, or why an agent is not offered
    Explain(commands::explain::Options),
    /// Follow what happens in the cluster, until Ctrl-C
    Events(Read),
    /// Print what a task wrote
    Logs(commands::logs::Options),
    /// Go to a running task's terminal, or look at what it writes
    Attach(commands::attach::Options),
    /// Run a program in the container of a running task, with its rights: `-it` for a shell
    Exec(commands::exec::Options),
    /// End a task
    Kill(commands::kill::Options),
    /// What roles are promised, and what they may have
    Quota(commands::quota::Quota),
    /// How much more of the cluster one role may have than another
    Weight(commands::weight::Weight),
    /// Which roles are served first, whatever their shares
    Priority(commands::priority::Priority),
    /// Reserve resources of an agent for a role
    Reserve(commands::reserve::Reserve),
    /// Give reservations back
    Unreserve(commands::reserve::Unreserve),
    /// Make, destroy and resize persistent volumes
    Volume(commands::volume::Volume),
    /// List offer operations that are under way or not yet acknowledged
    #[command(after_help = "Example: tepui operations -o wide")]
    Operations(Read),
    /// Say which machines will be away, and take them down and up
    Maintenance(commands::maintenance::Maintenance),
    /// Offer an agent no more and end its tasks
    Drain(commands::drain::Options),
    /// Offer an agent no more; its tasks go on
    Deactivate(commands::membership::Deactivate),
    /// Offer an agent again
    Reactivate(commands::membership::Reactivate),
    /// Give an agent up for good: its tasks are over, and it ends if it returns
    Gone(commands::membership::Gone),
    /// Keep services running: the container service framework
    Service(commands::service::Service),
    /// Run batch jobs: map, shuffle, reduce
    Batch(commands::batch::Batch),
    /// Try a described cluster and workload in virtual time, on the real allocator
    Simulate(commands::simulate::Options),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// A component's own options, or a file with them.
#[derive(Debug, Args)]
pub(crate) struct Component<O: Args> {
    /// A TOML file whose keys are the flags below; flags and environment win over it
    #[arg(long, env = "TEPUI_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: O,
}

/// Where the master is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Master {
    /// The master, or several: the first that answers is asked
    #[arg(
        long,
        env = "TEPUI_MASTER",
        value_name = "HOST:PORT[,HOST:PORT]",
        default_value = "127.0.0.1:5050"
    )]
    pub(crate) master: String,
}

/// What every command that reads takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Read {
    #[command(flatten)]
    pub(crate) master: Master,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_a_manual() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let shown = command.get_arguments().filter(|it| !it.is_hide_set());
            shown.for_each(|it| {
                assert!(
                    it.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    it.get_id()
                )
            });
            command
                .get_subcommands()
                .filter(|it| !it.is_hide_set())
                .for_each(check);
        }
        check(&Program::command());
    }
}
