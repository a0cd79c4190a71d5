//! The batch framework: jobs of stages with a shuffle between the agents.
//!
//! A job maps the parts of an input, sends the records to the tasks of the next stage by a hash of
//! their key, and reduces them there. Everything goes through what any framework author has: offers,
//! tasks, sandboxes.
//!
//! - [`spec`], [`input`], [`plan`]: what a user writes, what is read, what each task is told;
//! - [`worker`]: what a task does;
//! - [`check`]: the same words counted plainly, to compare with.

pub mod check;
pub mod core;
mod download;
pub mod hash;
pub mod ids;
pub mod input;
pub mod limits;
pub mod part;
pub mod paths;
pub mod plan;
pub mod record;
pub mod spec;
pub mod words;
pub mod worker;
