//! The named maxima of the master's core.

use core::time::Duration;

/// Offers in one OFFERS event: about 300 KB, so that the first event to a framework of a large
/// cluster stays far below the largest message.
pub const MAX_OFFERS_PER_EVENT: usize = 512;

/// Statuses kept of one task, newest last: there are fewer states than this.
pub const MAX_STATUSES_PER_TASK: usize = 16;

/// Tasks of one framework that have not ended.
pub const MAX_TASKS_PER_FRAMEWORK: usize = 1_000_000;

/// Offer ids in one ACCEPT or DECLINE.
pub const MAX_OFFERS_PER_CALL: usize = 100_000;

/// Operations in one ACCEPT.
pub const MAX_OPERATIONS_PER_ACCEPT: usize = 10_000;

/// Tasks of all operations in one ACCEPT.
pub const MAX_TASKS_PER_ACCEPT: usize = 100_000;

/// Tasks in one explicit reconciliation.
pub const MAX_TASKS_PER_RECONCILIATION: usize = 1_000_000;

/// Tasks in one registration of an agent.
pub const MAX_TASKS_PER_REGISTRATION: usize = 100_000;

/// Frameworks that are subscribed, disconnected or recovered at a time.
pub const MAX_FRAMEWORKS: usize = 100_000;

/// Agents that are registered, disconnected or recovered at a time.
pub const MAX_AGENTS: usize = 200_000;

/// Ids of removed frameworks kept in the registry, so that the tasks of one are ended even when
/// they come back after a restart of the master. Older ones are adopted and time out anew.
pub const MAX_REMOVED_FRAMEWORKS: usize = 100_000;

/// Weights in one UPDATE_WEIGHTS.
pub const MAX_WEIGHTS_PER_CALL: usize = 10_000;

/// Characters of another's text that are repeated in a message.
pub const MAX_QUOTED_CHARS: usize = 1024;

/// The longest failover timeout that is honoured; longer ones are cut to it.
pub const MAX_FAILOVER_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
