//! What an agent keeps on disk: its identity, its frameworks, two records for each task, and what
//! was done to its resources.
//!
//! A task's description is written once, before its container starts. Its progress (the newest
//! state, the updates that wait, the kill order) is small and written at each step.

use core::time::Duration;
use std::fmt;

use prost::Message;
use tepui_model::{
    AgentId, AgentInfo, ContainerId, FrameworkId, FrameworkInfo, TaskInfo, TaskStatus, Time,
};
use tepui_proto::v1;

use crate::{
    JoinedNetwork, TaskKey,
    task::{KillCause, KillOrder, Phase, Task},
};

/// What a record is about. The shell keeps each kind apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The agent itself. There is one, with the key `self`.
    Agent,
    /// A framework that has tasks here. The key is its id.
    Framework,
    /// An executor that has a container. The key is `<framework>/<executor>`.
    Executor,
    /// A task, as it was asked for. The key is `<framework>/<task>`.
    Task,
    /// How far a task has come. The key is the same.
    Progress,
    /// What was reserved and made into volumes. There is one, with the key `self`.
    Resources,
    /// An operation of which the end is not acknowledged. The key is its uuid.
    Operation,
    /// A volume whose data is being removed. The key is the name of the removal.
    Removal,
    /// A container that a call has launched. The key is what the machine calls it.
    Guest,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Agent,
        Self::Framework,
        Self::Executor,
        Self::Task,
        Self::Progress,
        Self::Resources,
        Self::Operation,
        Self::Removal,
        Self::Guest,
    ];

    /// The name, which is on disk and never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Framework => "frameworks",
            Self::Executor => "executors",
            Self::Task => "tasks",
            Self::Progress => "progress",
            Self::Resources => "resources",
            Self::Operation => "operations",
            Self::Removal => "removals",
            Self::Guest => "guests",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the record is about.
    pub kind: Kind,
    /// Its key among its kind.
    pub key: String,
    /// Its new bytes; none to delete it.
    pub value: Option<Vec<u8>>,
    /// Whether it must be durable before the other effects of its batch happen. A change that is
    /// not urgent may be written with the next one that is: if it is lost, an update is sent once
    /// more.
    pub urgent: bool,
}

impl Change {
    fn put(kind: Kind, key: impl ToString, record: &impl Message) -> Self {
        Self {
            kind,
            key: key.to_string(),
            value: Some(record.encode_to_vec()),
            urgent: true,
        }
    }

    pub(crate) fn delete(kind: Kind, key: impl ToString) -> Self {
        Self {
            kind,
            key: key.to_string(),
            value: None,
            urgent: false,
        }
    }

    /// The same change, in no hurry.
    pub(crate) fn later(self) -> Self {
        Self {
            urgent: false,
            ..self
        }
    }
}

/// What is left of an earlier agent: its records, and the containers found on the machine.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Every record, in any order.
    pub records: Vec<(Kind, String, Vec<u8>)>,
    /// Every container.
    pub containers: Vec<FoundContainer>,
}

/// A container found on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundContainer {
    /// The container.
    pub id: ContainerId,
    /// Its init, if it runs. If not, it has ended, and the shell will say how.
    pub pid: Option<u32>,
    /// The networks that it is attached to; none if it has the host's.
    pub networks: Vec<JoinedNetwork>,
    /// The handle on its packets, if it has one.
    pub net_class: Option<u32>,
}

mod checks;
mod executors;
mod guests;
mod operations;

pub(crate) use executors::{put_executor, read_executor};
pub(crate) use guests::{put_guest, read_guest};
pub(crate) use operations::{
    put_operation, put_removal, put_resources, read_operation, read_removal, read_resources,
};

/// The key of a kind of which there is one record.
const SELF: &str = "self";

#[derive(Clone, PartialEq, Message)]
struct IdentityWire {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    boot_id: String,
    #[prost(bool, tag = "3")]
    forgetting: bool,
    /// Missing in what older versions wrote.
    #[prost(message, optional, tag = "4")]
    info: Option<v1::AgentInfo>,
}

