//! The cluster as a pure, synchronous state machine: agents, frameworks, offers, tasks, timers.
//!
//! [`Master::apply`] takes what happened and says what is to be done, in order. It reads no clock
//! and no random source, does no input or output, and two runs over the same events give the same
//! effects. A server, a simulator and the SDK's test kit drive it alike.
//!
//! The rules are Apache Mesos'; comments name them by area and number (`Mesos: OFF-07`).

#![forbid(unsafe_code)]

mod agents;
pub mod calls;
mod config;
mod effects;
mod events;
mod executors;
mod frameworks;
#[cfg(test)]
mod histories;
mod ids;
mod invariants;
pub mod limits;
mod maintenance;
mod master;
mod notices;
mod offers;
mod operations;
mod operator;
mod preemption;
mod quota;
mod reconcile;
pub mod record;
mod slab;
mod tasks;
#[cfg(test)]
mod testing;
mod timers;
mod views;
pub mod wire;

pub use self::{
    agents::{AgentState, AgentStep, Deactivation, Drain, DrainState, IllegalAgentStep},
    calls::{Action, ExecutorWish, SchedulerCall},
    config::Config,
    effects::{AgentCommand, Effect, Effects, Ending, FrameworkEvent},
    events::{
        ConnectionId, Event, KnownExecutor, KnownOperation, KnownTask, Registration, RequestId,
    },
    frameworks::{FrameworkState, FrameworkStep, IllegalFrameworkStep},
    invariants::{Sampling, Violation},
    maintenance::{Answer, InverseOffer, Schedule, Window},
    master::{InvalidConfig, Master},
    notices::{Notice, OfferEnd},
    operations::{
        IllegalOperationStep, InvalidOperationStatus, OperationState, OperationStatus,
        OperationStep, OperationUuid,
    },
    operator::{OperatorCall, OperatorError, OperatorReply},
    preemption::Preemption,
    record::{Change, Record, RecordKind, Recovered},
    views::{Amounts, Figures, Form, FrameworkFigures, List, Part, QuotaFigures, Snapshot},
};
