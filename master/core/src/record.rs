//! What the registry keeps: only what cannot be learned again from agents and frameworks.
//!
//! Records are protobuf, so that fields can be added; the store adds a version and a checksum.

mod operators;

use std::sync::Arc;

use prost::Message;
use tepui_model::{AgentId, AgentInfo, FrameworkId, FrameworkInfo, Quantity, Quota, Role, Time};
use tepui_proto::v1::{self, scheduler::OfferConstraints};

use crate::{agents::Deactivation, maintenance::Schedule};

/// A change of the registry.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few are made, and each is written to disk"
)]
pub enum Change {
    /// Write this record over the one of the same kind and key.
    Put(Record),
    /// Delete a record.
    Delete(RecordKind, String),
}

/// The kinds of records; each has its own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Agents that are admitted.
    Agent,
    /// Agents that are unreachable.
    Unreachable,
    /// Agents that must not come back under their id.
    Gone,
    /// Frameworks that are not removed.
    Framework,
    /// Frameworks that are removed.
    RemovedFramework,
    /// Weights of roles.
    Weight,
    /// Agents that operators took out of the offers.
    Deactivated,
    /// The maintenance schedule.
    Maintenance,
    /// Quotas of roles.
    Quota,
    /// Priorities of roles.
    Priority,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Agent,
        Self::Unreachable,
        Self::Gone,
        Self::Framework,
        Self::RemovedFramework,
        Self::Weight,
        Self::Deactivated,
        Self::Maintenance,
        Self::Quota,
        Self::Priority,
    ];

    /// The name of the kind in a store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Unreachable => "unreachable-agents",
            Self::Gone => "gone-agents",
            Self::Framework => "frameworks",
            Self::RemovedFramework => "removed-frameworks",
            Self::Weight => "weights",
            Self::Deactivated => "deactivated-agents",
            Self::Maintenance => "maintenance",
            Self::Quota => "quotas",
            Self::Priority => "priorities",
        }
    }
}

/// One thing that the registry keeps.
#[derive(Clone, Debug)]
pub enum Record {
    /// An agent that is admitted.
    Agent(AgentRecord),
    /// An agent that is unreachable.
    Unreachable(LostAgent),
    /// An agent that was removed: its tasks were given up, so it must not bring them back.
    Gone(LostAgent),
    /// A framework that is not removed.
    Framework(FrameworkRecord),
    /// A framework that is removed: its tasks are ended wherever they turn up.
    RemovedFramework {
        /// Which.
        id: FrameworkId,
        /// When.
        since: Time,
    },
    /// The weight of a role (Mesos: WGT-01).
    Weight {
        /// Which.
        role: Role,
        /// How much.
        weight: Quantity,
    },
    /// An agent that an operator took out of the offers (Mesos: DRN-01, DRN-03).
    Deactivated {
        /// Which.
        id: AgentId,
        /// How.
        deactivation: Deactivation,
    },
    /// The one maintenance schedule (Mesos: MNT-01).
    Maintenance(Schedule),
    /// The quota of a role (Mesos: QUO-02).
    Quota {
        /// Which.
        role: Role,
        /// What it is promised, and what it may have.
        quota: Quota,
    },
    /// The priority of a role.
    Priority {
        /// Which.
        role: Role,
        /// The larger, the sooner it is served.
        priority: i32,
    },
}

/// An admitted agent.
#[derive(Clone, Debug)]
pub struct AgentRecord {
    /// What it said of itself, with its id.
    pub info: AgentInfo,
    /// The version of its program.
    pub version: String,
    /// When it first registered.
    pub registered: Time,
}

/// An agent that is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostAgent {
    /// Which.
    pub id: AgentId,
    /// Since when.
    pub since: Time,
    /// An operator gave it up, so its program must end when it turns up.
    pub by_operator: bool,
}

/// A framework that is not removed.
#[derive(Clone, Debug)]
pub struct FrameworkRecord {
    /// What it said of itself, with its id.
    pub info: FrameworkInfo,
    /// Its offer constraints, for operators to see until it states them again.
    pub constraints: Option<Arc<OfferConstraints>>,
    /// When it first subscribed.
    pub registered: Time,
    /// When it is removed unless it comes back before; unset while it is connected.
    pub deadline: Option<Time>,
}

