//! Who is offered what: weighted dominant resource fairness over roles and frameworks.
//!
//! Changes of the cluster go in ([`Allocator`]), offers to be made come out
//! ([`Allocator::allocate`]). The crate is pure: it reads no clock, draws no random number and
//! waits for nothing; when to run is its caller's to decide, with [`Allocator::needs_run`] and
//! [`Allocator::next_expiry`].
//!
//! `Mesos: XXX-nn` in a comment names a rule of the inventory of Apache Mesos' behaviour.

mod agents;
mod allocator;
mod candidates;
mod check;
mod constraints;
mod contest;
mod demand;
pub mod explain;
mod gang;
mod holds;
pub mod limits;
mod mix;
mod options;
mod pool;
pub mod preempt;
mod run;
mod slots;
mod table;
mod views;
mod violation;

pub use self::{
    agents::AgentProfile,
    allocator::{Allocator, FrameworkProfile},
    constraints::{Constraints, InvalidConstraint, InvalidConstraints, RegexLimits},
    demand::Ask,
    gang::GangKey,
    holds::{HoldKey, HoldRefused, HoldView},
    options::{Filter, InvalidMinimum, Minimum, Options, Placement, Sorter},
    pool::View,
    run::Allocation,
    views::RoleShare,
    violation::Violation,
};

#[cfg(test)]
mod tests;
