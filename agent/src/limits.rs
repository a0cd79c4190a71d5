//! The most that the agent's server takes and waits for.

use std::time::Duration;

/// Largest message that is decoded, in bytes.
pub const MESSAGE_BYTES: usize = 16 << 20;

/// Open connections; more are closed as soon as they arrive.
pub const CONNECTIONS: usize = 4096;

/// Events that wait for the core. When there are as many, those who send them wait.
pub const INBOX: usize = 4096;

/// Events that the core takes before it hands over what follows from them.
pub const BATCH_EVENTS: usize = 256;

/// Batches that wait for the disk. When there are as many, the core waits.
pub const BATCHES_IN_LINE: usize = 32;

/// Changes that are in no hurry are written at last when there are so many.
pub const CHANGES_HELD: usize = 1024;

/// ... or after this long.
pub const CHANGES_HELD_FOR: Duration = Duration::from_secs(1);

/// Messages that wait for the master. One more and the link is ended, to be opened anew. Every task
/// may have an update to send when the agent has registered.
pub const OUTBOX_MESSAGES: usize = tepui_agent_core::limits::MAX_TASKS + 1024;

/// Containers being launched at once.
pub const LAUNCHES_AT_ONCE: usize = 32;

/// How often a framework hears how far a fetch is, at most.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How often the master hears which images there are, at most.
pub const IMAGES_TOLD_EVERY: Duration = Duration::from_secs(1);

/// How often it is tried to remove what is left of a container, and the pause in between.
pub const REMOVE_ATTEMPTS: u32 = 20;
/// The pause between two attempts to remove what is left of a container.
pub const REMOVE_PAUSE: Duration = Duration::from_secs(3);
/// How long an agent that stops waits until what is left of ended containers is removed.
pub const REMOVALS_AT_END: Duration = Duration::from_secs(5);

/// The masters that can be named.
pub const MASTERS: usize = 16;

/// How long a connection to a master may take.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to reach a master (Mesos: AGT-01).
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How often a silent connection is asked for a sign of life.
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// How long the answer to a keepalive may take before the connection is dropped.
pub const KEEPALIVE_ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The longest key for the tokens of executors, in bytes.
pub const TOKEN_KEY_BYTES: usize = 64 << 10;

/// How often an executor hears that the agent lives (Mesos: 30 min).
pub const EXECUTOR_HEARTBEAT: Duration = Duration::from_secs(30 * 60);

/// How long a stream of an executor may stay silent before its first call.
pub const FIRST_CALL_WITHIN: Duration = Duration::from_secs(60);

/// The largest update of a task that an executor may send, in bytes.
pub const UPDATE_BYTES: usize = 256 << 10;

/// Files of sandboxes being read at once.
pub const READERS: usize = 4096;

/// Bytes of one chunk of a sandbox file.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait for one reader; then the reading waits.
pub const CHUNKS_IN_LINE: usize = 4;

/// How often a file that is followed is looked at.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(10);

/// How long a client of a session may take to say what is to run.
pub const SESSION_START_WITHIN: Duration = Duration::from_secs(10);

/// Pieces of a program's output that wait for the client; then the program waits.
pub const SESSION_PIECES_IN_LINE: usize = 8;

/// Pieces of input that wait for a program; then its client waits.
pub const SESSION_INPUTS_IN_LINE: usize = 8;

/// How long the output of a program may lag behind its end. Somebody else may still hold it open.
pub const SESSION_OUTPUT_WITHIN: Duration = Duration::from_secs(5);

/// Sessions that calls have opened and that are known, ended ones among them. One more takes the
/// place of the one that ended first.
pub const INSIDE_CONTAINERS: usize = 512;

/// Clients that read what one program writes.
pub const CONSOLE_READERS: usize = 32;

/// How long a program waits for a client that attached to it and does not read; then the client is
/// cut off.
pub const CONSOLE_PATIENCE: Duration = Duration::from_secs(5);

/// How often who reads a program's output hears that the agent lives (Mesos: 30 s).
pub const CONSOLE_HEARTBEAT: Duration = Duration::from_secs(30);

/// The largest record of input that is taken, in bytes.
pub const INPUT_RECORD_BYTES: usize = 4 << 20;

/// How long the first record of input may take to come.
pub const FIRST_RECORD_WITHIN: Duration = Duration::from_secs(30);

/// The most bytes of one READ_FILE (Mesos: SBX-03).
pub const READ_FILE_BYTES: u64 = 64 << 10;

/// The most entries of one LIST_FILES.
pub const LIST_FILES_ENTRIES: usize = 10_000;

/// How exactly the end of a task is known to the collection of its sandbox after a restart.
pub const COLLECT_PRECISION: Duration = Duration::from_secs(600);

/// Checks of tasks that are carried out at once; the others wait for their turn.
pub const PROBES_AT_ONCE: usize = 256;

/// The most of an answer that an HTTP check reads, in bytes.
pub const CHECK_ANSWER_BYTES: u64 = 64 << 10;

/// The redirects that an HTTP check follows.
pub const CHECK_REDIRECTS: usize = 5;

/// The longest secret that is looked up for a task, in bytes.
pub const MAX_SECRET_BYTES: u64 = 1024 * 1024;
