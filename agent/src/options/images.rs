//! What can be set about the images of tasks.

use std::{fs::File, io::Read as _, path::PathBuf, time::Duration};

use clap::Args;
use tepui_edge::span;
use tepui_images::{
    Credentials, DEFAULT_PULL_TIMEOUT, DEFAULT_STALL_TIMEOUT, Endpoint, Home,
    limits::MAX_CREDENTIALS_BYTES,
};

use super::{flags::paths, refuse};
use crate::Error;

/// What the agent's images may take by default, in megabytes.
const DEFAULT_STORE_MEGABYTES: u64 = tepui_images::DEFAULT_SIZE_LIMIT >> 20;

/// What can be set about the images of tasks.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct ImageOptions {
    /// Folder for the images of tasks [default: `images` in the work dir]
    #[arg(long, env = "TEPUI_IMAGE_STORE_DIR", value_name = "DIR")]
    pub image_store_dir: Option<PathBuf>,

    /// How much the images of tasks may take, unpacked: those that were longest not used go first
    #[arg(
        long,
        env = "TEPUI_IMAGE_STORE_SIZE",
        value_name = "MB",
        default_value_t = DEFAULT_STORE_MEGABYTES
    )]
    pub image_store_size: u64,

    /// Where images are looked for that name no registry: a registry, or a folder with archives of
    /// `docker save` (`NAME:TAG.tar`) and OCI layouts (`NAME`)
    #[arg(
        long,
        env = "TEPUI_DOCKER_REGISTRY",
        value_name = "URL|DIR",
        default_value_t = Home::default()
    )]
    pub docker_registry: Home,

    /// Registries that are asked before that one
    #[arg(
        long,
        env = "TEPUI_DOCKER_MIRRORS",
        value_name = "URL,...",
        value_delimiter = ','
    )]
    pub docker_mirrors: Vec<Endpoint>,

    /// The agent's credentials for registries: a file as `docker login` writes it
    #[arg(long, env = "TEPUI_DOCKER_CONFIG", value_name = "FILE")]
    pub docker_config: Option<PathBuf>,

    /// How long it may take to fetch one image
    #[arg(
        long,
        env = "TEPUI_IMAGE_PULL_TIMEOUT",
        value_name = "DURATION",
        default_value = "30m",
        value_parser = span::parse
    )]
    pub image_pull_timeout: Duration,

    /// How long a registry may send less than a kilobyte a second before it is given up
    #[arg(
        long,
        env = "TEPUI_IMAGE_STALL_TIMEOUT",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = span::parse
    )]
    pub image_stall_timeout: Duration,

    /// Certificates in PEM that are trusted for registries, besides those of this machine
    #[arg(long, env = "TEPUI_IMAGE_REGISTRY_CA", value_name = "FILE")]
    pub image_registry_ca: Option<PathBuf>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            image_store_dir: None,
            image_store_size: DEFAULT_STORE_MEGABYTES,
            docker_registry: Home::default(),
            docker_mirrors: Vec::new(),
            docker_config: None,
            image_pull_timeout: DEFAULT_PULL_TIMEOUT,
            image_stall_timeout: DEFAULT_STALL_TIMEOUT,
            image_registry_ca: None,
        }
    }
}

impl ImageOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.image_store_size == 0 {
            return Err(refuse("image-store-size", "must be at least 1"));
        }
        if self.image_stall_timeout < Duration::from_millis(10) {
            return Err(refuse("image-stall-timeout", "must be at least 10ms"));
        }
        if self.image_pull_timeout < self.image_stall_timeout {
            return Err(refuse(
                "image-pull-timeout",
                "must be at least as long as --image-stall-timeout",
            ));
        }
        match &self.docker_registry {
            Home::Folder(folder) if !folder.is_dir() => Err(refuse(
                "docker-registry",
                "names a folder that is not there",
            )),
            _ => self.credentials().map(drop),
        }
    }

    /// The store, in this folder unless another was named.
    pub(crate) fn store(&self, folder: PathBuf) -> Result<tepui_images::Options, Error> {
        Ok(tepui_images::Options {
            folder: self.image_store_dir.clone().unwrap_or(folder),
            size_limit: self.image_store_size.saturating_mul(1 << 20),
            home: self.docker_registry.clone(),
            mirrors: self.docker_mirrors.clone(),
            credentials: self.credentials()?,
            pull_timeout: self.image_pull_timeout,
            stall_timeout: self.image_stall_timeout,
            unpacker: None,
            trusted: self.image_registry_ca.clone(),
        })
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        let Some(path) = &self.docker_config else {
            return Ok(Credentials::default());
        };
        let refuse = |problem: String| refuse("docker-config", &problem);
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_CREDENTIALS_BYTES).read_to_end(&mut bytes))
            .map_err(|error| refuse(format!("{} cannot be read: {error}", path.display())))?;
        Credentials::read(&bytes).map_err(|error| refuse(error.to_string()))
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        let mirrors = self.docker_mirrors.iter().map(ToString::to_string);
        vec![
            ("image-store-dir", paths(self.image_store_dir.as_slice())),
            ("image-store-size", self.image_store_size.to_string()),
            ("docker-registry", self.docker_registry.to_string()),
            ("docker-mirrors", mirrors.collect::<Vec<_>>().join(",")),
            ("docker-config", paths(self.docker_config.as_slice())),
            ("image-pull-timeout", span::format(self.image_pull_timeout)),
            (
                "image-stall-timeout",
                span::format(self.image_stall_timeout),
            ),
            (
                "image-registry-ca",
                paths(self.image_registry_ca.as_slice()),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        type Spoil = fn(&mut ImageOptions);
        let cases: [(&str, Spoil); 5] = [
            ("--image-store-size", |o| o.image_store_size = 0),
            ("--image-stall-timeout", |o| {
                o.image_stall_timeout = Duration::ZERO
            }),
            ("--image-pull-timeout", |o| {
                o.image_pull_timeout = Duration::from_secs(1)
            }),
            ("--docker-registry", |o| {
                o.docker_registry = Home::Folder("/proc/none".into())
            }),
            ("--docker-config", |o| {
                o.docker_config = Some("/proc/none".into())
            }),
        ];
        for (flag, spoil) in cases {
            let mut options = ImageOptions::default();
            spoil(&mut options);
            let text = options.validate().unwrap_err().to_string();
            assert!(text.starts_with(flag), "{text}");
        }
    }
}
