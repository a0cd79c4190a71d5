//! What can be set on an agent: one struct for flags, environment, configuration file and manual.

mod cgroups;
mod cleanup;
mod containers;
mod disks;
mod executors;
mod fetcher;
mod flags;
mod gpus;
mod images;
mod logs;
mod networks;
mod offer;
mod rights;
mod walls;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tepui_containers::{InitProgram, Policy};
use tepui_edge::span;

pub use self::{
    cgroups::CgroupOptions, cleanup::CleanupOptions, containers::ContainerOptions,
    disks::DiskOptions, executors::ExecutorOptions, fetcher::FetcherOptions, gpus::GpuOptions,
    images::ImageOptions, logs::LogOptions, networks::NetworkOptions, offer::OfferOptions,
    rights::RightsOptions, walls::WallOptions,
};
use crate::{Error, Masters};

/// What can be set on an agent.
///
/// Each field is a flag, `TEPUI_<NAME>` in the environment and a key of the configuration file; its
/// comment is the manual.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[allow(
    missing_docs,
    reason = "a comment would become the manual of a group of flags; each flag has its own"
)]
pub struct Options {
    /// The masters, tried in turn; they may come up later than the agent
    #[arg(
        long,
        env = "TEPUI_MASTER",
        value_name = "HOST:PORT,...",
        default_value = "127.0.0.1:5050"
    )]
    pub master: Masters,

    /// Address and port for operators and frameworks; port 0 takes any free one
    #[arg(
        long,
        env = "TEPUI_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:5051"
    )]
    pub listen: SocketAddr,

    /// Name by which others reach this agent [default: the address it listens on]
    #[arg(long, env = "TEPUI_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Folder for checkpoints and sandboxes; one agent at a time
    #[arg(
        long,
        env = "TEPUI_WORK_DIR",
        value_name = "DIR",
        default_value = "/var/lib/tepui/agent"
    )]
    pub work_dir: PathBuf,

    /// Folder for the records of containers, which may vanish with a reboot
    /// [default: `run` in the work dir]
    #[arg(long, env = "TEPUI_RUNTIME_DIR", value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,

    #[command(flatten)]
    pub offer: OfferOptions,

    #[command(flatten)]
    pub containers: ContainerOptions,

    #[command(flatten)]
    pub disks: DiskOptions,

    #[command(flatten)]
    pub rights: RightsOptions,

    #[command(flatten)]
    pub networks: NetworkOptions,

    #[command(flatten)]
    pub walls: WallOptions,

    #[command(flatten)]
    pub gpus: GpuOptions,

    #[command(flatten)]
    pub cgroups: CgroupOptions,

    #[command(flatten)]
    pub executors: ExecutorOptions,

    #[command(flatten)]
    pub images: ImageOptions,

    #[command(flatten)]
    pub fetcher: FetcherOptions,

    #[command(flatten)]
    pub logs: LogOptions,

    #[command(flatten)]
    pub cleanup: CleanupOptions,

    /// The first pause before an unreachable master is tried again; pauses double up to a minute
    #[arg(
        long,
        env = "TEPUI_REGISTRATION_BACKOFF_FACTOR",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = span::parse
    )]
    pub registration_backoff_factor: Duration,

    /// The program that becomes launcher and init of containers; for programs that embed the agent
    #[arg(skip)]
    pub init: InitProgram,
}

impl Default for Options {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a test parses it")]
        let master = "127.0.0.1:5050".parse().expect("a master");
        Self {
            master,
            listen: SocketAddr::from(([127, 0, 0, 1], 5051)),
            hostname: None,
            work_dir: PathBuf::from("/var/lib/tepui/agent"),
            runtime_dir: None,
            offer: OfferOptions::default(),
            containers: ContainerOptions::default(),
            disks: DiskOptions::default(),
            rights: RightsOptions::default(),
            networks: NetworkOptions::default(),
            walls: WallOptions::default(),
            gpus: GpuOptions::default(),
            cgroups: CgroupOptions::default(),
            executors: ExecutorOptions::default(),
            images: ImageOptions::default(),
            fetcher: FetcherOptions::default(),
            logs: LogOptions::default(),
            cleanup: CleanupOptions::default(),
            registration_backoff_factor: Duration::from_secs(1),
            init: InitProgram::default(),
        }
    }
}

impl Options {
    /// Checks the values against what makes sense, before anything starts.
    ///
    /// # Errors
    /// [`Error::Option`] names the flag.
    pub fn validate(&self) -> Result<(), Error> {
        self.offer.validate()?;
        self.containers.validate()?;
        self.disks.validate()?;
        self.rights.validate()?;
        self.executors.validate()?;
        self.images.validate()?;
        self.fetcher.validate()?;
        self.logs.validate()?;
        self.cleanup.validate()?;
        let problem = self.networks.problem().or_else(|| self.walls.problem());
        let problem = problem.or_else(|| self.cgroups.problem(self.containers.isolation));
        if let Some((flag, problem)) = problem {
            return Err(refuse(flag, problem));
        }
        let bad_name = |name: &String| {
            name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        if self.hostname.as_ref().is_some_and(bad_name) {
            return Err(refuse("hostname", "must be a name without spaces"));
        }
        let backoff = self.registration_backoff_factor;
        if backoff < Duration::from_millis(10) || backoff > crate::limits::BACKOFF_MAX {
            return Err(refuse(
                "registration-backoff-factor",
                "must be between 10ms and 1min",
            ));
        }
        Ok(())
    }

    /// What tasks get and may ask for.
    pub(crate) fn policy(&self) -> Policy {
        let rights = &self.rights;
        Policy {
            effective_capabilities: rights.effective_capabilities,
            bounding_capabilities: rights.bounding_capabilities,
            seccomp_profiles: rights.seccomp_config_dir.clone(),
            seccomp_default: rights.seccomp_profile_name.clone(),
            unconfined: rights.allow_unconfined,
            devices: self.walls.devices(),
            host_paths: rights.allowed_host_paths.clone(),
            io: self.cgroups.io(),
        }
    }

    /// The name by which others reach an agent that listens there.
    pub(crate) fn name(&self, address: SocketAddr) -> String {
        let any = |ip: IpAddr| ip.is_unspecified();
        match &self.hostname {
            Some(name) => name.clone(),
            None if any(address.ip()) => nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_else(|| "localhost".to_owned()),
            None => address.ip().to_string(),
        }
    }
}

fn refuse(flag: &'static str, problem: &str) -> Error {
    Error::Option {
        flag,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests;
