//! The named maxima and defaults of the service framework.

use std::time::Duration;

/// Apps at once.
pub const MAX_APPS: usize = 10_000;
/// Instances of one app.
pub const MAX_REPLICAS: u32 = 10_000;
/// Ports of one instance.
pub const MAX_PORTS: usize = 64;
/// Bytes of the name of an app or a port: a label of the domain name system.
pub const MAX_NAME_BYTES: usize = 63;
/// The largest API message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// API requests that wait for the framework; more have to wait for room.
pub const WAITING_REQUESTS: usize = 256;
/// Streams that watch apps.
pub const WATCHERS: usize = 1_000;

/// From one health check to the next, unless set.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest interval that may be set.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// From one check to the next while an instance starts, so that it is found ready soon.
pub const STARTING_INTERVAL: Duration = Duration::from_millis(250);
/// How long a health check may take, unless set.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long failing is excused after the start, unless set.
pub const HEALTH_GRACE: Duration = Duration::from_secs(60);
/// Failures in a row that end an instance, unless set.
pub const HEALTH_FAILURES: u32 = 3;
/// Between TERM and KILL, unless set. Mesos' default (KIL-01).
pub const KILL_GRACE: Duration = Duration::from_secs(3);

/// How long offers are declined for while nothing is wanted, or nothing of them fits; reviving
/// ends it. Marathon's.
pub const DECLINE: Duration = Duration::from_secs(120);
/// How long tasks outlive the framework's process. Marathon's: a week.
pub const FAILOVER_TIMEOUT: Duration = Duration::from_secs(604_800);
/// Connections to its API at once; more are closed as they arrive.
pub const CONNECTIONS: usize = 1024;
