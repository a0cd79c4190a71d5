//! Clusters of the real binaries, on the loopback device.

pub(crate) mod command;
mod framework;
pub(crate) mod latency;
pub(crate) mod many;
pub(crate) mod tasks;
