//! What can be set about what single tasks are given or kept from, beside limits and rights.

use std::path::PathBuf;

use tepui_containers::{Device, UserRange, UsersPolicy};

use super::flags::paths;

/// What can be set about what single tasks are given or kept from.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct WallOptions {
    /// Folder with secrets that tasks may name: a secret is a file there, and one with a key a file
    /// in the folder of its name
    #[arg(long, env = "TEPUI_SECRET_DIR", value_name = "DIR")]
    pub secret_dir: Option<PathBuf>,

    /// Devices of this machine that all tasks may use, as in `/dev/fuse`, beside those that every
    /// program expects
    #[arg(
        long,
        env = "TEPUI_ALLOWED_DEVICES",
        value_name = "PATH,...",
        value_delimiter = ','
    )]
    pub allowed_devices: Vec<PathBuf>,

    /// The size of `/dev/shm` of tasks that do not say, in megabytes [default: their memory]
    #[arg(
        long,
        env = "TEPUI_DEFAULT_CONTAINER_SHM_SIZE",
        value_name = "MEGABYTES"
    )]
    pub default_container_shm_size: Option<u32>,

    /// Users and groups of this machine, as START:SIZE, of which tasks with users of their own get
    /// 65536 each; or a user whose range in /etc/subuid and /etc/subgid is taken. Nobody else may
    /// have them, nor another agent on this machine
    #[arg(
        long,
        env = "TEPUI_USERNS_REMAP",
        value_name = "RANGE",
        default_value_t = UserRange::default(),
        value_parser = range
    )]
    pub userns_remap: UserRange,

    /// Which tasks have users of their own, so that root in them is nobody on this machine: those
    /// that ask (`asked`), all but those that ask for the machine's (`usual`), or all (`always`)
    #[arg(
        long,
        env = "TEPUI_USER_NAMESPACES",
        value_name = "WHO",
        default_value_t = UserNamespaces::Asked,
        value_enum
    )]
    pub user_namespaces: UserNamespaces,
}

/// Which tasks have users of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum UserNamespaces {
    /// Those that ask.
    #[default]
    Asked,
    /// All but those that ask for the machine's.
    Usual,
    /// All.
    Always,
}

impl UserNamespaces {
    /// As the runtime has it.
    pub(crate) const fn policy(self) -> UsersPolicy {
        match self {
            Self::Asked => UsersPolicy::Asked,
            Self::Usual => UsersPolicy::Usual,
            Self::Always => UsersPolicy::Always,
        }
    }
}

impl std::fmt::Display for UserNamespaces {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Asked => "asked",
            Self::Usual => "usual",
            Self::Always => "always",
        })
    }
}

/// Reads a range, or looks up whose it is.
fn range(text: &str) -> Result<UserRange, String> {
    if text.contains(':') {
        return text
            .parse()
            .map_err(|error: tepui_containers::InvalidRange| error.to_string());
    }
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
    };
    subordinate(text, &read("/etc/subuid")?, &read("/etc/subgid")?)
}

/// The first range of a user, which must be the same for users and groups.
fn subordinate(name: &str, users: &str, groups: &str) -> Result<UserRange, String> {
    let of = |text: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines
            .filter(|(owner, _)| *owner == name)
            .map(|(_, range)| range);
        found.map(str::to_owned).next()
    };
    match (of(users), of(groups)) {
        (Some(users), Some(groups)) if users == groups => users
            .parse()
            .map_err(|error: tepui_containers::InvalidRange| error.to_string()),
        (Some(_), Some(_)) => Err(format!(
            "{name} has another range in /etc/subgid than in /etc/subuid: let them be the same"
        )),
        _ => Err(format!(
            "{name} has no range in /etc/subuid and /etc/subgid: add a line {name}:START:SIZE to both"
        )),
    }
}

impl WallOptions {
    /// The devices. One that is gone since the options were checked is left out.
    pub(crate) fn devices(&self) -> Vec<Device> {
        let found = self.allowed_devices.iter().map(|path| Device::find(path));
        found.flatten().collect()
    }

    /// Why an agent cannot start with these, if it cannot: the flag and the problem.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let is_device = |path: &PathBuf| Device::find(path).is_ok();
        if !self.allowed_devices.iter().all(is_device) {
            return Some(("allowed-devices", "must be device files below /dev"));
        }
        let absolute = self.secret_dir.as_ref().is_none_or(|it| it.is_absolute());
        if !absolute {
            return Some(("secret-dir", "must be an absolute path"));
        }
        (self.default_container_shm_size == Some(0))
            .then_some(("default-container-shm-size", "must be at least 1"))
    }

    /// Every flag and its value.
    pub(crate) fn flags(&self) -> [(&'static str, String); 5] {
        let size = self.default_container_shm_size.map(|it| it.to_string());
        [
            ("allowed-devices", paths(&self.allowed_devices)),
            ("secret-dir", paths(self.secret_dir.as_slice())),
            ("default-container-shm-size", size.unwrap_or_default()),
            ("userns-remap", self.userns_remap.to_string()),
            ("user-namespaces", self.user_namespaces.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_given_by_number_or_by_whose_they_are() {
        let files = "alice:100000:65536\ntasks:200000:131072\ntasks:900000:65536\n";
        assert_eq!(
            subordinate("tasks", files, files),
            Ok("200000:131072".parse().unwrap())
        );
        let other = "tasks:300000:131072\n";
        assert!(
            subordinate("tasks", files, other)
                .unwrap_err()
                .contains("/etc/subgid")
        );
        assert!(
            subordinate("task", files, files)
                .unwrap_err()
                .contains("task:START:SIZE")
        );
        assert!(subordinate("low", "low:0:65536", "low:0:65536").is_err());
        assert_eq!(range("100000:65536"), Ok("100000:65536".parse().unwrap()));
        assert!(range("100000:1").unwrap_err().contains("65536"));
    }
}
