//! What those who watch the cluster hear: offers, tasks, agents, frameworks as they change.

use std::sync::Arc;

use tepui_model::{AgentId, FrameworkId, Offer, OfferId, TaskInfo, TaskState, TaskStatus};
use tepui_proto::v1;

/// One change of the cluster, cheap to make when nobody watches.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A new offer.
    OfferAdded {
        /// What it offers to whom.
        offer: Arc<Offer>,
        /// The offer that holds what this one shows, if this one only shows it: the first of them
        /// that is accepted ends the others.
        view_of: Option<OfferId>,
    },
    /// An offer that stands no longer.
    OfferRemoved {
        /// Which.
        offer_id: OfferId,
        /// Whose it was.
        framework_id: FrameworkId,
        /// Of which agent.
        agent_id: AgentId,
        /// Why.
        end: OfferEnd,
    },
    /// A task was launched or came back with its agent.
    TaskAdded {
        /// Whose it is.
        framework_id: FrameworkId,
        /// What it is, with the role that its resources are allocated to.
        task: Arc<TaskInfo>,
        /// The state it starts in here.
        state: TaskState,
    },
    /// The state of a task changed.
    TaskUpdated {
        /// Whose it is.
        framework_id: FrameworkId,
        /// The update.
        status: Box<TaskStatus>,
        /// The newest state, which may be ahead of the update.
        state: TaskState,
    },
    /// An agent registered, or came back.
    AgentAdded(Box<v1::master::response::get_agents::Agent>),
    /// An agent is unreachable or removed.
    AgentRemoved(AgentId),
    /// A framework subscribed.
    FrameworkAdded(Box<v1::master::response::get_frameworks::Framework>),
    /// A framework disconnected, came back or changed what it says of itself.
    FrameworkUpdated(Box<v1::master::response::get_frameworks::Framework>),
    /// A framework was torn down or did not come back in time.
    FrameworkRemoved(Arc<v1::FrameworkInfo>),
}

/// Why an offer stands no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferEnd {
    /// The framework used it.
    Accepted,
    /// The framework refused it.
    Declined,
    /// The agent or the framework went away, or the resources are wanted elsewhere.
    Rescinded,
    /// The framework did not answer in time.
    TimedOut,
}
