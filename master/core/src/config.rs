//! What can be set about the core. The shell fills it in from its options.

use core::time::Duration;
use std::collections::BTreeSet;

use tepui_allocator::{Options as AllocatorOptions, RegexLimits};
use tepui_model::{Quantity, Role};
use tepui_proto::v1;

use crate::{limits::Limits, preemption::Preemption};

/// The settings of a [`crate::Master`].
#[derive(Clone, Debug)]
pub struct Config {
    /// What frameworks and agents are told of this master. `master.id` starts every id that is
    /// handed out (`<id>-0000`, `<id>-S0`, `<id>-O0`); it must be new at every start, because the
    /// numbers begin anew.
    pub master: v1::MasterInfo,
    /// How long an offer stands before it is taken back; for ever when `None` (Mesos: OFF-02).
    pub offer_timeout: Option<Duration>,
    /// How long the allocation waits after a change for other changes to come.
    pub allocation_window: Duration,
    /// How often frameworks are told that the shell's heartbeats come.
    pub heartbeat_interval: Duration,
    /// How often an agent is pinged (Mesos: TSK-03).
    pub agent_ping_timeout: Duration,
    /// Pings without an answer after which an agent is unreachable (Mesos: TSK-03).
    pub max_agent_ping_timeouts: u32,
    /// How long agents have after a restart of the master to come back before they are
    /// unreachable. Frameworks have at least as long.
    pub agent_reregister_timeout: Duration,
    /// How often the registry is cleared of old agents (Mesos: TSK-05).
    pub registry_gc_interval: Duration,
    /// How long the registry keeps an unreachable or removed agent (Mesos: TSK-05).
    pub registry_max_agent_age: Duration,
    /// How many unreachable and how many removed agents the registry keeps (Mesos: TSK-05).
    pub registry_max_agent_count: usize,
    /// Removed frameworks kept for the operator to see (Mesos: FWK-10).
    pub max_completed_frameworks: usize,
    /// Ended tasks kept per framework for the operator to see (Mesos: FWK-10).
    pub max_completed_tasks_per_framework: usize,
    /// Unreachable tasks kept per framework (Mesos: FWK-10).
    pub max_unreachable_tasks_per_framework: usize,
    /// The roles that there are, beside `*`; any, if there is no list (Mesos: ROL-05).
    pub roles: Option<BTreeSet<Role>>,
    /// Weights of roles, unless the registry has others (Mesos: WGT-01).
    pub weights: Vec<(Role, Quantity)>,
    /// The part of the registry's agents that must be back after a restart before anything is
    /// offered, if any quota is set (Mesos: ALL-09).
    pub allocator_agent_recovery_factor: Quantity,
    /// How long they are waited for (Mesos: ALL-09).
    pub allocator_recovery_timeout: Duration,
    /// Whether agents must say in which fault domain they stand (Mesos: DOM-01). The master's own
    /// is in its description.
    pub require_agent_domain: bool,
    /// What a regular expression of an offer constraint may take (Mesos: OFF-14).
    pub regex: RegexLimits,
    /// Whether tasks give way to what a higher priority asks for, and how.
    pub preemption: Option<Preemption>,
    /// What is kept at most of what frameworks and agents make.
    pub limits: Limits,
    /// The settings of the allocator.
    pub allocator: AllocatorOptions,
}

impl Config {
    /// The default settings.
    #[must_use]
    pub fn new(master: v1::MasterInfo) -> Self {
        Self {
            master,
            offer_timeout: Some(Duration::from_secs(30)),
            allocation_window: Duration::from_millis(5),
            heartbeat_interval: Duration::from_secs(15),
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(10 * 60),
            registry_gc_interval: Duration::from_secs(15 * 60),
            registry_max_agent_age: Duration::from_secs(14 * 24 * 3600),
            registry_max_agent_count: 102_400,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
            roles: None,
            weights: Vec::new(),
            allocator_agent_recovery_factor: Quantity::from_millis(800),
            allocator_recovery_timeout: Duration::from_secs(10 * 60),
            require_agent_domain: false,
            regex: RegexLimits::default(),
            preemption: None,
            limits: Limits::default(),
            allocator: AllocatorOptions::default(),
        }
    }

    /// Whether frameworks may have a role, and operators may decide about it (Mesos: ROL-05).
    pub(crate) fn has_role(&self, role: &Role) -> bool {
        let listed = self.roles.as_ref();
        listed.is_none_or(|roles| role.is_default() || roles.contains(role))
    }

    /// How long an agent may be silent before it is unreachable.
    #[must_use]
    pub fn agent_silence_limit(&self) -> Duration {
        self.agent_ping_timeout
            .saturating_mul(self.max_agent_ping_timeouts)
    }
}
