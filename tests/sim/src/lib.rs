//! A whole cluster in one thread: the real cores of the master and of the agents, frameworks that
//! want work done, a network that breaks and processes that die, all from one seed.
//!
//! Virtual time, no clock: one seed is one run, and a run that fails is repeated by its seed.
//!
//! A run has three parts. While faults go on, frameworks try to get their work done. Then the
//! faults stop, and all work must be done, and everyone must agree on what runs. At last the
//! frameworks end what runs, and nothing may be left anywhere.
//!
//! Beside that, [`scenario`] runs the master alone, over a cluster and a workload that a file
//! describes: not to find faults but to show who gets what, when, and at what cost.

mod agent;
mod batch;
mod behaviour;
mod checks;
mod dice;
mod faults;
mod framework;
mod master;
mod network;
mod plan;
pub mod report;
mod rest;
pub mod scenario;
mod scene;
mod trace;
mod world;

pub use faults::Weather;
pub use world::{Figures, Outcome, run};
