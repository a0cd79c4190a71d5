//! What operators ask for, and the answers.

mod agents;
mod calls;
mod drain;
mod explain;
mod maintenance;
mod priorities;
mod quota;
mod resources;
mod weights;

use core::time::Duration;
use std::sync::Arc;

use tepui_model::{FrameworkId, Offer, TaskId};
use tepui_proto::{services, v1};

use crate::{
    calls::Subscribe,
    views::{Figures, Snapshot},
};

/// One call of an operator.
#[derive(Clone, Debug)]
pub enum OperatorCall {
    /// A call of the v1 operator API.
    V1(Box<v1::master::Call>),
    /// End a task (KillTask of the gRPC service).
    KillTask {
        /// Whose it is; may be left out when only one framework has a task of that id.
        framework_id: Option<FrameworkId>,
        /// Which.
        task_id: TaskId,
        /// How long it may take between TERM and KILL; its own policy when unset.
        grace: Option<Duration>,
    },
    /// Every outstanding offer, to one framework when set. The notices after the reply start where
    /// it ends.
    Offers {
        /// Only offers to this framework.
        framework_id: Option<FrameworkId>,
    },
    /// Why somebody waits.
    Explain(Box<services::ExplainRequest>),
    /// Set the priorities of roles, or take them away; all or none.
    UpdatePriorities(Vec<services::RolePriority>),
    /// The priorities that are set.
    Priorities,
    /// How many there are of everything.
    Figures,
    /// Whether there is such a framework, for a call that came on no stream of its own.
    FindFramework(FrameworkId),
    /// UPDATE_FRAMEWORK of a framework that waits for its end, as it does over HTTP.
    UpdateFramework {
        /// Which.
        framework_id: FrameworkId,
        /// What it says of itself now.
        update: Box<Subscribe>,
    },
}

/// The answer to an [`OperatorCall`].
#[derive(Clone, Debug)]
pub enum OperatorReply {
    /// The answer of the v1 operator API.
    V1(Box<v1::master::Response>),
    /// What the answer to a call that asks for much is made of, by whoever waits for it.
    Snapshot(Box<Snapshot>),
    /// It is done, or under way.
    Done,
    /// The outstanding offers.
    Offers(Vec<Arc<Offer>>),
    /// Why somebody waits.
    Explanation(Box<services::Explanation>),
    /// The priorities that are set, by role.
    Priorities(Vec<services::RolePriority>),
    /// How many there are of everything.
    Figures(Box<Figures>),
}

/// Why an operator's call cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The call lacks something or contradicts itself.
    #[error("{0}")]
    Invalid(String),
    /// What it is about does not exist.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done now.
    #[error("{0}")]
    Conflict(String),
    /// The call is known but not done by this master.
    #[error("the call {0} is not supported by this master")]
    Unsupported(&'static str),
}
