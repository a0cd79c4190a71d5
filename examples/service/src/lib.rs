//! The container service framework: keeps as many instances of a command running as are wanted.
//!
//! An app is a YAML file ([`from_yaml`]): a command, how many instances, what each needs, how to
//! see whether it is well. The framework places instances on offers, replaces those that fail,
//! after growing pauses, replaces those of an older version by newer ones, and survives its own
//! restart: its store knows every instance that it ever meant to launch, and the master says which
//! of them still run.
//!
//! [`serve`] runs the framework, [`client::Client`] talks to it, [`demo_web`] is an app to try it
//! with. It uses nothing but the SDK: whatever it does, any framework can.

pub mod client;
mod core;
pub mod demo_web;
mod error;
pub mod limits;
mod options;
mod requests;
mod serve;
mod service;
mod spec;
mod store;

pub use self::core::Corrupt;
pub use error::Error;
pub use options::Options;
pub use serve::{Server, serve};
pub use spec::{App, AppName, Backoff, Command, HealthCheck, Invalid, Upgrade, from_yaml};

/// The name under which the framework subscribes, and by which its clients find it.
pub const FRAMEWORK_NAME: &str = "tepui-service";

/// The gRPC API, package `tepui.service.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod api {
    tonic::include_proto!("tepui.service.v1");

    /// The serialised description of the API, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
