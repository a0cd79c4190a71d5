//! Between the messages of the wire and the types of the core, once in and once out.

mod agents;
mod calls;
mod events;
mod notices;

pub use agents::AgentReport;
pub use events::{error_event, heartbeat_event, update_event};
pub use notices::offer_snapshot;

use core::time::Duration;

use tepui_proto::v1;

/// Why a message cannot be understood: which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidMessage {
    /// The field, as a path.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl InvalidMessage {
    pub(crate) fn new(field: impl Into<String>, problem: impl ToString) -> Self {
        Self {
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    pub(crate) fn missing(field: impl Into<String>) -> Self {
        Self::new(field, "must be set")
    }
}

/// Names the field of an error.
trait In<T> {
    fn in_field(self, field: &str) -> Result<T, InvalidMessage>;
}

impl<T, E: ToString> In<T> for Result<T, E> {
    fn in_field(self, field: &str) -> Result<T, InvalidMessage> {
        self.map_err(|error| InvalidMessage::new(field, error))
    }
}

/// Refuses a list that is too long.
fn at_most(count: usize, limit: usize, field: &str) -> Result<(), InvalidMessage> {
    if count > limit {
        return Err(InvalidMessage::new(
            field,
            format!("has {count} items, {limit} are allowed"),
        ));
    }
    Ok(())
}

/// A grace period, which must not be negative (Mesos: SPC-06).
pub(crate) fn grace_period(
    wire: Option<v1::DurationInfo>,
    field: &str,
) -> Result<Option<Duration>, InvalidMessage> {
    let Some(wire) = wire else { return Ok(None) };
    match u64::try_from(wire.nanoseconds) {
        Ok(nanoseconds) => Ok(Some(Duration::from_nanos(nanoseconds))),
        Err(_) => Err(InvalidMessage::new(field, "must not be negative")),
    }
}

pub(crate) fn duration_info(span: Duration) -> v1::DurationInfo {
    let nanoseconds = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    v1::DurationInfo { nanoseconds }
}
