//! What can be set on the batch framework.

use std::{net::SocketAddr, path::PathBuf};

/// What can be set on the batch framework.
///
/// Each field is a flag, `TEPUI_<NAME>` in the environment and a key of the configuration file; its
/// comment is the manual.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Masters to subscribe with, the first that answers
    #[arg(
        long,
        env = "TEPUI_MASTER",
        value_name = "HOST:PORT,...",
        default_value = "127.0.0.1:5050"
    )]
    pub master: String,

    /// Address and port of the framework's own API; port 0 takes any free one
    #[arg(
        long,
        env = "TEPUI_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:0"
    )]
    pub listen: SocketAddr,

    /// Name by which clients reach that API [default: the address it listens on]
    #[arg(long, env = "TEPUI_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Folder for what must survive a restart, and for results; one framework at a time
    #[arg(
        long,
        env = "TEPUI_WORK_DIR",
        value_name = "DIR",
        default_value = "/var/lib/tepui/batch"
    )]
    pub work_dir: PathBuf,

    /// Role whose share of the cluster the jobs use
    #[arg(long, env = "TEPUI_ROLE", value_name = "ROLE", default_value = "*")]
    pub role: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            master: "127.0.0.1:5050".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hostname: None,
            work_dir: PathBuf::from("/var/lib/tepui/batch"),
            role: "*".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    #[test]
    fn no_flag_means_the_defaults() {
        let command = Options::augment_args(Command::new("batch"));
        let matches = command.try_get_matches_from(["batch"]).unwrap();
        assert_eq!(
            Options::from_arg_matches(&matches).unwrap(),
            Options::default()
        );
    }
}
