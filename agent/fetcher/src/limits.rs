//! The most that the fetcher takes and waits for.

/// What the cache may hold by default, in bytes (Mesos: 2 GB).
pub const DEFAULT_CACHE_BYTES: u64 = 2 << 30;

/// The largest file by default, as it is fetched and again as it is unpacked, in bytes.
pub const DEFAULT_SIZE_LIMIT: u64 = 16 << 30;

/// Containers that are fetched for at once; others wait for their turn.
pub const JOBS_AT_ONCE: usize = 256;

/// The bytes that are copied at a time.
pub const BUFFER_BYTES: usize = 128 << 10;

/// What must stay free on the disk, in bytes.
pub const MIN_FREE_BYTES: u64 = 256 << 20;

/// How much is written between two looks at the free space, in bytes.
pub const FREE_CHECK_BYTES: u64 = 32 << 20;
