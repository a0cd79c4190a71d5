//! News of a task.

use std::fmt;

use tepui_proto::v1;

use super::{Passengers, Reason, Source, StatusPassengers, TaskState};
use crate::{AgentId, ExecutorId, InvalidId, TaskId, Time};

/// The id of one piece of news, by which a framework acknowledges it (Mesos: TSK-09).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusUuid([u8; 16]);

impl StatusUuid {
    /// An id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl TryFrom<&[u8]> for StatusUuid {
    type Error = InvalidStatus;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidStatus> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| InvalidStatus::Uuid(bytes.len()))
    }
}

impl fmt::Display for StatusUuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(formatter, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StatusUuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StatusUuid({self})")
    }
}

/// Why a `TaskStatus` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStatus {
    /// An id is no id.
    #[error("TaskStatus.{field}: {cause}")]
    Id {
        /// The field.
        field: &'static str,
        /// Why it is none.
        cause: InvalidId,
    },
    /// The state is unknown.
    #[error("TaskStatus.state: {0} is not a state")]
    State(i32),
    /// The UUID has another length than 16 bytes.
    #[error("TaskStatus.uuid: {0} bytes instead of 16")]
    Uuid(usize),
}

/// News of a task: the state it is in, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskStatus {
    /// The task.
    pub task_id: TaskId,
    /// Where it stands.
    pub state: TaskState,
    /// Who says so.
    pub source: Option<Source>,
    /// Why, for programs. A reason newer than we are is dropped.
    pub reason: Option<Reason>,
    /// Why, for people.
    pub message: Option<String>,
    /// The agent it is on.
    pub agent_id: Option<AgentId>,
    /// The executor that runs it.
    pub executor_id: Option<ExecutorId>,
    /// When it was said.
    pub timestamp: Option<Time>,
    /// By which the framework acknowledges it; without one there is nothing to acknowledge.
    pub uuid: Option<StatusUuid>,
    /// Whether the health check passes.
    pub healthy: Option<bool>,
    /// What the executor says to the framework.
    pub data: Option<Vec<u8>>,
    /// Since when its agent has not answered.
    pub unreachable_time: Option<Time>,
    /// What is not looked at.
    pub passengers: Passengers,
}

impl TaskStatus {
    /// News of a state and nothing else.
    #[must_use]
    pub const fn new(task_id: TaskId, state: TaskState) -> Self {
        Self {
            task_id,
            state,
            source: None,
            reason: None,
            message: None,
            agent_id: None,
            executor_id: None,
            timestamp: None,
            uuid: None,
            healthy: None,
            data: None,
            unreachable_time: None,
            passengers: Passengers::NONE,
        }
    }

    /// How the command ended, as a shell's `$?`: its exit code, or 128 and the signal's number.
    /// Mesos has no field for it, so our agents report it in a label.
    #[must_use]
    pub fn exit_status(&self) -> Option<u8> {
        let labels = &self.passengers.labels.as_ref()?.labels;
        let label = labels.iter().find(|label| label.key == EXIT_STATUS_LABEL)?;
        label.value.as_ref()?.parse().ok()
    }

    /// Reports how the command ended.
    pub fn set_exit_status(&mut self, code: u8) {
        let labels = &mut self.passengers.labels.get_or_insert_default().labels;
        labels.retain(|label| label.key != EXIT_STATUS_LABEL);
        let value = Some(code.to_string());
        labels.push(v1::Label {
            key: EXIT_STATUS_LABEL.to_owned(),
            value,
        });
    }
}

/// The label that [`TaskStatus::exit_status`] reads.
const EXIT_STATUS_LABEL: &str = "tepui.exit_status";

impl TryFrom<v1::TaskStatus> for TaskStatus {
    type Error = InvalidStatus;

    fn try_from(wire: v1::TaskStatus) -> Result<Self, InvalidStatus> {
        let field = |field| move |cause| InvalidStatus::Id { field, cause };
        let state =
            v1::TaskState::try_from(wire.state).map_err(|_| InvalidStatus::State(wire.state))?;
        let agent_id = wire.agent_id.map(AgentId::try_from).transpose();
        let executor_id = wire.executor_id.map(ExecutorId::try_from).transpose();
        Ok(Self {
            task_id: TaskId::try_from(wire.task_id).map_err(field("task_id"))?,
            state: state.into(),
            source: wire.source.and_then(|source| Source::try_from(source).ok()),
            reason: wire.reason.and_then(|reason| Reason::try_from(reason).ok()),
            message: wire.message,
            agent_id: agent_id.map_err(field("agent_id"))?,
            executor_id: executor_id.map_err(field("executor_id"))?,
            timestamp: wire.timestamp.map(Time::from_seconds),
            uuid: wire.uuid.as_deref().map(StatusUuid::try_from).transpose()?,
            healthy: wire.healthy,
            data: wire.data,
            unreachable_time: wire.unreachable_time.as_ref().map(Time::from),
            passengers: Passengers::from(StatusPassengers {
                labels: wire.labels,
                container_status: wire.container_status,
                check_status: wire.check_status,
                limitation: wire.limitation,
            }),
        })
    }
}

