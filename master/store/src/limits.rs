//! The most that the store takes, so that one bad record cannot fill a disk or a memory.

/// Longest name of a key, in bytes: a few ids of 255 bytes with separators.
pub const KEY_BYTES: usize = 2048;

/// Largest value of one record, in bytes: the largest message that a server takes, and some air.
pub const VALUE_BYTES: usize = 32 << 20;

/// Largest batch, keys and values together, in bytes.
pub const BATCH_BYTES: usize = 256 << 20;
