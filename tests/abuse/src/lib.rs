//! Hostile clients for real masters and agents, and a judge of how those stood it.
//!
//! The cases are those of `docs/reliability.md`, by their numbers. Whoever sends something odd gets
//! a code and a text; the process lives, serves others, and does not grow.

#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

pub mod framework;
pub mod http1;
pub mod http2;
mod victim;

pub use victim::{Role, Victim};