/// Why bytes are no record. The registry is damaged, or written by a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record '{key}' of {kind} cannot be read: {problem}; restore the registry from a backup"
)]
pub struct UnreadableRecord {
    /// The kind's name.
    pub kind: &'static str,
    /// The record's key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredAgent {
    #[prost(message, optional, tag = "1")]
    info: Option<v1::AgentInfo>,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(uint64, tag = "3")]
    registered: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredFramework {
    #[prost(message, optional, tag = "1")]
    info: Option<v1::FrameworkInfo>,
    #[prost(uint64, tag = "2")]
    registered: u64,
    #[prost(uint64, optional, tag = "3")]
    deadline: Option<u64>,
    #[prost(message, optional, tag = "4")]
    constraints: Option<OfferConstraints>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredTime {
    #[prost(uint64, tag = "1")]
    since: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredLoss {
    #[prost(uint64, tag = "1")]
    since: u64,
    #[prost(bool, tag = "2")]
    by_operator: bool,
}

#[derive(Clone, PartialEq, Message)]
struct StoredWeight {
    #[prost(int64, tag = "1")]
    thousandths: i64,
}

impl Record {
    /// The kind of the record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Agent(_) => RecordKind::Agent,
            Self::Unreachable(_) => RecordKind::Unreachable,
            Self::Gone(_) => RecordKind::Gone,
            Self::Framework(_) => RecordKind::Framework,
            Self::RemovedFramework { .. } => RecordKind::RemovedFramework,
            Self::Weight { .. } => RecordKind::Weight,
            Self::Deactivated { .. } => RecordKind::Deactivated,
            Self::Maintenance(_) => RecordKind::Maintenance,
            Self::Quota { .. } => RecordKind::Quota,
            Self::Priority { .. } => RecordKind::Priority,
        }
    }

    /// The key of the record among its kind.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Agent(agent) => text(agent.info.id.as_ref()),
            Self::Unreachable(agent) | Self::Gone(agent) => agent.id.to_string(),
            Self::Framework(framework) => text(framework.info.id.as_ref()),
            Self::RemovedFramework { id, .. } => id.to_string(),
            Self::Weight { role, .. } | Self::Quota { role, .. } | Self::Priority { role, .. } => {
                role.to_string()
            }
            Self::Deactivated { id, .. } => id.to_string(),
            Self::Maintenance(_) => operators::SCHEDULE.to_owned(),
        }
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Agent(agent) => StoredAgent {
                info: Some(v1::AgentInfo::clone(&agent.info.wire)),
                version: agent.version.clone(),
                registered: agent.registered.as_micros(),
            }
            .encode_to_vec(),
            Self::Framework(framework) => StoredFramework {
                info: Some(v1::FrameworkInfo::clone(&framework.info.wire)),
                registered: framework.registered.as_micros(),
                deadline: framework.deadline.map(Time::as_micros),
                constraints: framework.constraints.as_deref().cloned(),
            }
            .encode_to_vec(),
            Self::Unreachable(lost) | Self::Gone(lost) => StoredLoss {
                since: lost.since.as_micros(),
                by_operator: lost.by_operator,
            }
            .encode_to_vec(),
            Self::RemovedFramework { since, .. } => StoredTime {
                since: since.as_micros(),
            }
            .encode_to_vec(),
            Self::Weight { weight, .. } => StoredWeight {
                thousandths: weight.millis(),
            }
            .encode_to_vec(),
            Self::Deactivated { deactivation, .. } => operators::encode_deactivation(deactivation),
            Self::Maintenance(schedule) => operators::encode_schedule(schedule),
            Self::Quota { role, quota } => quota.to_proto(role).encode_to_vec(),
            Self::Priority { priority, .. } => operators::encode_priority(*priority),
        }
    }

    /// Reads a record as [`Record::encode`] wrote it under [`Record::key`].
    pub fn decode(kind: RecordKind, key: &str, bytes: &[u8]) -> Result<Self, UnreadableRecord> {
        read(kind, key, bytes).map_err(|problem| UnreadableRecord {
            kind: kind.name(),
            key: key.to_owned(),
            problem,
        })
    }
}

