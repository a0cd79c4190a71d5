//! What watchers hear, to the wire: the v1 event stream and the stream of offers.

use tepui_model::Offer;
use tepui_proto::{
    services::{self, OfferChange, offer_change, offer_removed},
    v1::{
        self,
        master::{Event, event},
    },
};

use crate::notices::{Notice, OfferEnd};

impl Notice {
    /// The event of the v1 operator API; `None` for changes of offers, which it does not have.
    #[must_use]
    pub fn to_event(&self) -> Option<Event> {
        Some(match self {
            Self::OfferAdded { .. } | Self::OfferRemoved { .. } => return None,
            Self::TaskAdded {
                framework_id,
                task,
                state,
            } => Event {
                r#type: Some(event::Type::TaskAdded.into()),
                task_added: Some(event::TaskAdded {
                    task: task.to_task(framework_id, *state),
                }),
                ..Event::default()
            },
            Self::TaskUpdated {
                framework_id,
                status,
                state,
            } => Event {
                r#type: Some(event::Type::TaskUpdated.into()),
                task_updated: Some(event::TaskUpdated {
                    framework_id: framework_id.into(),
                    status: v1::TaskStatus::from(&**status),
                    state: v1::TaskState::from(*state).into(),
                }),
                ..Event::default()
            },
            Self::AgentAdded(agent) => Event {
                r#type: Some(event::Type::AgentAdded.into()),
                agent_added: Some(event::AgentAdded {
                    agent: (**agent).clone(),
                }),
                ..Event::default()
            },
            Self::AgentRemoved(id) => Event {
                r#type: Some(event::Type::AgentRemoved.into()),
                agent_removed: Some(event::AgentRemoved {
                    agent_id: id.into(),
                }),
                ..Event::default()
            },
            Self::FrameworkAdded(framework) => Event {
                r#type: Some(event::Type::FrameworkAdded.into()),
                framework_added: Some(event::FrameworkAdded {
                    framework: (**framework).clone(),
                }),
                ..Event::default()
            },
            Self::FrameworkUpdated(framework) => Event {
                r#type: Some(event::Type::FrameworkUpdated.into()),
                framework_updated: Some(event::FrameworkUpdated {
                    framework: (**framework).clone(),
                }),
                ..Event::default()
            },
            Self::FrameworkRemoved(info) => Event {
                r#type: Some(event::Type::FrameworkRemoved.into()),
                framework_removed: Some(event::FrameworkRemoved {
                    framework_info: v1::FrameworkInfo::clone(info),
                }),
                ..Event::default()
            },
        })
    }

    /// The change of offers that it is, if it is one.
    #[must_use]
    pub fn to_offer_change(&self) -> Option<OfferChange> {
        let change = match self {
            Self::OfferAdded { offer, .. } => {
                offer_change::Change::Added(v1::Offer::from(&**offer))
            }
            Self::OfferRemoved {
                offer_id,
                framework_id,
                agent_id,
                end,
            } => offer_change::Change::Removed(services::OfferRemoved {
                offer_id: Some(offer_id.into()),
                framework_id: Some(framework_id.into()),
                agent_id: Some(agent_id.into()),
                reason: reason(*end).into(),
            }),
            _ => return None,
        };
        Some(OfferChange {
            change: Some(change),
        })
    }
}

const fn reason(end: OfferEnd) -> offer_removed::Reason {
    match end {
        OfferEnd::Accepted => offer_removed::Reason::Accepted,
        OfferEnd::Declined => offer_removed::Reason::Declined,
        OfferEnd::Rescinded => offer_removed::Reason::Rescinded,
        OfferEnd::TimedOut => offer_removed::Reason::TimedOut,
    }
}

/// The changes that begin a stream of offers: those that stand, then the end of the snapshot.
pub fn offer_snapshot<'a>(
    offers: impl IntoIterator<Item = &'a Offer>,
) -> impl Iterator<Item = OfferChange> {
    let added = offers
        .into_iter()
        .map(v1::Offer::from)
        .map(offer_change::Change::Added);
    let end = offer_change::Change::SnapshotEnd(services::SnapshotEnd {});
    // The iterator must not borrow the offers beyond their own life, so it is made at once.
    let changes: Vec<_> = added.chain([end]).collect();
    changes.into_iter().map(|change| OfferChange {
        change: Some(change),
    })
}

#[cfg(test)]
mod tests;
