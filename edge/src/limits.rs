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

/// Messages that wait for one reader. One more, and the reader is cut off.
pub const OUTBOX_MESSAGES: usize = 16_384;

/// Bytes that wait for one reader; a single message may be larger when nothing else waits.
pub const OUTBOX_BYTES: usize = 32 << 20;

/// Largest body of an HTTP request, in bytes, as it comes and after it is unpacked. A larger one is
/// answered with 413.
pub const BODY_BYTES: usize = 16 << 20;

/// How long the body of a request may take to come.
pub const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The smallest answer that is packed for who takes gzip, in bytes (Mesos: 1024).
pub const GZIP_FROM: usize = 1024;
