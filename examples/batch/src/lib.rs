//! The batch framework: jobs of stages with a shuffle between the agents.
//!
//! A job is a YAML file ([`spec`]): what it reads, how the records of each line are made (map), and
//! what is made of the records of each key (reduce). Map tasks read a part of the input each and
//! leave their records in their sandboxes, parted by a [`hash`] of the key; reduce tasks fetch
//! their part from every agent where a map ran. A task that fails is tried again, elsewhere; an
//! output that was lost with its agent is made again. The result is collected from the agents.
//!
//! - [`serve`] runs the framework, [`client::Client`] talks to it;
//! - [`worker`] is what its tasks run, as `"$TEPUI_EXECUTABLE" batch-worker`;
//! - [`core`] decides, without clock, network or disk;
//! - [`check`] counts the [`words`] of the demonstration again, plainly and alone.
//!
//! Input files must be found under the same path on every agent: they are named, not sent.

pub mod check;
pub mod client;
pub mod core;
mod download;
mod error;
pub mod hash;
pub mod ids;
pub mod input;
pub mod limits;
mod options;
pub mod part;
pub mod paths;
pub mod plan;
pub mod record;
mod shell;
pub mod spec;
pub mod words;
pub mod worker;

pub use error::Error;
pub use options::Options;
pub use shell::{Server, serve};

/// The name under which the framework subscribes, and by which its clients find it.
pub const FRAMEWORK_NAME: &str = "tepui-batch";

/// The gRPC API, package `tepui.batch.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod api {
    tonic::include_proto!("tepui.batch.v1");

    /// The serialised description of the API, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
