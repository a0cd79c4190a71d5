//! A described cluster and workload in virtual time, over the real master.
//!
//! The master's core and its allocator are the product's own. Agents and frameworks are as light as
//! they can be, so that 100,000 agents and 1,000,000 tasks fit on one machine: a task is a timer.
//! What is measured is what frameworks get and when, and what each run of the allocator costs.

mod agents;
mod expect;
mod figures;
mod file;
mod frameworks;
mod ideal;
pub mod limits;
mod master;
mod measure;
mod mishaps;
mod operators;
mod outcome;
mod queue;
mod tasks;
mod world;

pub use self::{
    expect::Verdict,
    figures::{
        Cost, EventCost, Figures, Group, OfferFigures, RoleFigures, Sample, Utilisation, Waits,
    },
    file::{InvalidScenario, Scenario},
    world::{Broken, Progress, simulate},
};
