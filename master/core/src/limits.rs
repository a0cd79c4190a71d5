//! The named maxima of the master's core.

use core::time::Duration;

/// Offers in one OFFERS event: about 300 KB, and at most 4 MB more if their agents have many images
/// of long names, so that the first event to a framework of a large cluster stays far below the
/// largest message.
pub const MAX_OFFERS_PER_EVENT: usize = 512;

/// Statuses kept of one task, newest last: there are fewer states than this.
pub const MAX_STATUSES_PER_TASK: usize = 16;

/// What is kept of written answers, in bytes: 40,000 agents and 100,000 tasks in both forms. What
/// is beyond is written each time that somebody asks.
pub const MAX_WRITTEN_BYTES: usize = 256 << 20;

/// Offer ids in one ACCEPT or DECLINE.
pub const MAX_OFFERS_PER_CALL: usize = 100_000;

/// Operations in one ACCEPT.
pub const MAX_OPERATIONS_PER_ACCEPT: usize = 10_000;

/// Tasks of all operations in one ACCEPT.
pub const MAX_TASKS_PER_ACCEPT: usize = 100_000;

/// Asks in one REQUEST.
pub const MAX_ASKS_PER_REQUEST: usize = 1024;

/// How many times the same is asked for in one REQUEST.
pub const MAX_COUNT_PER_ASK: u32 = 1_000_000;

/// Bytes in the name of a gang.
pub const MAX_GANG_NAME_BYTES: usize = 255;

/// Tasks in one explicit reconciliation.
pub const MAX_TASKS_PER_RECONCILIATION: usize = 1_000_000;

/// Operations in one explicit reconciliation.
pub const MAX_OPERATIONS_PER_RECONCILIATION: usize = 1_000_000;

/// Executors in one registration of an agent.
pub const MAX_EXECUTORS_PER_REGISTRATION: usize = 100_000;

/// Operations in one registration of an agent.
pub const MAX_OPERATIONS_PER_REGISTRATION: usize = 100_000;

/// How long after a restart of the master a framework that nobody knows may come back for the
/// operations that agents keep for it (Mesos: FWK-11).
pub const ORPHAN_ADOPTION: Duration = Duration::from_secs(10 * 60);

/// Tasks in one registration of an agent.
pub const MAX_TASKS_PER_REGISTRATION: usize = 100_000;

/// Processors of one agent; the largest machines have some thousands.
pub const MAX_AGENT_CPUS: i64 = 65_536;

/// Graphics processors of one agent.
pub const MAX_AGENT_GPUS: i64 = 4_096;

/// Megabytes of memory of one agent: 256 tebibytes, eight times the largest machines.
pub const MAX_AGENT_MEMORY_MEGABYTES: i64 = 1 << 28;

/// Weights in one UPDATE_WEIGHTS.
pub const MAX_WEIGHTS_PER_CALL: usize = 10_000;

/// Priorities in one UpdatePriorities.
pub const MAX_PRIORITIES_PER_CALL: usize = 10_000;

/// Asks whose waiting is counted, for preemption.
pub const MAX_WAITING_ASKS: usize = 10_000;

/// Asks for which somebody is to give way at a time.
pub const MAX_PLANS: usize = 256;

/// Notices of preemption begun in one review.
pub const MAX_PLANS_PER_REVIEW: usize = 8;

/// Notices of preemption that end in kills in one review.
pub const MAX_STRIKES_PER_REVIEW: usize = 32;

/// Overdue asks for which victims are looked for in one review.
pub const MAX_ASKS_TRIED: usize = 16;

/// Agents looked at for the victims of one ask; the next time from another one on.
pub const MAX_AGENTS_TRIED: usize = 256;

/// Agents with victims that are compared for one ask.
pub const MAX_PROPOSALS_COMPARED: usize = 32;

/// How long after nobody could give way it is tried again.
pub const PREEMPTION_RETRY: Duration = Duration::from_secs(1);

/// How long beyond the notice room is set aside at most: a task may end as slowly as it likes.
pub const HOLD_AFTER_NOTICE: Duration = Duration::from_secs(10 * 60);

/// How long nobody ends for a framework that did not use the room that others were killed for.
/// Doubles each time in a row.
pub const WASTE_BACKOFF: Duration = Duration::from_secs(60);

/// The longest that it becomes.
pub const MAX_WASTE_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// How long room is set aside after the last victim has ended.
pub const HOLD_AFTER_END: Duration = Duration::from_secs(10);

/// Machines in one maintenance schedule.
pub const MAX_MACHINES_PER_SCHEDULE: usize = 100_000;

/// How long a framework that answered an inverse offer is not asked again at least.
pub const MIN_INVERSE_OFFER_PAUSE: Duration = Duration::from_secs(1);

/// Quotas in one UPDATE_QUOTA.
pub const MAX_QUOTAS_PER_CALL: usize = 10_000;

/// Characters of another's text that are repeated in a message.
pub const MAX_QUOTED_CHARS: usize = 1024;

/// The longest failover timeout that is honoured; longer ones are cut to it.
pub const MAX_FAILOVER_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What a master keeps at most of what others make. Part of the configuration so that small
/// masters can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frameworks that are subscribed, disconnected, recovered or being ended at a time.
    pub frameworks: usize,
    /// Agents that are connected or disconnected at a time.
    pub agents: usize,
    /// Tasks of one framework that have not ended, or whose end is not acknowledged.
    pub tasks_per_framework: usize,
    /// Operations of one agent that have not ended, or whose end is not acknowledged.
    pub operations_per_agent: usize,
    /// Ids of removed frameworks kept in the registry, so that the tasks of one are ended even
    /// when they come back after a restart of the master. What is older is adopted when it comes
    /// back, and times out anew.
    pub removed_frameworks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frameworks: 100_000,
            agents: 200_000,
            tasks_per_framework: 1_000_000,
            operations_per_agent: 10_000,
            removed_frameworks: 100_000,
        }
    }
}
