//! The named maxima and periods of the library.

use std::time::Duration;

/// Callbacks that wait for the scheduler; the session reads no further while they do.
pub const CALLBACKS: usize = 64;
/// Calls that wait for the session; a framework that is faster than that waits.
pub const COMMANDS: usize = 1024;
/// Updates about tasks that were launched while there was no master, waiting for the scheduler.
pub const LOST_UPDATES: usize = 65_536;
/// What an agent says to an executor, waiting for it; one that keeps up less is ended.
pub const EXECUTOR_CALLBACKS: usize = 16_384;
/// References to objects of Java that one callback makes at least room for.
pub const LOCAL_REFERENCES: i32 = 64;
/// The largest file that says where the master is, in bytes.
pub const MASTER_FILE_BYTES: u64 = 4096;

/// The first pause before connecting again; doubles with each failure.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause before connecting again.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// How long a stopped driver waits for the other side to hear of it.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);
