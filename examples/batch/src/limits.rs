//! Every maximum of this crate, by name.

use std::time::Duration;

/// The longest job file, in bytes.
pub const JOB_FILE_BYTES: usize = 1 << 20;
/// The longest name of a job: with the numbers after it, it must fit into a task id.
pub const NAME_BYTES: usize = 100;
/// The most stages of a job.
pub const STAGES: usize = 16;
/// The most partitions of a stage: a task writes one file for each partition of the next stage, all
/// open at once, and a process may commonly open 1024.
pub const PARTITIONS: u32 = 512;
/// The most files that a job may read.
pub const INPUT_FILES: usize = 100_000;
/// The most entries and lines of `input`, as written in the job file.
pub const INPUT_ENTRIES: usize = 10_000;
/// The longest plan of a task, in bytes: it travels in one environment variable, and Linux refuses
/// one of 128 KiB.
pub const PLAN_BYTES: usize = 120 * 1024;
/// The most variables in `env`.
pub const ENVIRONMENT: usize = 100;
/// The most `retries` that a job may ask for.
pub const RETRIES: u32 = 100;
/// How often a task may be lost with its agent, dropped on its way there or sent to fetch from
/// agents that are gone, before the job is given up.
pub const LOSSES: u32 = 50;
/// The jobs that may be unfinished at once.
pub const JOBS_UNFINISHED: usize = 200;
/// The finished jobs that are remembered, with their results; the oldest goes first.
pub const JOBS_FINISHED: usize = 200;
/// The tasks launched in one answer to offers.
pub const LAUNCHES: usize = 1000;
/// The bytes of plans in one answer to offers, after which no other is added: the master takes
/// messages of a few megabytes.
pub const LAUNCH_BYTES: usize = 4 << 20;
/// The pause before a task that failed is tried again; it doubles with each failure.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before a task is tried again.
pub const RETRY_PAUSE_MOST: Duration = Duration::from_secs(30);
/// The longest text about a failure that is kept.
pub const MESSAGE_BYTES: usize = 2000;

/// A word counts by its first so many bytes.
pub const WORD_BYTES: usize = 255;
/// The longest record between two stages.
pub const RECORD_BYTES: usize = 1 << 20;
/// The memory of the combiner of a map task; beyond it, partial sums are written out.
pub const COMBINE_BYTES: usize = 16 << 20;
/// The memory of the sort of a reduce task; beyond it, sorted runs go to disk.
pub const SORT_BYTES: usize = 16 << 20;
/// The sorted runs that are merged at once.
pub const MERGE_RUNS: usize = 64;
/// The buffer of one read or write of a file.
pub const BUFFER_BYTES: usize = 64 << 10;
/// The partitions that a reduce task fetches at once.
pub const FETCHES: usize = 4;
/// How often a fetch is tried before the output counts as lost.
pub const FETCH_TRIES: u32 = 4;
/// The pause after the first failed try of a fetch; it doubles with each.
pub const FETCH_PAUSE: Duration = Duration::from_millis(200);
/// A fetch that brings nothing for so long has failed.
pub const FETCH_SILENCE: Duration = Duration::from_secs(15);
/// The longest report that a failed task leaves in its sandbox.
pub const REPORT_BYTES: usize = 64 << 10;

/// How long reading that report may take.
pub const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Results that are collected at once.
pub const COLLECTS: usize = 8;
/// Messages that may wait for the framework's one task.
pub const INBOX: usize = 1024;
/// Changes of jobs that a slow watcher may fall behind before it is shown the present instead.
pub const WATCH_BACKLOG: usize = 64;
/// Streams that watch jobs.
pub const WATCHERS: usize = 1_000;
/// The largest message to or from the API, in bytes.
pub const API_MESSAGE_BYTES: usize = 16 << 20;
/// How long tasks outlive the framework's process: a week, as Marathon has it.
pub const FAILOVER_TIMEOUT: Duration = Duration::from_secs(604_800);
/// One message of a stream of results or logs.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Differences that a check names.
pub const DIFFERENCES: usize = 10;
/// Connections to its API at once; more are closed as they arrive.
pub const CONNECTIONS: usize = 1024;
