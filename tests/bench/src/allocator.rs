//! The allocator by itself, under the workloads of Mesos' own benchmarks and more.

pub(crate) mod declineoffers;