impl TryFrom<&v1::TaskStatus> for TaskStatus {
    type Error = InvalidStatus;

    fn try_from(wire: &v1::TaskStatus) -> Result<Self, InvalidStatus> {
        Self::try_from(wire.clone())
    }
}

impl From<TaskStatus> for v1::TaskStatus {
    fn from(status: TaskStatus) -> Self {
        let passengers = StatusPassengers::from(status.passengers);
        Self {
            task_id: status.task_id.into(),
            state: v1::TaskState::from(status.state).into(),
            source: status.source.map(Into::into),
            reason: status.reason.map(Into::into),
            message: status.message,
            agent_id: status.agent_id.map(Into::into),
            executor_id: status.executor_id.map(Into::into),
            timestamp: status.timestamp.map(Time::as_seconds),
            uuid: status.uuid.map(StatusUuid::to_vec),
            healthy: status.healthy,
            data: status.data,
            unreachable_time: status.unreachable_time.map(Into::into),
            labels: passengers.labels,
            container_status: passengers.container_status,
            check_status: passengers.check_status,
            limitation: passengers.limitation,
        }
    }
}

impl From<&TaskStatus> for v1::TaskStatus {
    fn from(status: &TaskStatus) -> Self {
        Self::from(status.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_survives_the_wire_and_is_said_once() {
        let mut status = TaskStatus::new(TaskId::new("t").unwrap(), TaskState::Failed);
        assert_eq!(status.exit_status(), None);
        status.set_exit_status(1);
        status.set_exit_status(137);
        let wire = v1::TaskStatus::from(&status);
        assert_eq!(wire.labels.as_ref().unwrap().labels.len(), 1);
        assert_eq!(TaskStatus::try_from(wire).unwrap().exit_status(), Some(137));
    }

    fn status() -> TaskStatus {
        TaskStatus {
            source: Some(Source::Agent),
            reason: Some(Reason::ContainerLimitationMemory),
            message: Some("out of memory".to_owned()),
            agent_id: Some(AgentId::new("m-S0").unwrap()),
            executor_id: Some(ExecutorId::new("t").unwrap()),
            timestamp: Some(Time::from_micros(1_700_000_000_000_001)),
            uuid: Some(StatusUuid::from_bytes([7; 16])),
            healthy: Some(false),
            data: Some(vec![1, 2]),
            unreachable_time: Some(Time::from_micros(5)),
            passengers: Passengers::from(StatusPassengers {
                labels: Some(v1::Labels::default()),
                ..Default::default()
            }),
            ..TaskStatus::new(TaskId::new("t").unwrap(), TaskState::Failed)
        }
    }

    #[test]
    fn a_status_goes_over_the_wire_and_back() {
        assert_eq!(
            TaskStatus::try_from(v1::TaskStatus::from(&status())).unwrap(),
            status()
        );
    }

    #[test]
    fn a_status_is_refused_with_the_name_of_the_field() {
        let refusal = |wire: v1::TaskStatus| TaskStatus::try_from(wire).unwrap_err().to_string();
        let wire = || v1::TaskStatus::from(status());
        assert_eq!(
            refusal(v1::TaskStatus {
                state: 99,
                ..wire()
            }),
            "TaskStatus.state: 99 is not a state"
        );
        let uuid = v1::TaskStatus {
            uuid: Some(vec![1]),
            ..wire()
        };
        assert_eq!(refusal(uuid), "TaskStatus.uuid: 1 bytes instead of 16");
        let nameless = v1::TaskStatus {
            task_id: v1::TaskId::default(),
            ..wire()
        };
        assert_eq!(
            refusal(nameless),
            "TaskStatus.task_id: ID must not be empty"
        );
    }

    #[test]
    fn a_reason_that_is_unknown_is_dropped() {
        let wire = v1::TaskStatus {
            reason: Some(999),
            ..v1::TaskStatus::from(status())
        };
        assert_eq!(TaskStatus::try_from(wire).unwrap().reason, None);
    }

    #[test]
    fn every_reason_of_mesos_is_known() {
        let known = (0..64)
            .filter(|number| Reason::try_from(*number).is_ok())
            .count();
        assert_eq!(known, 35);
    }

    #[test]
    fn a_uuid_prints_with_dashes() {
        let uuid = StatusUuid::from_bytes(std::array::from_fn(|index| index as u8));
        assert_eq!(uuid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
