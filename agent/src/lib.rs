//! The agent as a server: the link to the master, containers, checkpoints, sandboxes.
//!
//! One task owns the core and turns what happens into effects, in batches. A thread of its own
//! makes the changes among them durable, many with one flush, and only then lets out what depends
//! on them: messages to the master, containers to start and to kill. A master that is away is
//! waited for, with growing pauses; the agent never exits for it.
//!
//! [`Options`] says what can be set, [`run`] runs an agent until it is told to stop, and [`Server`]
//! is for those who need its address. Stopping leaves the tasks running: the next agent on the same
//! work dir finds them again.

#![forbid(unsafe_code)]

mod checkpoints;
mod checks;
mod collector;
mod committer;
mod detect;
mod driver;
mod error;
mod executors;
mod inside;
pub mod limits;
mod link;
mod machine;
mod masters;
mod node;
mod options;
mod sandbox;
mod secrets;
mod server;
#[cfg(test)]
mod tests;
mod volumes;
mod work_dir;

pub use error::Error;
pub use masters::{InvalidMasters, Masters};
pub use options::{
    CgroupOptions, CleanupOptions, ContainerOptions, DiskOptions, ExecutorOptions, FetcherOptions,
    GpuOptions, ImageOptions, LogOptions, NetworkOptions, OfferOptions, Options, RightsOptions,
    WallOptions,
};
pub use server::{Server, run};
