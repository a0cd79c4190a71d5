//! A whole cluster in one thread: the real cores of the master and of the agents, frameworks that
//! want work done, a network that breaks and processes that die, all from one seed.
//!
//! Virtual time, no clock: one seed is one run, and a run that fails is repeated by its seed.

mod agent;
mod checks;
mod dice;
mod faults;
mod framework;
mod master;
mod network;
mod trace;
mod world;

pub use faults::Faults;
pub use world::{Outcome, run};
