//! What can be set about what single tasks are given or kept from, beside limits and rights.

use std::path::PathBuf;

use tepui_containers::Device;

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
    pub(crate) fn flags(&self) -> [(&'static str, String); 3] {
        let devices = self
            .allowed_devices
            .iter()
            .map(|it| it.display().to_string());
        let path = self.secret_dir.as_ref();
        let path = path.map(|path| path.display().to_string());
        let size = self.default_container_shm_size.map(|it| it.to_string());
        [
            ("allowed-devices", devices.collect::<Vec<_>>().join(",")),
            ("secret-dir", path.unwrap_or_default()),
            ("default-container-shm-size", size.unwrap_or_default()),
        ]
    }
}
