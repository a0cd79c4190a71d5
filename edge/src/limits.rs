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

/// How soon after it came a connection must have said so many bytes, which is less than any
/// request: HTTP/2 begins with 24 bytes of its own and 9 of its first frame.
pub const FIRST_BYTES_WITHIN: Duration = Duration::from_secs(10);

/// See [`FIRST_BYTES_WITHIN`].
pub const FIRST_BYTES: usize = 33;

/// How long a connection may stand on which nothing can be written because nothing is read.
pub const WRITE_WITHIN: Duration = Duration::from_secs(60);

/// Descriptors that no connection gets: those of the store, of watched files, of tasks.
pub const DESCRIPTORS_KEPT: usize = 1024;

/// A body that is larger counts as large.
pub const LARGE_BODY_BYTES: usize = 64 << 10;

/// Large bodies that are read at once; others wait for their turn. Small ones do not.
pub const LARGE_BODIES: usize = 16;

/// A message of gRPC that is larger takes turns with others: as large bodies do if it is as large.
pub const SMALL_MESSAGE_BYTES: usize = 4 << 10;

/// Messages of gRPC between the two sizes that may have begun and not ended: 64 MiB of them.
pub const MIDDLING_MESSAGES: usize = 1024;

/// Bytes of the text with which a request is refused.
pub const REFUSAL_BYTES: usize = 4000;

/// Values that are kept of what is measured again and again, for percentiles.
pub const HISTORY: usize = 1000;
