//! Guests: containers that calls to the agent have launched (Mesos: NST-01), inside of others or
//! alone. No framework hears of them, and nothing that the agent offers is theirs: what is inside
//! of a container uses what that one has, and what stands alone is the operator's, who has to leave
//! room for it.

mod name;

use std::{collections::BTreeMap, path::PathBuf};

use tepui_model::{ContainerId, Resources};
use tepui_proto::v1;

pub use self::name::{ContainerName, check_container_id};
use crate::{ExecutorKey, Exit, JoinedNetwork, Phase};

/// What is to be launched.
#[derive(Clone, Debug)]
pub struct GuestOrder {
    /// Its name; with a parent, it is inside of that container.
    pub name: ContainerName,
    /// What runs.
    pub command: Option<v1::CommandInfo>,
    /// How.
    pub container: Option<v1::ContainerInfo>,
    /// What it may use. Inside of another, only if it does not share that one's cgroups.
    pub resources: Vec<v1::Resource>,
    /// How much more it may use.
    pub limits: BTreeMap<String, f64>,
}

/// A container that a call has launched.
#[derive(Clone, Debug, PartialEq)]
pub struct Guest {
    /// What the machine calls it.
    pub container: ContainerId,
    /// The container that it is inside of, as the machine calls that.
    pub parent: Option<ContainerId>,
    /// Whose container it is in: the executor's, or that of a task, which is its own.
    pub executor: Option<ExecutorKey>,
    /// Whom it was to run as.
    pub user: String,
    /// Where its sandbox is.
    pub sandbox: PathBuf,
    /// What it was given.
    pub resources: Resources,
    /// How far it is.
    pub phase: Phase,
    /// Its init, while it runs.
    pub pid: Option<u32>,
    /// The networks that it is attached to.
    pub networks: Vec<JoinedNetwork>,
    /// How it ended.
    pub end: Option<GuestEnd>,
    /// Whether it is to end.
    pub killed: bool,
    /// Which was launched after which.
    pub number: u64,
}

impl Guest {
    /// Whether it may still run.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase != Phase::Ended
    }
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// It could not be launched, for this reason.
    Failed(String),
    /// It ran.
    Exited(Exit),
}

/// Why no guest was launched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestRefusal {
    /// There is a container of that name.
    #[error("there is a container {0} already")]
    Exists(ContainerName),
    /// As many run as can.
    #[error(
        "{} containers run that calls have launched: end one first",
        crate::limits::MAX_GUESTS
    )]
    Full,
    /// It cannot be as it was asked for.
    #[error("{0}")]
    Invalid(String),
}

/// A container that calls can name: of a task, of an executor, or a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the machine calls it.
    pub container: ContainerId,
    /// Where its sandbox is.
    pub sandbox: PathBuf,
    /// Whom it runs as.
    pub user: String,
    /// Whose it is; nobody's if it is a guest that stands alone.
    pub executor: Option<ExecutorKey>,
    /// Whether it runs.
    pub runs: bool,
}
