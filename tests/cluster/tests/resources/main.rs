//! Reservations, volumes and revocable resources over the real binaries: real tasks write into
//! real volumes, and what they wrote outlives them and their agent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

mod framework;
mod legacy;
mod revocable;
mod roles;
#[path = "../hostile/session.rs"]
#[allow(dead_code, reason = "another test says more with it")]
mod session;
mod volumes;
