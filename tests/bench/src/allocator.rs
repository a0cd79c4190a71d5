//! The allocator by itself, under the workloads of Mesos' own benchmarks and more.

pub(crate) mod addagents;
pub(crate) mod declineoffers;
pub(crate) mod incremental;
pub(crate) mod multiframework;
pub(crate) mod quota;
pub(crate) mod reservations;
pub(crate) mod revive;
pub(crate) mod suppressed;
mod workload;
