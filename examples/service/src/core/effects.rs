//! What the core wants done.

use std::time::Duration;

use tepui_sdk::{Matches, model::TaskId};

use crate::spec::AppName;

/// A change of a record. The shell makes every change of a batch durable before it does anything
/// else that the same batch asks for: a task is launched only after its record is on disk.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "few live at a time, and not for long"
)]
pub(crate) enum Change {
    App(AppName, Option<crate::api::StoredApp>),
    Instance(TaskId, Option<crate::api::StoredInstance>),
    /// The framework's id or the number of the next instance.
    Identity(crate::api::StoredIdentity),
}

#[expect(
    clippy::large_enum_variant,
    reason = "effects are few, and gone at once"
)]
#[derive(Debug)]
pub(crate) enum Effect {
    Persist(Change),
    /// Accept and decline offers.
    Apply(Matches),
    Kill {
        task: TaskId,
        grace: Option<Duration>,
    },
    /// Offers are wanted, also from agents that were declined.
    Revive,
    /// No offers are wanted.
    Suppress,
    /// Something that [`Core::status`](super::Core::status) shows of this app has changed.
    Changed(AppName),
}

/// The effects of one input, in order.
pub(crate) type Effects = Vec<Effect>;
