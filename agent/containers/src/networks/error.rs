//! What can go wrong with the network of a container.

use std::{io, path::PathBuf, time::Duration};

use crate::limits::{MAX_ATTACHMENTS, MAX_PLUGIN_OUTPUT_BYTES};

/// Why a container could not be attached to a network, or detached from it.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The agent has no folder of configurations.
    #[error(
        "there is no network '{0}': this agent knows none; its operator names the folder of their \
         configurations with --network-cni-config-dir"
    )]
    NotConfigured(String),
    /// No configuration has that name.
    #[error("there is no network '{name}' in {folder}: {there}")]
    Unknown {
        /// The name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// What is there.
        there: String,
    },
    /// The configuration means nothing.
    #[error("the configuration of network '{network}' in {file} is wrong: {problem}")]
    Config {
        /// The network.
        network: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// More networks than one container may have.
    #[error("a container may have at most {MAX_ATTACHMENTS} networks, and not {0}")]
    TooMany(usize),
    /// Ports were asked for that no plugin maps.
    #[error(
        "network '{0}' maps no ports: none of its plugins has the capability portMappings; ask \
         for none, or use another network"
    )]
    NoPortMappings(String),
    /// A network without plugins.
    #[error("network '{0}' has no plugins")]
    NoPlugins(String),
    /// The program of a plugin is nowhere.
    #[error(
        "network '{network}' needs the plugin '{plugin}', which is not in {folders}: install it \
         there, or name its folder with --network-cni-plugins-dir"
    )]
    NoPlugin {
        /// The network.
        network: String,
        /// The plugin.
        plugin: String,
        /// Where it was looked for.
        folders: String,
    },
    /// A plugin could not be run.
    #[error("network '{network}': cannot run the plugin {plugin}: {source}")]
    Run {
        /// The network.
        network: String,
        /// The plugin's program.
        plugin: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A plugin said that it failed.
    #[error("network '{network}': the plugin '{plugin}' failed to {verb}: {message}")]
    Failed {
        /// The network.
        network: String,
        /// The plugin.
        plugin: String,
        /// What it was to do.
        verb: &'static str,
        /// What it said.
        message: String,
    },
    /// A plugin did not end.
    #[error(
        "network '{network}': the plugin '{plugin}' did not {verb} within {limit:?}, and was killed"
    )]
    TimedOut {
        /// The network.
        network: String,
        /// The plugin.
        plugin: String,
        /// What it was to do.
        verb: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// A plugin that an earlier agent started still runs.
    #[error(
        "network '{network}': a plugin that an earlier agent started still runs after {limit:?}"
    )]
    Busy {
        /// The network.
        network: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A plugin said too much.
    #[error(
        "network '{network}': the plugin '{plugin}' wrote more than {MAX_PLUGIN_OUTPUT_BYTES} \
         bytes, and was killed"
    )]
    TooLong {
        /// The network.
        network: String,
        /// The plugin.
        plugin: String,
    },
    /// A plugin said what nobody understands.
    #[error(
        "network '{network}': the plugin '{plugin}' gave an answer that is no result: {problem}"
    )]
    Answer {
        /// The network.
        network: String,
        /// The plugin.
        plugin: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The network namespace could not be made or removed.
    #[error("cannot make or remove the network namespace {at}: {source}")]
    Namespace {
        /// Where it is mounted.
        at: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The record of the container's networks cannot be used.
    #[error("cannot use the record {path}: {source}")]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}
