//! The most that a server takes from its connections and waits for.

use std::time::Duration;

/// Streams and calls at a time on one connection.
pub const STREAMS_PER_CONNECTION: u32 = 1024;

/// Headers of one request, in bytes.
pub const HEADER_BYTES: u32 = 16 << 10;

/// How often a silent connection is asked for a sign of life, and how long the answer may take
/// before the connection is dropped.
pub const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long connections may take to close when the server stops.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait when a connection cannot be accepted, most often for want of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
