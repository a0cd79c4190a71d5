//! What can be set about the networks of tasks.

use std::path::PathBuf;

use tepui_containers::Networks;

use super::flags::paths;

/// What can be set about the networks of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct NetworkOptions {
    /// Folder with the configurations of CNI networks that tasks may name; what is put there counts
    /// for the next task
    #[arg(long, env = "TEPUI_NETWORK_CNI_CONFIG_DIR", value_name = "DIR")]
    pub network_cni_config_dir: Option<PathBuf>,

    /// Folders in which the plugins of these networks are looked for, in turn
    #[arg(
        long,
        env = "TEPUI_NETWORK_CNI_PLUGINS_DIR",
        value_name = "DIR:...",
        value_delimiter = ':'
    )]
    pub network_cni_plugins_dir: Vec<PathBuf>,
}

impl NetworkOptions {
    /// What the container runtime is told.
    pub(crate) fn networks(&self) -> Networks {
        Networks {
            config_dir: self.network_cni_config_dir.clone(),
            plugin_dirs: self.network_cni_plugins_dir.clone(),
            ..Networks::default()
        }
    }

    /// Why an agent cannot start with these, if it cannot: the flag and the problem.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let absolute = |path: &PathBuf| path.is_absolute();
        if !self.network_cni_plugins_dir.iter().all(absolute) {
            return Some(("network-cni-plugins-dir", "must be absolute paths"));
        }
        let config = self.network_cni_config_dir.as_ref()?;
        if !absolute(config) {
            return Some(("network-cni-config-dir", "must be an absolute path"));
        }
        self.network_cni_plugins_dir.is_empty().then_some((
            "network-cni-plugins-dir",
            "must be given with --network-cni-config-dir, as in /usr/lib/cni",
        ))
    }

    /// Every flag and its value.
    pub(crate) fn flags(&self) -> [(&'static str, String); 2] {
        let plugins = self.network_cni_plugins_dir.iter();
        let plugins: Vec<_> = plugins.map(|path| path.display().to_string()).collect();
        [
            (
                "network-cni-config-dir",
                paths(self.network_cni_config_dir.as_slice()),
            ),
            ("network-cni-plugins-dir", plugins.join(":")),
        ]
    }
}
