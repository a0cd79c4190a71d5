//! What can be set about what keeps containers apart, and where their cgroups are.

use clap::ArgAction;
use tepui_containers::{Isolation, limits::DEFAULT_PIDS_LIMIT};

use super::refuse;
use crate::Error;

/// What can be set about what keeps containers apart, and where their cgroups are.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ContainerOptions {
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
        default_value_t = DEFAULT_PIDS_LIMIT
    )]
    pub pids_limit: u64,

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
}

impl Default for ContainerOptions {
    fn default() -> Self {
        Self {
            isolation: Isolation::default(),
            cgroup_root: None,
            pids_limit: DEFAULT_PIDS_LIMIT,
            revocable_cpu_low_priority: true,
        }
    }
}

impl ContainerOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        let escapes = |root: &String| {
            root.is_empty() || root.split('/').any(|part| part.is_empty() || part == "..")
        };
        if self.cgroup_root.as_ref().is_some_and(escapes) {
            return Err(refuse(
                "cgroup-root",
                "must be a path below the root, as in tepui/a",
            ));
        }
        if self.pids_limit < 2 {
            return Err(refuse(
                "pids-limit",
                "must be at least 2: a container has an init",
            ));
        }
        Ok(())
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 4] {
        [
            ("isolation", self.isolation.to_string()),
            ("cgroup-root", self.cgroup_root.clone().unwrap_or_default()),
            ("pids-limit", self.pids_limit.to_string()),
            (
                "revocable-cpu-low-priority",
                self.revocable_cpu_low_priority.to_string(),
            ),
        ]
    }
}
