//! Clusters of the real binaries, on the loopback device.

pub(crate) mod command;
mod fleet;
mod framework;
mod http;
pub(crate) mod large;
pub(crate) mod latency;
pub(crate) mod many;
pub(crate) mod roads;
pub(crate) mod scale;
mod state;
pub(crate) mod tasks;
pub(crate) mod watched;
