//! Reads the project's sources for the tests that hold its style and structure.

mod functions;
mod sources;

pub use functions::{Function, functions};
pub use sources::{Source, root, sources};
