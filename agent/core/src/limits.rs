//! Every number that bounds something here, by name.

use core::time::Duration;

/// Tasks known at once, running or waiting for the acknowledgement of their end. One more is
/// refused.
pub const MAX_TASKS: usize = 20_000;

/// Operations of which the end is not acknowledged. The end of one more is said once, and not
/// again.
pub const MAX_OPERATIONS: usize = 10_000;

/// Updates of one task that wait in line. A life has at most RUNNING, KILLING and an end.
pub const MAX_PENDING_UPDATES: usize = 4;

/// Ended and acknowledged tasks that are remembered for operators, by default.
pub const COMPLETED_TASKS: usize = 1000;

/// The first wait before an update is sent again (Mesos: TSK-09).
pub const RETRY_MIN: Duration = Duration::from_secs(10);

/// The longest wait before an update is sent again (Mesos: TSK-09).
pub const RETRY_MAX: Duration = Duration::from_secs(600);

/// What a task gets between SIGTERM and SIGKILL when nobody says otherwise (Mesos: KIL-01).
pub const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(3);

/// How long after a SIGKILL that ended nothing the next one is sent.
pub const KILL_AGAIN: Duration = Duration::from_secs(5);

/// How long a master has to answer a registration.
pub const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an agent that leaves for good waits for its last container to end, before it kills.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it then waits for the ends of its tasks to be acknowledged. A framework that is away
/// does not hold it up: the master reports the tasks as lost with the agent.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes in one environment of a task, names and values.
pub const MAX_ENVIRONMENT_BYTES: usize = 1024 * 1024;

/// Ports given to a task as `PORT0`, `PORT1`... A task may hold more, and gets no variable for
/// those.
pub const MAX_PORT_VARIABLES: usize = 100;

/// Bytes of a message inside a status update; the rest is cut.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The networks of one container.
pub const MAX_NETWORKS: usize = 8;

/// Ports of the host that lead to one container.
pub const MAX_PORT_MAPPINGS: usize = 256;
