//! What can be set on an agent: one struct for flags, environment, configuration file and manual.

mod cgroups;
mod disks;
mod executors;
mod fetcher;
mod flags;
mod gpus;
mod images;
mod logs;
mod networks;
mod walls;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::ArgAction;
use tepui_agent_core::Reconfiguration;
use tepui_containers::{Capabilities, InitProgram, Isolation, Policy};
use tepui_edge::span;
use tepui_model::{Attributes, FaultDomain, Resources, Role, Traits};

pub use self::{
    cgroups::CgroupOptions, disks::DiskOptions, executors::ExecutorOptions,
    fetcher::FetcherOptions, gpus::GpuOptions, images::ImageOptions, logs::LogOptions,
    networks::NetworkOptions, walls::WallOptions,
};
use crate::{Error, Masters};

/// What can be set on an agent.
///
/// Each field is a flag, `TEPUI_<NAME>` in the environment and a key of the configuration file; its
/// comment is the manual.
#[derive(Clone, Debug, PartialEq, clap::Args)]
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

    /// What this agent offers, as in `cpus:4;mem:8192;disk:10240;ports:[31000-32000]`, or as a JSON
    /// list of resources; what is not mentioned is found out
    #[arg(
        long,
        env = "TEPUI_RESOURCES",
        value_name = "RESOURCES",
        default_value = "",
        hide_default_value = true
    )]
    pub resources: String,

    /// The role that what is offered is reserved to, unless `resources` says another
    #[arg(
        long,
        env = "TEPUI_DEFAULT_ROLE",
        value_name = "ROLE",
        default_value = "*"
    )]
    pub default_role: String,

    /// What this agent offers beyond that to frameworks that take revocable resources, as in
    /// `cpus:2`: an estimate of what its tasks ask for and leave unused
    #[arg(
        long,
        env = "TEPUI_OVERSUBSCRIBED_RESOURCES",
        value_name = "RESOURCES",
        default_value = "",
        hide_default_value = true
    )]
    pub oversubscribed_resources: String,

    /// Whether tasks on revocable processors get a hundredth of the share that others get when
    /// processors are short
    #[arg(
        long,
        env = "TEPUI_REVOCABLE_CPU_LOW_PRIORITY",
        value_name = "BOOL",
        default_value_t = true,
        action = ArgAction::Set
    )]
    pub revocable_cpu_low_priority: bool,

    /// What frameworks may know about this agent, as in `rack:r1;zone:a`
    #[arg(
        long,
        env = "TEPUI_ATTRIBUTES",
        value_name = "ATTRIBUTES",
        default_value = "",
        hide_default_value = true
    )]
    pub attributes: String,

    /// The fault domain of this agent, as in `eu-north/a`; the master must have one too
    #[arg(long, env = "TEPUI_DOMAIN", value_name = "REGION/ZONE")]
    pub domain: Option<FaultDomain>,

    /// What may be different when the agent starts again: nothing (`equal`), more of what it had
    /// (`additive`), or `any`thing that covers its tasks
    #[arg(
        long,
        env = "TEPUI_RECONFIGURATION_POLICY",
        value_name = "POLICY",
        default_value_t = Reconfiguration::Equal
    )]
    pub reconfiguration_policy: Reconfiguration,

    /// What keeps containers apart: `all`, `none`, or a list of names, as in
    /// `cgroups/cpu,namespaces/pid`
    #[arg(
        long,
        env = "TEPUI_ISOLATION",
        value_name = "NAME,...",
        default_value = "all"
    )]
    pub isolation: Isolation,

    /// The cgroup of this agent's containers, below every hierarchy's root
    /// [default: `tepui/` and a name made from the work dir]
    #[arg(long, env = "TEPUI_CGROUP_ROOT", value_name = "NAME")]
    pub cgroup_root: Option<String>,

    /// How many processes and threads one container may have
    #[arg(
        long,
        env = "TEPUI_PIDS_LIMIT",
        value_name = "COUNT",
        default_value_t = tepui_containers::limits::DEFAULT_PIDS_LIMIT
    )]
    pub pids_limit: u64,

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a comment would become the manual of the flags' group"
    )]
    pub disks: DiskOptions,

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

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a comment would become the manual of the flags' group"
    )]
    pub networks: NetworkOptions,

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a comment would become the manual of the flags' group"
    )]
    pub walls: WallOptions,

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a comment would become the manual of the flags' group"
    )]
    pub gpus: GpuOptions,

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a comment would become the manual of the flags' group"
    )]
    pub cgroups: CgroupOptions,

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

    /// Custom executors.
    #[command(flatten)]
    pub executors: ExecutorOptions,

    /// Images
    #[command(flatten)]
    pub images: ImageOptions,

    /// What tasks want in their sandboxes
    #[command(flatten)]
    pub fetcher: FetcherOptions,

    /// The output of tasks
    #[command(flatten)]
    pub logs: LogOptions,

    /// How long the sandbox of an ended task is kept, on an empty disk
    #[arg(
        long,
        env = "TEPUI_GC_DELAY",
        value_name = "DURATION",
        default_value = "1weeks",
        value_parser = span::parse
    )]
    pub gc_delay: Duration,

    /// The part of the disk to keep free: sandboxes go the sooner the fuller the disk is; with less
    /// free than that, images that no task uses go
    #[arg(
        long,
        env = "TEPUI_GC_DISK_HEADROOM",
        value_name = "PART",
        default_value_t = 0.1
    )]
    pub gc_disk_headroom: f64,

    /// How often it is looked how full the disk is, for that
    #[arg(
        long,
        env = "TEPUI_DISK_WATCH_INTERVAL",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = span::parse
    )]
    pub disk_watch_interval: Duration,

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
            resources: String::new(),
            default_role: "*".to_owned(),
            oversubscribed_resources: String::new(),
            revocable_cpu_low_priority: true,
            attributes: String::new(),
            domain: None,
            reconfiguration_policy: Reconfiguration::Equal,
            isolation: Isolation::default(),
            cgroup_root: None,
            pids_limit: tepui_containers::limits::DEFAULT_PIDS_LIMIT,
            disks: DiskOptions::default(),
            effective_capabilities: Capabilities::DEFAULT,
            bounding_capabilities: Capabilities::DEFAULT,
            seccomp_config_dir: None,
            seccomp_profile_name: None,
            allow_unconfined: false,
            allowed_host_paths: Vec::new(),
            networks: NetworkOptions::default(),
            walls: WallOptions::default(),
            gpus: GpuOptions::default(),
            cgroups: CgroupOptions::default(),
            switch_user: true,
            executors: ExecutorOptions::default(),
            images: ImageOptions::default(),
            fetcher: FetcherOptions::default(),
            logs: LogOptions::default(),
            gc_delay: Duration::from_secs(7 * 86_400),
            gc_disk_headroom: 0.1,
            disk_watch_interval: Duration::from_secs(60),
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
        self.parse_attributes()?;
        self.parse_default_role()?;
        self.parse_oversubscribed()?;
        self.executors.validate()?;
        self.images.validate()?;
        self.fetcher.validate()?;
        self.logs.validate()?;
        self.disks.validate()?;
        let backoff = self.registration_backoff_factor;
        let bad_name = |name: &String| {
            name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        let escapes = |root: &String| {
            root.is_empty() || root.split('/').any(|part| part.is_empty() || part == "..")
        };
        if self.hostname.as_ref().is_some_and(bad_name) {
            return Err(refuse("hostname", "must be a name without spaces"));
        }
        if self.cgroup_root.as_ref().is_some_and(escapes) {
            return Err(refuse(
                "cgroup-root",
                "must be a path below the root, as in tepui/a",
            ));
        }
        if self.seccomp_profile_name.is_some() && self.seccomp_config_dir.is_none() {
            return Err(refuse(
                "seccomp-profile-name",
                "names a file in --seccomp-config-dir, which is not given",
            ));
        }
        if self
            .allowed_host_paths
            .iter()
            .any(|path| !path.is_absolute())
        {
            return Err(refuse("allowed-host-paths", "must be absolute paths"));
        }
        let problem = self.networks.problem().or_else(|| self.walls.problem());
        let problem = problem.or_else(|| self.cgroups.problem(self.isolation));
        if let Some((flag, problem)) = problem {
            return Err(refuse(flag, problem));
        }
        if self.pids_limit < 2 {
            return Err(refuse(
                "pids-limit",
                "must be at least 2: a container has an init",
            ));
        }
        if self.disk_watch_interval < Duration::from_millis(10) {
            return Err(refuse("disk-watch-interval", "must be at least 10ms"));
        }
        if !(0.0..=1.0).contains(&self.gc_disk_headroom) {
            return Err(refuse("gc-disk-headroom", "must be between 0 and 1"));
        }
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
        Policy {
            effective_capabilities: self.effective_capabilities,
            bounding_capabilities: self.bounding_capabilities,
            seccomp_profiles: self.seccomp_config_dir.clone(),
            seccomp_default: self.seccomp_profile_name.clone(),
            unconfined: self.allow_unconfined,
            devices: self.walls.devices(),
            host_paths: self.allowed_host_paths.clone(),
            io: self.cgroups.io(),
        }
    }

    pub(crate) fn parse_attributes(&self) -> Result<Attributes, Error> {
        let text = &self.attributes;
        Attributes::parse(text)
            .map_err(|error| refuse("attributes", &format!("'{text}' cannot be read: {error}")))
    }

    pub(crate) fn parse_default_role(&self) -> Result<Role, Error> {
        Role::new(&self.default_role).map_err(|error| refuse("default-role", &error.to_string()))
    }

    /// What may be taken back at any time (Mesos: REV-01).
    pub(crate) fn parse_oversubscribed(&self) -> Result<Resources, Error> {
        let text = &self.oversubscribed_resources;
        let refuse = |problem: &str| {
            let problem = format!("'{text}' {problem}");
            refuse("oversubscribed-resources", &problem)
        };
        let resources = Resources::parse(text, &Role::default())
            .map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if !resources.is_plain() {
            return Err(refuse(
                "must name no role: what is reserved cannot be taken back",
            ));
        }
        Ok(resources.with_traits(|traits| Traits {
            revocable: true,
            ..traits.clone()
        }))
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
