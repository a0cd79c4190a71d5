//! Write a framework for Tepui.
//!
//! A framework decides what runs where: the master offers it resources, and it launches tasks on
//! them. Implement [`Framework`] and call [`run`], or take the events yourself with [`connect`].
//! The session behind both subscribes, keeps the framework's id, connects again when the connection
//! breaks, acknowledges updates after they were handled, drops repeated ones, and reconciles.
//!
//! [`TaskBuilder`] describes tasks, [`OfferMatcher`] finds room for them, [`Operator`] and [`Node`]
//! ask the master and the agents. With the feature `state` a framework keeps its own records in the
//! store that the master uses; with `server` it serves an API of its own as the master does; with
//! `testkit` it is tested against a master in memory. [`wire`] is for drivers of other languages,
//! which keep to the rules of theirs.

mod asks;
mod backoff;
mod calls;
mod constraint;
mod driver;
mod error;
mod event;
mod events;
mod executor;
mod framework;
pub mod limits;
mod masters;
mod matcher;
mod node;
mod operations;
mod operator;
mod options;
mod session;
mod task;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(test)]
mod tests;
pub mod wire;

pub use asks::Asks;
pub use async_trait::async_trait;
pub use constraint::{Constraint, NoConstraint};
pub use driver::Driver;
pub use error::Error;
pub use event::{Event, Failure, InverseOffer, Message, OperationUpdate, Subscription};
pub use events::{Events, connect};
pub use executor::{Executor, ExecutorDriver, ExecutorPlace, execute};
pub use framework::{Framework, Outcome, run};
pub use masters::{Masters, dial};
pub use matcher::{Launch, Matches, OfferMatcher};
pub use node::{Exec, ExecEvent, ExecInput, ExecOutput, ExecRequest, Node, Reading, SandboxFile};
pub use operations::{KnownOperation, Operations, custom_executor, default_executor};
pub use operator::Operator;
pub use options::{KnownTask, Options, Profile};
pub use task::{Misfit, Placed, Task, TaskBuilder, TaskInvalid, Uri};
/// What a framework with an API of its own serves it with.
#[cfg(feature = "server")]
pub use tepui_edge as edge;
pub use tepui_model as model;
pub use tepui_proto::{services, v1};
/// The store for a framework's own records.
#[cfg(feature = "state")]
pub use tepui_store as state;
