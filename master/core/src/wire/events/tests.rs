//! Tests of the module that this one belongs to.

use std::sync::Arc;

use core::time::Duration;

use tepui_model::{AgentId, FrameworkId, OfferId, TaskId, TaskState};

use super::*;
use crate::{OperationState, OperationStatus};

fn kind(event: FrameworkEvent) -> (event::Type, Event) {
    let wire = Event::from(event);
    (wire.r#type(), wire)
}

#[test]
fn every_event_has_its_type_and_its_body() {
    let agent_id = AgentId::new("a").unwrap();
    let (subscribed, wire) = kind(FrameworkEvent::Subscribed {
        framework_id: FrameworkId::new("f").unwrap(),
        heartbeat_interval: Duration::from_secs(15),
        master: Arc::new(v1::MasterInfo::default()),
    });
    assert_eq!(subscribed, event::Type::Subscribed);
    assert_eq!(wire.subscribed.unwrap().heartbeat_interval_seconds(), 15.0);
    let (rescind, wire) = kind(FrameworkEvent::Rescind(OfferId::new("o").unwrap()));
    assert_eq!(rescind, event::Type::Rescind);
    assert_eq!(wire.rescind.unwrap().offer_id.value, "o");
    let status = TaskStatus::new(TaskId::new("t").unwrap(), TaskState::Running);
    let (update, wire) = kind(FrameworkEvent::Update(Box::new(status)));
    assert_eq!(update, event::Type::Update);
    assert_eq!(
        wire.update.unwrap().status.state(),
        v1::TaskState::TaskRunning
    );
    let (failure, wire) = kind(FrameworkEvent::Failure {
        agent_id,
        executor_id: None,
        status: None,
    });
    assert_eq!(failure, event::Type::Failure);
    assert_eq!(wire.failure.unwrap().agent_id.unwrap().value, "a");
    let (error, wire) = kind(FrameworkEvent::Error("e".to_owned()));
    assert_eq!(error, event::Type::Error);
    assert_eq!(wire.error.unwrap().message, "e");
    assert_eq!(heartbeat_event().r#type(), event::Type::Heartbeat);
    let operation = Box::new(OperationStatus::new(None, OperationState::Finished));
    let (operation, wire) = kind(FrameworkEvent::OperationUpdate(operation));
    assert_eq!(operation, event::Type::UpdateOperationStatus);
    assert!(wire.update_operation_status.is_some());
    assert_eq!(
        kind(FrameworkEvent::Offers {
            offers: Vec::new(),
            form: tepui_model::ReservationForm::Stack
        })
        .0,
        event::Type::Offers
    );
}

#[test]
fn a_task_whose_id_is_none_is_an_error_of_the_master() {
    let (update, wire) = kind(FrameworkEvent::InvalidTask {
        task_id: "a/b".to_owned(),
        agent_id: "x".to_owned(),
        message: "m".to_owned(),
    });
    assert_eq!(update, event::Type::Update);
    let status = wire.update.unwrap().status;
    assert_eq!(
        (status.task_id.value.as_str(), status.message()),
        ("a/b", "m")
    );
    assert_eq!(status.state(), v1::TaskState::TaskError);
    assert_eq!(status.source(), v1::task_status::Source::Master);
    assert_eq!(status.reason(), v1::task_status::Reason::TaskInvalid);
}
