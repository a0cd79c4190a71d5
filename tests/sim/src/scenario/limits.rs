//! The named maxima of a scenario.

use core::time::Duration;

/// Agents of all classes.
pub const MAX_AGENTS: u32 = 200_000;

/// Frameworks of all groups.
pub const MAX_FRAMEWORKS: u32 = 100_000;

/// Tasks of one job or service.
pub const MAX_TASKS: u32 = 10_000_000;

/// Tasks of one gang: the most that the master takes.
pub const MAX_GANG: u32 = 512;

/// Tasks that are launched in one run, those that are launched anew included.
pub const MAX_LAUNCHES: usize = 100_000_000;

/// The longest run, in its own time.
pub const MAX_DURATION: Duration = Duration::from_secs(31 * 24 * 3600);

/// Samples of one run, unless the scenario says how often.
pub const SAMPLES: u32 = 240;

/// The most samples of one run.
pub const MAX_SAMPLES: u32 = 10_000;

/// The largest factor by which a scenario is made larger.
pub const MAX_SCALE: f64 = 100.0;

/// Lines of their own that a plot has at most; the others are one band.
pub const MAX_LINES: usize = 6;
