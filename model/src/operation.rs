//! What a framework does with the offers it accepts, and what an operator does with resources.

mod convert;
mod disks;
mod error;
mod resource;
mod rules;
mod volumes;
mod wire;

use tepui_proto::v1;

pub use self::{
    error::{InvalidOperation, ResourceRule, VolumeRule},
    resource::ResourceOperation,
    rules::OperationRules,
    wire::MalformedOperation,
};

/// One operation of an ACCEPT call (Mesos: OFF-05).
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // There are a handful at a time, and they soon go.
pub enum OfferOperation {
    /// Launch these tasks. They are checked one by one, because each gets an answer of its own.
    Launch(Vec<v1::TaskInfo>),
    /// Launch these tasks all together or not at all, under one executor.
    LaunchGroup {
        /// The executor; none if it has no id.
        executor: Option<Box<v1::ExecutorInfo>>,
        /// The tasks.
        tasks: Vec<v1::TaskInfo>,
    },
    /// Change the nature of resources.
    Resources(ResourceOperation),
    /// An operation that breaks a rule as a whole; each of its tasks gets `TASK_ERROR`.
    Invalid {
        /// The rule, in Mesos' words.
        reason: String,
        /// The tasks it would have launched.
        tasks: Vec<v1::TaskInfo>,
    },
}

impl OfferOperation {
    /// The tasks of the operation.
    #[must_use]
    pub fn tasks(&self) -> &[v1::TaskInfo] {
        match self {
            Self::Launch(tasks) | Self::LaunchGroup { tasks, .. } | Self::Invalid { tasks, .. } => {
                tasks
            }
            Self::Resources(_) => &[],
        }
    }

    /// The tasks of the operation, taken out of it.
    #[must_use]
    pub fn into_tasks(self) -> Vec<v1::TaskInfo> {
        match self {
            Self::Launch(tasks) | Self::LaunchGroup { tasks, .. } | Self::Invalid { tasks, .. } => {
                tasks
            }
            Self::Resources(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
