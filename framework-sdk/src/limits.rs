//! The named maxima and periods of the SDK.

use std::time::Duration;

/// The largest message taken from a master or an agent, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Commands that wait for the session; a framework that is faster than that waits.
pub const COMMANDS: usize = 1024;
/// Calls that wait for the connection to take them.
pub const OUTGOING_CALLS: usize = 64;
/// Events that wait for the framework; the session reads no further while they do.
pub const WAITING_EVENTS: usize = 64;
/// Updates remembered so that a repeated one is acknowledged and not delivered again.
pub const REMEMBERED_UPDATES: usize = 16_384;
/// Tasks asked for in one RECONCILE call.
pub const TASKS_PER_RECONCILE: usize = 1_000;

/// Messages to a program in a task's container that wait for the connection to take them.
pub const EXEC_MESSAGES: usize = 16;
/// The most bytes of input in one message to such a program.
pub const EXEC_PIECE_BYTES: usize = 32 * 1024;

/// How long one attempt to reach a master may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a master may take to answer SUBSCRIBE, or to take a call.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The heartbeat period of a master that names none.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Heartbeats that may be missed before the stream is taken for dead.
pub const MISSED_HEARTBEATS: u32 = 5;
/// How often HTTP/2 asks the other side whether it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long the answer to that may take.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The first pause before connecting again; doubles with each failure.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause before connecting again.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// The first pause before asking again about tasks that nobody answered for; doubles each time.
pub const FIRST_RECONCILE_RETRY: Duration = Duration::from_secs(15);
/// The period of reconciliation while all is well. Marathon's, too.
pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(600);
