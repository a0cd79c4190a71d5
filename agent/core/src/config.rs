//! What an agent is told about itself when it starts.

use core::time::Duration;
use std::path::PathBuf;

use tepui_model::AgentInfo;

use crate::{Reconfiguration, limits};

/// What an agent is told about itself when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host name, port, resources and attributes. The id comes from the master, or from the
    /// records.
    pub info: AgentInfo,
    /// The program's version, digits and dots.
    pub version: String,
    /// The folder under which sandboxes live.
    pub work_dir: PathBuf,
    /// Path of the agent's own program, for tasks: `TEPUI_EXECUTABLE`.
    pub executable: Option<PathBuf>,
    /// The address under which the agent's own server is reached: `MESOS_AGENT_ENDPOINT`.
    pub endpoint: String,
    /// The IP address that tasks are reported under.
    pub ip: Option<String>,
    /// Whom containers run as of which nobody says whose they are.
    pub user: String,
    /// Names this run of the machine. When the records were written under another one, no container
    /// of theirs can be alive.
    pub boot_id: String,
    /// What the names of containers and updates are made from. No two runs of an agent may share
    /// it.
    pub seed: u128,
    /// What may be different about it since it last ran.
    pub reconfiguration: Reconfiguration,
    /// Whether tasks on revocable processors come after others (Mesos: REV-04).
    pub revocable_cpu_low_priority: bool,
    /// Ended and acknowledged tasks that are remembered for operators.
    pub completed_tasks: usize,
    /// What an executor may take from its start to its subscription.
    pub executor_registration_timeout: Duration,
    /// What it may take to subscribe again after a restart of the agent.
    pub executor_reregistration_timeout: Duration,
    /// What it gets between SHUTDOWN and SIGKILL when it does not say.
    pub executor_shutdown_grace_period: Duration,
    /// How long it tries to find its agent again.
    pub recovery_timeout: Duration,
    /// Where else than at the endpoint executors reach the agent: `MESOS_DOMAIN_SOCKET`.
    pub domain_socket: Option<PathBuf>,
    /// Whether tasks can be given GPUs.
    pub gives_gpus: bool,
}

impl Config {
    /// The configuration that most tests and the simulator want.
    #[must_use]
    pub fn new(info: AgentInfo, work_dir: impl Into<PathBuf>, seed: u128) -> Self {
        let endpoint = format!("{}:{}", info.hostname, info.port);
        Self {
            info,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            work_dir: work_dir.into(),
            executable: None,
            endpoint,
            ip: None,
            user: "root".to_owned(),
            boot_id: "this".to_owned(),
            seed,
            reconfiguration: Reconfiguration::default(),
            revocable_cpu_low_priority: true,
            completed_tasks: limits::COMPLETED_TASKS,
            executor_registration_timeout: limits::EXECUTOR_REGISTRATION_TIMEOUT,
            executor_reregistration_timeout: limits::EXECUTOR_REREGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: limits::EXECUTOR_SHUTDOWN_GRACE,
            recovery_timeout: limits::RECOVERY_TIMEOUT,
            domain_socket: None,
            gives_gpus: false,
        }
    }
}
