//! What an agent stands on: its options, its port and its work dir, found good and taken.

use std::net::SocketAddr;

use tepui_agent_core::Config;
use tepui_containers as containers;
use tepui_edge::{DomainSocket, Listener};
use tepui_model::AgentInfo;
use tepui_proto::v1;
use uuid::Uuid;

use super::start::blocking;
use crate::{Error, Options, detect, error::broken, machine::Users, work_dir::WorkDir};

/// What an agent stands on. Dropping it gives everything back.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(super) options: Options,
    pub(super) listener: Listener,
    pub(super) domain_socket: Option<DomainSocket>,
    pub(super) address: SocketAddr,
    pub(super) work_dir: WorkDir,
    pub(super) config: Config,
}

impl Ground {
    /// Checks the options, and takes the port and the work dir.
    pub(crate) async fn take(options: Options) -> Result<Self, Error> {
        options.validate()?;
        let listener = Listener::bind(options.listen).await?;
        let path = options.work_dir.clone();
        let work_dir = blocking(move || WorkDir::claim(&path)).await?;
        let address = listener.address();
        let config = config(&options, &work_dir, address)?;
        let domain_socket = config.domain_socket.as_deref().map(DomainSocket::bind);
        let domain_socket = domain_socket.transpose().map_err(|error| Error::Option {
            flag: "http-executor-domain-sockets",
            problem: format!(
                "cannot be had at {}/agent.sock: {error}",
                work_dir.path().display()
            ),
        })?;
        Ok(Self {
            options,
            listener,
            domain_socket,
            address,
            work_dir,
            config,
        })
    }

    /// What the container runtime is asked for.
    pub(super) fn runtime_options(&self) -> containers::Options {
        let (options, work_dir) = (&self.options, &self.work_dir);
        let runtime_dir = options.runtime_dir.clone();
        let cgroup_root = options.containers.cgroup_root.clone();
        containers::Options {
            isolation: if options.disks.enforce_container_disk_quota {
                options.containers.isolation
            } else {
                let kinds = [containers::Isolator::Disk, containers::Isolator::DiskQuota];
                kinds
                    .into_iter()
                    .fold(options.containers.isolation, containers::Isolation::without)
            },
            pids_limit: options.containers.pids_limit,
            disk_interval: options.disks.container_disk_watch_interval,
            bytes_per_file: options.disks.bytes_per_file(),
            policy: options.policy(),
            networks: options.networks.networks(),
            shared_memory: options.walls.default_container_shm_size.map(megabytes),
            users: options.walls.userns_remap,
            users_policy: options.walls.user_namespaces.policy(),
            projects: options.disks.project_range,
            gpus: options.gpus.gpus(),
            net_classes: options.cgroups.net_classes(),
            init: options.init.clone(),
            ..containers::Options::new(
                runtime_dir.unwrap_or_else(|| work_dir.runtime()),
                cgroup_root.unwrap_or_else(|| work_dir.cgroup_root()),
            )
        }
    }
}

fn megabytes(count: u32) -> containers::Bytes {
    containers::Bytes(u64::from(count) << 20)
}

/// What the core is told about this agent.
fn config(options: &Options, work_dir: &WorkDir, address: SocketAddr) -> Result<Config, Error> {
    let role = options.offer.parse_default_role()?;
    let gpus = options.containers.isolation.has(containers::Isolator::Gpus);
    let gpus = gpus.then(|| options.gpus.gpus().count());
    let resources = detect::resources(&options.offer.resources, &role, work_dir.path(), gpus)?;
    let resources = resources + options.offer.parse_oversubscribed()?;
    let wire = v1::AgentInfo {
        hostname: options.name(address),
        port: Some(i32::from(address.port())),
        resources: resources.to_proto(None),
        attributes: options.offer.parse_attributes()?.to_proto(),
        domain: options.offer.domain.as_ref().map(Into::into),
        ..v1::AgentInfo::default()
    };
    let info = AgentInfo::try_from(wire).map_err(|error| broken("description", &error))?;
    let boot_id = tepui_sys::boot_id().map_err(|error| broken("view of the machine", &error))?;
    let seed = Uuid::new_v4().as_u128();
    let executors = &options.executors;
    let specific = !address.ip().is_unspecified();
    Ok(Config {
        endpoint: format!("{}:{}", info.hostname, info.port),
        executable: std::env::current_exe().ok(),
        user: Users::own(),
        ip: specific.then(|| address.ip().to_string()),
        boot_id,
        reconfiguration: options.offer.reconfiguration_policy,
        revocable_cpu_low_priority: options.containers.revocable_cpu_low_priority,
        executor_registration_timeout: executors.executor_registration_timeout,
        executor_reregistration_timeout: executors.executor_reregistration_timeout,
        executor_shutdown_grace_period: executors.executor_shutdown_grace_period,
        recovery_timeout: executors.recovery_timeout,
        gives_gpus: gpus.is_some(),
        domain_socket: executors
            .http_executor_domain_sockets
            .then(|| work_dir.path().join("agent.sock")),
        ..Config::new(info, work_dir.path(), seed)
    })
}