/// The agent's id and what it was, and under which run of the machine it was last used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Identity {
    pub(crate) id: AgentId,
    pub(crate) boot_id: String,
    /// The id is being given up.
    pub(crate) forgetting: bool,
    /// What it had and said of itself, as the operator configured it.
    pub(crate) info: Option<AgentInfo>,
}

impl Identity {
    pub(crate) fn put(&self) -> Change {
        let record = IdentityWire {
            id: self.id.to_string(),
            boot_id: self.boot_id.clone(),
            forgetting: self.forgetting,
            info: self.info.as_ref().map(Into::into),
        };
        Change::put(Kind::Agent, SELF, &record)
    }

    pub(crate) fn delete() -> Change {
        Change::delete(Kind::Agent, SELF)
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let IdentityWire {
            id,
            boot_id,
            forgetting,
            info,
        } = IdentityWire::decode(bytes)?;
        Ok(Self {
            id: AgentId::new(id).map_err(Damaged::new)?,
            boot_id,
            forgetting,
            info: info
                .map(AgentInfo::try_from)
                .transpose()
                .map_err(Damaged::new)?,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct FrameworkWire {
    #[prost(message, optional, tag = "1")]
    info: Option<v1::FrameworkInfo>,
    #[prost(bool, tag = "2")]
    terminating: bool,
}

pub(crate) fn put_framework(id: &FrameworkId, info: &FrameworkInfo, terminating: bool) -> Change {
    let record = FrameworkWire {
        info: Some((*info.wire).clone()),
        terminating,
    };
    Change::put(Kind::Framework, id, &record)
}

pub(crate) fn read_framework(bytes: &[u8]) -> Result<(FrameworkInfo, bool), Damaged> {
    let FrameworkWire { info, terminating } = FrameworkWire::decode(bytes)?;
    let info = info.ok_or_else(|| Damaged::new("it has no framework"))?;
    Ok((
        FrameworkInfo::try_from(info).map_err(Damaged::new)?,
        terminating,
    ))
}

#[derive(Clone, PartialEq, Message)]
struct TaskWire {
    #[prost(string, tag = "1")]
    framework_id: String,
    #[prost(string, optional, tag = "2")]
    container_id: Option<String>,
    #[prost(message, optional, tag = "3")]
    task: Option<v1::TaskInfo>,
    #[prost(string, optional, tag = "4")]
    group: Option<String>,
}

pub(crate) fn put_task(key: &TaskKey, task: &Task) -> Change {
    let record = TaskWire {
        framework_id: key.framework.to_string(),
        container_id: task.container.as_ref().map(ToString::to_string),
        task: Some((*task.info.wire).clone()),
        group: task.group.as_deref().map(str::to_owned),
    };
    Change::put(Kind::Task, key, &record)
}

/// Reads a task that has not come anywhere yet.
pub(crate) fn read_task(bytes: &[u8]) -> Result<(TaskKey, Task), Damaged> {
    let TaskWire {
        framework_id,
        container_id,
        task,
        group,
    } = TaskWire::decode(bytes)?;
    let framework = FrameworkId::new(framework_id).map_err(Damaged::new)?;
    let container = container_id
        .map(ContainerId::new)
        .transpose()
        .map_err(Damaged::new)?;
    let task = task.ok_or_else(|| Damaged::new("it has no task"))?;
    let info = TaskInfo::try_from(task).map_err(Damaged::new)?;
    let key = TaskKey::new(&framework, &info.id);
    let mut task = Task::new(info, container);
    task.group = group.map(String::into_boxed_str);
    Ok((key, task))
}

#[derive(Clone, PartialEq, Message)]
struct ProgressWire {
    #[prost(uint32, tag = "1")]
    phase: u32,
    #[prost(uint64, optional, tag = "2")]
    started_micros: Option<u64>,
    #[prost(message, optional, tag = "3")]
    kill: Option<KillWire>,
    #[prost(message, optional, tag = "4")]
    latest: Option<v1::TaskStatus>,
    #[prost(message, repeated, tag = "5")]
    pending: Vec<v1::TaskStatus>,
    #[prost(bool, tag = "6")]
    silent: bool,
    #[prost(string, optional, tag = "7")]
    preempted: Option<String>,
    #[prost(message, repeated, tag = "20")]
    checks: Vec<checks::MemoryWire>,
}

#[derive(Clone, PartialEq, Message)]
struct KillWire {
    #[prost(uint32, tag = "1")]
    cause: u32,
    #[prost(uint64, tag = "2")]
    since_micros: u64,
    #[prost(uint64, tag = "3")]
    grace_micros: u64,
}

pub(crate) fn put_progress(key: &TaskKey, task: &Task) -> Change {
    let kill = task.kill.as_ref().map(|kill| KillWire {
        cause: cause_number(kill.cause),
        since_micros: kill.since.as_micros(),
        grace_micros: u64::try_from(kill.grace.as_micros()).unwrap_or(u64::MAX),
    });
    let record = ProgressWire {
        phase: phase_number(task.phase),
        started_micros: task.started.map(Time::as_micros),
        kill,
        latest: Some((&task.latest).into()),
        pending: task.updates.iter().map(Into::into).collect(),
        silent: task.silent,
        preempted: task.preempted.as_deref().map(str::to_owned),
        checks: task
            .checks
            .iter()
            .map(|check| check.memory().into())
            .collect(),
    };
    Change::put(Kind::Progress, key, &record)
}

/// Brings a task that was just read to where it had come.
pub(crate) fn read_progress(bytes: &[u8], task: &mut Task) -> Result<(), Damaged> {
    let wire = ProgressWire::decode(bytes)?;
    let latest = wire.latest.ok_or_else(|| Damaged::new("it has no state"))?;
    let latest = TaskStatus::try_from(latest).map_err(Damaged::new)?;
    let pending: Result<Vec<_>, _> = wire.pending.into_iter().map(TaskStatus::try_from).collect();
    let pending = pending.map_err(Damaged::new)?;
    let kill = wire.kill.map(|kill| {
        Ok::<_, Damaged>(KillOrder {
            cause: cause(kill.cause)?,
            since: Time::from_micros(kill.since_micros),
            grace: Duration::from_micros(kill.grace_micros),
        })
    });
    task.kill = kill.transpose()?;
    task.phase = phase(wire.phase)?;
    task.started = wire.started_micros.map(Time::from_micros);
    task.latest = latest;
    task.updates = crate::updates::Updates::recover(pending);
    task.silent = wire.silent;
    task.memories = wire.checks.into_iter().map(Into::into).collect();
    task.preempted = wire.preempted.map(String::into_boxed_str);
    Ok(())
}

const fn phase_number(phase: Phase) -> u32 {
    match phase {
        Phase::Launching => 0,
        Phase::Running => 1,
        Phase::Ended => 2,
    }
}

fn phase(number: u32) -> Result<Phase, Damaged> {
    match number {
        0 => Ok(Phase::Launching),
        1 => Ok(Phase::Running),
        2 => Ok(Phase::Ended),
        _ => Err(Damaged::new("its phase is unknown")),
    }
}

const fn cause_number(cause: KillCause) -> u32 {
    match cause {
        KillCause::Asked => 0,
        KillCause::CompletionTime => 1,
        KillCause::Shutdown => 2,
        KillCause::Drain => 3,
        KillCause::LastDrain => 4,
        KillCause::Preempted => 5,
        KillCause::Unhealthy => 20,
        KillCause::Group => 6,
    }
}

fn cause(number: u32) -> Result<KillCause, Damaged> {
    match number {
        0 => Ok(KillCause::Asked),
        1 => Ok(KillCause::CompletionTime),
        2 => Ok(KillCause::Shutdown),
        3 => Ok(KillCause::Drain),
        4 => Ok(KillCause::LastDrain),
        5 => Ok(KillCause::Preempted),
        20 => Ok(KillCause::Unhealthy),
        6 => Ok(KillCause::Group),
        _ => Err(Damaged::new("its kill has an unknown cause")),
    }
}

/// A record that cannot be read, and why.
#[derive(Debug)]
pub(crate) struct Damaged(pub(crate) String);

impl Damaged {
    pub(crate) fn new(why: impl ToString) -> Self {
        Self(why.to_string())
    }
}

impl From<prost::DecodeError> for Damaged {
    fn from(error: prost::DecodeError) -> Self {
        Self::new(error)
    }
}
