//! One operation on the agent's resources, until its end is acknowledged.

use std::fmt;

use tepui_model::{FrameworkId, StatusUuid};
use tepui_proto::v1;

use crate::retry::Retry;

/// The master's name for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationUuid(pub [u8; 16]);

impl TryFrom<&[u8]> for OperationUuid {
    type Error = InvalidOperationUuid;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidOperationUuid> {
        let wrong = |_| InvalidOperationUuid(bytes.len());
        bytes.try_into().map(Self).map_err(wrong)
    }
}

/// Bytes that name no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of an operation has 16 bytes, not {0}")]
pub struct InvalidOperationUuid(usize);

impl fmt::Display for OperationUuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        StatusUuid::from_bytes(self.0).fmt(formatter)
    }
}

/// An operation of which the end is not acknowledged.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Whose it is; an operator's if unset.
    pub(crate) framework: Option<FrameworkId>,
    /// What was asked for.
    pub(crate) info: v1::offer::Operation,
    /// How it ended.
    pub(crate) status: v1::OperationStatus,
    /// When that is said again.
    pub(crate) retry: Retry,
}
