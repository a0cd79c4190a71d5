//! One node of the cluster as a state machine: tasks, their containers and their status updates.
//!
//! [`Agent::apply`] takes an [`Event`] and the time, and leaves [`Effect`]s: records to write,
//! messages to send, containers to start and to kill. It reads no clock, no file and no socket. The
//! shell, or a simulator, carries the effects out, by one rule: **every urgent record of a batch of
//! effects is durable before anything else of that batch is done**. So a task is on disk before its
//! container starts, and a status update before it leaves.
//!
//! What the agent promises:
//! - A task is started at most once, whatever is repeated and whenever the agent dies.
//! - Updates of a task leave in order, one at a time, again and again until acknowledged; the last
//!   one is terminal (Mesos: TSK-09).
//! - A kill ends in SIGKILL of the whole container after its grace period (Mesos: KIL-01).
//! - An agent made from the records of a dead one goes on where that one stopped.

#![forbid(unsafe_code)]

mod agent;
mod check;
mod checks;
mod command;
mod config;
mod effect;
mod event;
mod executor;
mod figures;
mod guest;
mod history;
pub mod limits;
mod names;
mod networks;
mod operation;
mod outcome;
mod plan;
mod reconfiguration;
mod record;
mod report;
mod retry;
mod task;
mod timers;
mod updates;
mod views;
mod volumes;

pub use agent::{ALONE, Agent, RecoveryError, StillRunning, UnknownExecutor};
pub use check::Violation;
pub use checks::{Finding, Probe, ProbeOrder, Target};
pub use command::{InvalidCommand, MasterCommand};
pub use config::Config;
pub use effect::{Effect, Effects, Note};
pub use event::{
    ContainerEvent, Event, Exit, ExitStatus, JoinedNetwork, Limitation, Limited, LinkId,
};
pub use executor::{EndCause, ExecutorCall, ExecutorKey, StreamId};
pub use figures::Figures;
pub use guest::{
    ContainerName, Guest, GuestEnd, GuestOrder, GuestRefusal, Named, check_container_id,
};
pub use operation::{InvalidOperationUuid, OperationUuid};
pub use plan::{
    Calls, Communication, ContainerPlan, ImageConfig, ImagePlan, ImageVolume, Limits,
    NetworkAttachment, NetworkPlan, Parent, PortMapping, Program, Protocol, ResourceLimit, Rights,
    Secret, SecretFile, SecretReference, SecretSource, Shown, UriPlan, UriSource,
};
pub use reconfiguration::{Reconfiguration, UnknownReconfiguration};
pub use record::{Change, FoundContainer, Kind, Recovered};
pub use report::{
    AgentReport, KnownExecutor, KnownOperation, KnownTask, Registration, capabilities,
};
pub use task::{KillCause, Phase, TaskKey};
pub use volumes::{VolumeMount, VolumeOrigin, VolumePlace};