fn text(id: Option<&impl ToString>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

fn read(kind: RecordKind, key: &str, bytes: &[u8]) -> Result<Record, String> {
    Ok(match kind {
        RecordKind::Agent => Record::Agent(read_agent(key, bytes)?),
        RecordKind::Framework => Record::Framework(read_framework(key, bytes)?),
        RecordKind::Unreachable => Record::Unreachable(read_lost(key, bytes)?),
        RecordKind::Gone => Record::Gone(read_lost(key, bytes)?),
        RecordKind::RemovedFramework => Record::RemovedFramework {
            id: FrameworkId::new(key).map_err(explain)?,
            since: read_time(bytes)?,
        },
        RecordKind::Weight => Record::Weight {
            role: Role::new(key).map_err(explain)?,
            weight: Quantity::from_millis(
                StoredWeight::decode(bytes).map_err(explain)?.thousandths,
            ),
        },
        RecordKind::Deactivated => Record::Deactivated {
            id: AgentId::new(key).map_err(explain)?,
            deactivation: operators::decode_deactivation(bytes)?,
        },
        RecordKind::Maintenance => Record::Maintenance(operators::decode_schedule(key, bytes)?),
        RecordKind::Quota => operators::decode_quota(key, bytes)?,
        RecordKind::Priority => operators::decode_priority(key, bytes)?,
    })
}

fn explain(error: impl ToString) -> String {
    error.to_string()
}

fn read_agent(key: &str, bytes: &[u8]) -> Result<AgentRecord, String> {
    let stored = StoredAgent::decode(bytes).map_err(explain)?;
    let info = AgentInfo::try_from(stored.info.unwrap_or_default()).map_err(explain)?;
    if info.id.as_ref().map(AgentId::as_str) != Some(key) {
        return Err("it is about another agent".to_owned());
    }
    let registered = Time::from_micros(stored.registered);
    Ok(AgentRecord {
        info,
        version: stored.version,
        registered,
    })
}

fn read_framework(key: &str, bytes: &[u8]) -> Result<FrameworkRecord, String> {
    let stored = StoredFramework::decode(bytes).map_err(explain)?;
    let info = FrameworkInfo::try_from(stored.info.unwrap_or_default()).map_err(explain)?;
    if info.id.as_ref().map(FrameworkId::as_str) != Some(key) {
        return Err("it is about another framework".to_owned());
    }
    let deadline = stored.deadline.map(Time::from_micros);
    Ok(FrameworkRecord {
        info,
        constraints: stored.constraints.map(Arc::new),
        registered: Time::from_micros(stored.registered),
        deadline,
    })
}

fn read_lost(key: &str, bytes: &[u8]) -> Result<LostAgent, String> {
    let stored = StoredLoss::decode(bytes).map_err(explain)?;
    Ok(LostAgent {
        id: AgentId::new(key).map_err(explain)?,
        since: Time::from_micros(stored.since),
        by_operator: stored.by_operator,
    })
}

fn read_time(bytes: &[u8]) -> Result<Time, String> {
    Ok(Time::from_micros(
        StoredTime::decode(bytes).map_err(explain)?.since,
    ))
}

/// What the registry kept, as the master finds it when it starts.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Admitted agents; they have a while to come back.
    pub agents: Vec<AgentRecord>,
    /// Unreachable agents.
    pub unreachable: Vec<LostAgent>,
    /// Removed agents.
    pub gone: Vec<LostAgent>,
    /// Frameworks.
    pub frameworks: Vec<FrameworkRecord>,
    /// Removed frameworks and when they were removed.
    pub removed_frameworks: Vec<(FrameworkId, Time)>,
    /// Weights of roles.
    pub weights: Vec<(Role, Quantity)>,
    /// Agents that operators took out of the offers.
    pub deactivated: Vec<(AgentId, Deactivation)>,
    /// The maintenance schedule.
    pub maintenance: Schedule,
    /// Quotas of roles.
    pub quotas: Vec<(Role, Quota)>,
    /// Priorities of roles.
    pub priorities: Vec<(Role, i32)>,
}

impl Recovered {
    /// Adds one record.
    pub fn insert(&mut self, record: Record) {
        match record {
            Record::Agent(agent) => self.agents.push(agent),
            Record::Unreachable(agent) => self.unreachable.push(agent),
            Record::Gone(agent) => self.gone.push(agent),
            Record::Framework(framework) => self.frameworks.push(framework),
            Record::RemovedFramework { id, since } => self.removed_frameworks.push((id, since)),
            Record::Weight { role, weight } => self.weights.push((role, weight)),
            Record::Deactivated { id, deactivation } => self.deactivated.push((id, deactivation)),
            Record::Maintenance(schedule) => self.maintenance = schedule,
            Record::Quota { role, quota } => self.quotas.push((role, quota)),
            Record::Priority { role, priority } => self.priorities.push((role, priority)),
        }
    }
}

#[cfg(test)]
mod tests;
