//! The most that the master's server takes and waits for.

use std::time::Duration;

pub use tepui_edge::limits::{BODY_BYTES, BODY_WITHIN, GZIP_FROM, OUTBOX_BYTES, OUTBOX_MESSAGES};

/// Largest message that is decoded, in bytes. A larger one ends its stream with `OUT_OF_RANGE`.
pub const MESSAGE_BYTES: usize = 16 << 20;

/// Open connections; more are closed as soon as they arrive.
pub const CONNECTIONS: usize = 20_000;

/// Events that wait for the core. When there are as many, those who send them wait.
pub const INBOX: usize = 4096;

/// Events that the core takes before it hands over what follows from them.
pub const BATCH_EVENTS: usize = 1024;

/// Batches that wait for the disk. When there are as many, the core waits.
pub const BATCHES_IN_LINE: usize = 32;

/// Streams of operators that watch offers or events; one more, and the oldest ends (Mesos: 1000).
pub const WATCHERS: usize = 1000;

/// The longest `Mesos-Stream-Id` of a call that is looked at, in bytes (Mesos: 128).
pub const STREAM_ID_BYTES: usize = 128;

/// How long a stream may stay silent before its first message. All agents of a cluster open one at
/// once when their master restarts, and on a busy machine it is the master that is slow to hear
/// them: whoever is turned away begins anew, and makes it slower still.
pub const FIRST_MESSAGE_WITHIN: Duration = Duration::from_secs(60);

/// How often a running master checks that its tables agree.
pub const CHECK_EVERY: Duration = Duration::from_secs(2);

/// At how many agents, frameworks, tasks, offers and operations it looks each time: some
/// milliseconds. All of 10,000 agents with 100,000 tasks have had their turn after ten minutes.
pub const CHECK_THINGS: usize = 1000;

/// How often a framework and a watcher of events hear that the master lives (Mesos: 15 s).
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a question may take through the core and the disk before the master is taken for stuck.
pub const PROBE_WITHIN: Duration = Duration::from_secs(5);

/// How often the whitelist is read (Mesos: OFF-20).
pub const WHITELIST_EVERY: Duration = Duration::from_secs(5);

/// Bytes of a whitelist: more than enough for the names of 200,000 hosts.
pub const WHITELIST_BYTES: u64 = 64 << 20;

/// The most that operators may let a regular expression keep in memory.
pub const MAX_REGEX_MEMORY: usize = 1 << 20;

/// The most instructions that operators may let a regular expression have.
pub const MAX_REGEX_PROGRAM: usize = 10_000;

/// Answers with much in them that are written at once; others wait for their turn.
pub const LARGE_ANSWERS: usize = 32;

/// How long such an answer may wait for its turn before it is refused with 503.
pub const TURN_WITHIN: Duration = Duration::from_secs(30);

/// Pieces of one answer that are written at once, each by a thread.
pub const PIECES_AT_ONCE: usize = 2;

/// Up to so many bytes an answer is sent whole, with its length.
pub const WHOLE_ANSWER_BYTES: usize = 64 << 10;

/// How long a client may take to take a piece of a large answer before the answer is cut off.
pub const PIECE_WITHIN: Duration = Duration::from_secs(30);
