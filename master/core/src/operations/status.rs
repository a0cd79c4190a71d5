//! What is said of an operation, and by which name master and agent speak of it.

use core::fmt;

use tepui_model::{
    AgentId, InvalidId, InvalidStatus, OperationId, ResourceError, Resources, StatusUuid,
};
use tepui_proto::v1;

use super::OperationState;

/// How master and agent name an operation; frameworks have names of their own.
///
/// Those of one master are in the order it sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationUuid([u8; 16]);

impl OperationUuid {
    /// A name of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl TryFrom<&[u8]> for OperationUuid {
    type Error = InvalidOperationStatus;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidOperationStatus> {
        let length = bytes.len();
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| InvalidOperationStatus::Name(length))
    }
}

impl From<OperationUuid> for v1::Uuid {
    fn from(uuid: OperationUuid) -> Self {
        Self {
            value: uuid.to_vec(),
        }
    }
}

impl fmt::Display for OperationUuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        StatusUuid::from_bytes(self.0).fmt(formatter)
    }
}

/// What is said of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationStatus {
    /// The framework's name for it, if it gave one.
    pub id: Option<OperationId>,
    /// How far it has come.
    pub state: OperationState,
    /// More about it, for people.
    pub message: Option<String>,
    /// What it made of the resources, once it is finished.
    pub converted: Resources,
    /// Names the news when the agent wants to hear that they were heard.
    pub uuid: Option<StatusUuid>,
    /// Where it is.
    pub agent_id: Option<AgentId>,
}

/// Why news of an operation cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperationStatus {
    /// An id is no id.
    #[error("OperationStatus.{field}: {cause}")]
    Id {
        /// The field.
        field: &'static str,
        /// Why it is none.
        cause: InvalidId,
    },
    /// The name of an operation has the wrong length.
    #[error("an operation's uuid must have 16 bytes, not {0}")]
    Name(usize),
    /// The news' own name has the wrong length.
    #[error("OperationStatus.uuid: {0}")]
    Uuid(InvalidStatus),
    /// The state is none.
    #[error("OperationStatus.state must be a known state")]
    State,
    /// The resources are refused.
    #[error("OperationStatus.converted_resources: {0}")]
    Resources(#[from] ResourceError),
}

impl OperationStatus {
    /// News of a state and nothing else.
    #[must_use]
    pub const fn new(id: Option<OperationId>, state: OperationState) -> Self {
        Self {
            id,
            state,
            message: None,
            converted: Resources::new(),
            uuid: None,
            agent_id: None,
        }
    }

    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub(crate) fn at(mut self, agent: Option<&AgentId>) -> Self {
        self.agent_id = agent.cloned();
        self
    }
}

impl From<&OperationStatus> for v1::OperationStatus {
    fn from(status: &OperationStatus) -> Self {
        let uuid = |uuid: StatusUuid| v1::Uuid {
            value: uuid.to_vec(),
        };
        Self {
            operation_id: status.id.as_ref().map(Into::into),
            state: v1::OperationState::from(status.state).into(),
            message: status.message.clone(),
            converted_resources: status.converted.to_proto(None),
            uuid: status.uuid.map(uuid),
            agent_id: status.agent_id.as_ref().map(Into::into),
            resource_provider_id: None,
        }
    }
}

impl TryFrom<&v1::OperationStatus> for OperationStatus {
    type Error = InvalidOperationStatus;

    fn try_from(wire: &v1::OperationStatus) -> Result<Self, InvalidOperationStatus> {
        let field = |field| move |cause| InvalidOperationStatus::Id { field, cause };
        let id = wire.operation_id.as_ref().map(OperationId::try_from);
        let agent = wire.agent_id.as_ref().map(AgentId::try_from);
        let uuid = wire.uuid.as_ref().map(|uuid| uuid.value.as_slice());
        let (converted, _) = Resources::from_proto(&wire.converted_resources)?;
        Ok(Self {
            id: id.transpose().map_err(field("operation_id"))?,
            state: OperationState::try_from(wire.state())?,
            message: wire.message.clone(),
            converted,
            uuid: uuid
                .map(StatusUuid::try_from)
                .transpose()
                .map_err(InvalidOperationStatus::Uuid)?,
            agent_id: agent.transpose().map_err(field("agent_id"))?,
        })
    }
}

impl TryFrom<v1::OperationState> for OperationState {
    type Error = InvalidOperationStatus;

    fn try_from(wire: v1::OperationState) -> Result<Self, InvalidOperationStatus> {
        Ok(match wire {
            v1::OperationState::OperationUnsupported => return Err(InvalidOperationStatus::State),
            v1::OperationState::OperationPending => Self::Pending,
            v1::OperationState::OperationFinished => Self::Finished,
            v1::OperationState::OperationFailed => Self::Failed,
            v1::OperationState::OperationError => Self::Error,
            v1::OperationState::OperationDropped => Self::Dropped,
            v1::OperationState::OperationUnreachable => Self::Unreachable,
            v1::OperationState::OperationGoneByOperator => Self::GoneByOperator,
            v1::OperationState::OperationRecovering => Self::Recovering,
            v1::OperationState::OperationUnknown => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> OperationStatus {
        OperationStatus {
            uuid: Some(StatusUuid::from_bytes([7; 16])),
            converted: "disk(db):64".parse().unwrap(),
            ..OperationStatus::new(
                Some(OperationId::new("make").unwrap()),
                OperationState::Finished,
            )
            .saying("done")
            .at(Some(&AgentId::new("m-S0").unwrap()))
        }
    }

    #[test]
    fn news_of_an_operation_go_over_the_wire_and_back() {
        let wire = v1::OperationStatus::from(&status());
        assert_eq!(OperationStatus::try_from(&wire), Ok(status()));
    }

    #[test]
    fn news_that_make_no_sense_are_refused_with_the_field() {
        let refusal = |change: fn(&mut v1::OperationStatus)| {
            let mut wire = v1::OperationStatus::from(&status());
            change(&mut wire);
            OperationStatus::try_from(&wire).unwrap_err().to_string()
        };
        let refused = refusal(|wire| wire.state = v1::OperationState::OperationUnsupported.into());
        assert_eq!(refused, "OperationStatus.state must be a known state");
        let refused = refusal(|wire| wire.uuid = Some(v1::Uuid { value: vec![1] }));
        assert!(refused.starts_with("OperationStatus.uuid:"), "{refused}");
        let refused = refusal(|wire| wire.agent_id = Some(v1::AgentId::default()));
        assert!(
            refused.starts_with("OperationStatus.agent_id:"),
            "{refused}"
        );
        let refused = refusal(|wire| wire.converted_resources = vec![v1::Resource::default()]);
        assert_eq!(
            refused,
            "OperationStatus.converted_resources: Empty resource name"
        );
        assert!(OperationUuid::try_from(&[0; 15][..]).is_err());
    }
}
