//! Hostile protocol: the cases P of `docs/reliability.md`, by number. Each has a master and an
//! agent of its own, and ends with the question whether those stood it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod connections;
mod floods;
mod heads;
mod messages;
