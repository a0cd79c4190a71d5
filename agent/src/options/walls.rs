//! What can be set about what single tasks are given or kept from, beside limits and rights.

use std::path::PathBuf;

/// What can be set about what single tasks are given or kept from.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct WallOptions {
    /// Folder with secrets that tasks may name: a secret is a file there, and one with a key a file
    /// in the folder of its name
    #[arg(long, env = "TEPUI_SECRET_DIR", value_name = "DIR")]
    pub secret_dir: Option<PathBuf>,

    /// The size of `/dev/shm` of tasks that do not say, in megabytes [default: their memory]
    #[arg(
        long,
        env = "TEPUI_DEFAULT_CONTAINER_SHM_SIZE",
        value_name = "MEGABYTES"
    )]
    pub default_container_shm_size: Option<u32>,
}

impl WallOptions {
    /// Why an agent cannot start with these, if it cannot: the flag and the problem.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let absolute = self.secret_dir.as_ref().is_none_or(|it| it.is_absolute());
        if !absolute {
            return Some(("secret-dir", "must be an absolute path"));
        }
        (self.default_container_shm_size == Some(0))
            .then_some(("default-container-shm-size", "must be at least 1"))
    }

    /// Every flag and its value.
    pub(crate) fn flags(&self) -> [(&'static str, String); 2] {
        let path = self.secret_dir.as_ref();
        let path = path.map(|path| path.display().to_string());
        let size = self.default_container_shm_size.map(|it| it.to_string());
        [
            ("secret-dir", path.unwrap_or_default()),
            ("default-container-shm-size", size.unwrap_or_default()),
        ]
    }
}
