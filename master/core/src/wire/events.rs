//! The scheduler API's events, to the wire.

use tepui_model::{AgentId, ExecutorId, OfferId, TaskStatus};
use tepui_proto::v1::{
    self,
    scheduler::{Event, event},
};

use crate::{effects::FrameworkEvent, maintenance::InverseOffer};

impl From<FrameworkEvent> for Event {
    fn from(event: FrameworkEvent) -> Self {
        match event {
            FrameworkEvent::Subscribed {
                framework_id,
                heartbeat_interval,
                master,
            } => Self {
                r#type: Some(event::Type::Subscribed.into()),
                subscribed: Some(event::Subscribed {
                    framework_id: framework_id.into(),
                    heartbeat_interval_seconds: Some(heartbeat_interval.as_secs_f64()),
                    master_info: Some(v1::MasterInfo::clone(&master)),
                }),
                ..Self::default()
            },
            FrameworkEvent::Offers { offers, form } => Self {
                r#type: Some(event::Type::Offers.into()),
                offers: Some(event::Offers {
                    offers: offers.iter().map(|offer| offer.to_proto_as(form)).collect(),
                }),
                ..Self::default()
            },
            FrameworkEvent::Rescind(offer_id) => Self {
                r#type: Some(event::Type::Rescind.into()),
                rescind: Some(event::Rescind {
                    offer_id: offer_id.into(),
                }),
                ..Self::default()
            },
            FrameworkEvent::InverseOffers(offers) => inverse_offers(&offers),
            FrameworkEvent::RescindInverseOffer(id) => rescind_inverse_offer(id),
            FrameworkEvent::Update(status) => update_event(&status),
            FrameworkEvent::InvalidTask {
                task_id,
                agent_id,
                message,
            } => invalid_task(task_id, agent_id, message),
            FrameworkEvent::OperationUpdate(status) => Self {
                r#type: Some(event::Type::UpdateOperationStatus.into()),
                update_operation_status: Some(event::UpdateOperationStatus {
                    status: v1::OperationStatus::from(&*status),
                }),
                ..Self::default()
            },
            FrameworkEvent::Failure {
                agent_id,
                executor_id,
                status,
            } => Self {
                r#type: Some(event::Type::Failure.into()),
                failure: Some(event::Failure {
                    agent_id: Some(agent_id.into()),
                    executor_id: executor_id.map(Into::into),
                    status,
                }),
                ..Self::default()
            },
            FrameworkEvent::Message {
                agent_id,
                executor_id,
                data,
            } => message(agent_id, executor_id, data),
            FrameworkEvent::Error(message) => error_event(message),
        }
    }
}

fn message(agent_id: AgentId, executor_id: ExecutorId, data: Vec<u8>) -> Event {
    Event {
        r#type: Some(event::Type::Message.into()),
        message: Some(event::Message {
            agent_id: agent_id.into(),
            executor_id: executor_id.into(),
            data,
        }),
        ..Event::default()
    }
}

fn inverse_offers(offers: &[InverseOffer]) -> Event {
    Event {
        r#type: Some(event::Type::InverseOffers.into()),
        inverse_offers: Some(event::InverseOffers {
            inverse_offers: offers.iter().map(Into::into).collect(),
        }),
        ..Event::default()
    }
}

fn rescind_inverse_offer(id: OfferId) -> Event {
    Event {
        r#type: Some(event::Type::RescindInverseOffer.into()),
        rescind_inverse_offer: Some(event::RescindInverseOffer {
            inverse_offer_id: id.into(),
        }),
        ..Event::default()
    }
}

impl From<&InverseOffer> for v1::InverseOffer {
    /// About the whole agent when no resources are named, as always in Mesos.
    fn from(offer: &InverseOffer) -> Self {
        let resources = offer.resources.iter();
        let resources = resources.flat_map(|(role, lost)| lost.to_proto(Some(role)));
        Self {
            id: (&offer.id).into(),
            url: None,
            framework_id: (&offer.framework_id).into(),
            agent_id: Some((&offer.agent_id).into()),
            unavailability: offer.unavailability.into(),
            resources: resources.collect(),
        }
    }
}

/// An UPDATE of a task.
#[must_use]
pub fn update_event(status: &TaskStatus) -> Event {
    update(v1::TaskStatus::from(status))
}

fn update(status: v1::TaskStatus) -> Event {
    Event {
        r#type: Some(event::Type::Update.into()),
        update: Some(event::Update { status }),
        ..Event::default()
    }
}

fn invalid_task(task_id: String, agent_id: String, message: String) -> Event {
    update(v1::TaskStatus {
        task_id: v1::TaskId { value: task_id },
        state: v1::TaskState::TaskError.into(),
        message: Some(message),
        source: Some(v1::task_status::Source::Master.into()),
        reason: Some(v1::task_status::Reason::TaskInvalid.into()),
        agent_id: Some(v1::AgentId { value: agent_id }),
        ..v1::TaskStatus::default()
    })
}

/// An ERROR, after which the stream ends.
#[must_use]
pub fn error_event(message: String) -> Event {
    Event {
        r#type: Some(event::Type::Error.into()),
        error: Some(event::Error { message }),
        ..Event::default()
    }
}

/// The HEARTBEAT that the shell sends while nothing else is said.
#[must_use]
pub fn heartbeat_event() -> Event {
    Event {
        r#type: Some(event::Type::Heartbeat.into()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests;
