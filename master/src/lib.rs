//! The master as a server: gRPC and Mesos' v1 HTTP for frameworks and operators, gRPC for agents,
//! and the shell of the core.
//!
//! One task owns the core and turns what comes in into effects, in batches. A thread of its own
//! makes the changes among them durable, many with one flush, and only then lets out what depends
//! on them. Nothing that leaves the master is ever waited for: who reads too slowly is cut off.
//!
//! [`Options`] says what can be set, [`run`] runs a master until it is told to stop, and [`Server`]
//! is for those who need its address.

#![forbid(unsafe_code)]

mod committer;
mod desk;
mod dispatch;
mod driver;
mod error;
mod front;
mod http;
pub mod limits;
mod options;
mod registry;
mod server;
mod services;
mod sessions;
#[cfg(test)]
mod tests;
mod whitelist;

pub use error::Error;
pub use options::{ByteSize, Options, PlacementKind, Roles, SorterKind, StoreKind, Weights};
pub use server::{Server, run};
