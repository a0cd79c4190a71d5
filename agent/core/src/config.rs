//! What an agent is told about itself when it starts.

use std::path::PathBuf;

use tepui_model::AgentInfo;

use crate::limits;

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
    /// Names this run of the machine. When the records were written under another one, no container
    /// of theirs can be alive.
    pub boot_id: String,
    /// What the names of containers and updates are made from. No two runs of an agent may share
    /// it.
    pub seed: u128,
    /// Whether tasks on revocable processors come after others (Mesos: REV-04).
    pub revocable_cpu_low_priority: bool,
    /// Ended and acknowledged tasks that are remembered for operators.
    pub completed_tasks: usize,
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
            boot_id: "this".to_owned(),
            seed,
            revocable_cpu_low_priority: true,
            completed_tasks: limits::COMPLETED_TASKS,
        }
    }
}
