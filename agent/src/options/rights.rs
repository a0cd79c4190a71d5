//! What can be set about what tasks may do, and may ask to do.

use std::path::PathBuf;

use clap::ArgAction;
use tepui_containers::Capabilities;

use super::{flags::paths, refuse};
use crate::Error;

/// What can be set about what tasks may do, and may ask to do.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct RightsOptions {
    /// What root's tasks can do that ask for nothing: names of capabilities(7), as in NET_ADMIN,
    /// and default (docker's set), all and none
    #[arg(
        long,
        env = "TEPUI_EFFECTIVE_CAPABILITIES",
        value_name = "NAME,...",
        default_value = "default"
    )]
    pub effective_capabilities: Capabilities,

    /// What tasks may ask for in `effective_capabilities` and `bounding_capabilities`
    #[arg(
        long,
        env = "TEPUI_BOUNDING_CAPABILITIES",
        value_name = "NAME,...",
        default_value = "default"
    )]
    pub bounding_capabilities: Capabilities,

    /// Folder with seccomp profiles, in docker's form, that tasks may name
    #[arg(long, env = "TEPUI_SECCOMP_CONFIG_DIR", value_name = "DIR")]
    pub seccomp_config_dir: Option<PathBuf>,

    /// The profile in that folder for tasks that name none [default: the agent's own]
    #[arg(long, env = "TEPUI_SECCOMP_PROFILE_NAME", value_name = "NAME")]
    pub seccomp_profile_name: Option<String>,

    /// Whether tasks may ask to make any system call
    #[arg(
        long,
        env = "TEPUI_ALLOW_UNCONFINED",
        value_name = "BOOL",
        default_value_t = false,
        action = ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub allow_unconfined: bool,

    /// Folders and files of this machine that tasks may ask for as volumes and have fetched into
    /// their sandboxes, with all that is below
    #[arg(
        long,
        env = "TEPUI_ALLOWED_HOST_PATHS",
        value_name = "PATH,...",
        value_delimiter = ','
    )]
    pub allowed_host_paths: Vec<PathBuf>,

    /// Whether tasks run as the user they name, for which the agent must be root, or as the agent
    /// does
    #[arg(
        long,
        env = "TEPUI_SWITCH_USER",
        value_name = "BOOL",
        default_value_t = true,
        action = ArgAction::Set
    )]
    pub switch_user: bool,
}

impl Default for RightsOptions {
    fn default() -> Self {
        Self {
            effective_capabilities: Capabilities::DEFAULT,
            bounding_capabilities: Capabilities::DEFAULT,
            seccomp_config_dir: None,
            seccomp_profile_name: None,
            allow_unconfined: false,
            allowed_host_paths: Vec::new(),
            switch_user: true,
        }
    }
}

impl RightsOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.seccomp_profile_name.is_some() && self.seccomp_config_dir.is_none() {
            return Err(refuse(
                "seccomp-profile-name",
                "names a file in --seccomp-config-dir, which is not given",
            ));
        }
        let mut paths = self.allowed_host_paths.iter();
        if !paths.all(|path| path.is_absolute()) {
            return Err(refuse("allowed-host-paths", "must be absolute paths"));
        }
        Ok(())
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 7] {
        let profile = self.seccomp_profile_name.clone();
        [
            (
                "effective-capabilities",
                self.effective_capabilities.to_string(),
            ),
            (
                "bounding-capabilities",
                self.bounding_capabilities.to_string(),
            ),
            (
                "seccomp-config-dir",
                paths(self.seccomp_config_dir.as_slice()),
            ),
            ("seccomp-profile-name", profile.unwrap_or_default()),
            ("allow-unconfined", self.allow_unconfined.to_string()),
            ("allowed-host-paths", paths(&self.allowed_host_paths)),
            ("switch-user", self.switch_user.to_string()),
        ]
    }
}
