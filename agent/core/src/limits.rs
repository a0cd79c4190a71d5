//! Every number that bounds something here, by name.

use core::time::Duration;

/// Tasks known at once, running or waiting for the acknowledgement of their end. One more is
/// refused.
pub const MAX_TASKS: usize = 20_000;

/// Operations of which the end is not acknowledged. The end of one more is said once, and not
/// again.
pub const MAX_OPERATIONS: usize = 10_000;

/// Executors that have a container at once. One more is refused, with the task that it is for.
pub const MAX_EXECUTORS: usize = 10_000;

/// Updates of one task that wait in line. A task of its own has at most RUNNING, KILLING and an
/// end; executors may say more, and then only the newest of what is beyond this is kept.
pub const MAX_PENDING_UPDATES: usize = 16;

/// What an executor may take from its start to its subscription, by default (Mesos: EXE-04).
pub const EXECUTOR_REGISTRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// What it may take to subscribe again after a restart of the agent, by default: the most that
/// Mesos allows (Mesos: AGT-04).
pub const EXECUTOR_REREGISTRATION_TIMEOUT: Duration = Duration::from_secs(15);

/// What it gets between SHUTDOWN and SIGKILL, by default (Mesos: EXE-04).
pub const EXECUTOR_SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How long it tries to find its agent again, by default (Mesos: AGT-04).
pub const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The longest pause between its attempts to subscribe again.
pub const SUBSCRIPTION_BACKOFF: Duration = Duration::from_secs(2);

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

/// The checks of one task.
pub const MAX_CHECKS: usize = 16;

/// The longest path that an HTTP check may ask for, in bytes.
pub const MAX_CHECK_PATH_BYTES: usize = 2048;

/// The shortest pause between two checks, whatever the task says.
pub const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// The longest time that a check may name. What is longer never comes.
pub const MAX_CHECK_TIME: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The volumes of one container that are images.
pub const MAX_IMAGE_VOLUMES: usize = 16;

/// What one command may want to be fetched.
pub const MAX_URIS: usize = 256;

/// The longest address of what is fetched, in bytes.
pub const MAX_URI_BYTES: usize = 8192;

/// How deep containers may be inside of each other, in the calls of operators.
pub const CONTAINER_DEPTH: usize = 32;

/// Containers that calls have launched and that are known, ended ones among them. One more takes
/// the place of the one that was launched first of those that have ended.
pub const MAX_GUESTS: usize = 512;

/// The networks of one container.
pub const MAX_NETWORKS: usize = 8;

/// Ports of the host that lead to one container.
pub const MAX_PORT_MAPPINGS: usize = 256;
