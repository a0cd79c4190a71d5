//! What a scheduler asks for, as calls of v1; the session says whose they are.

use tepui_sdk::v1::{
    self,
    scheduler::{Call, OfferConstraints, call, call::Type},
};

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

pub(super) fn subscribe(
    framework: v1::FrameworkInfo,
    suppressed_roles: Vec<String>,
    offer_constraints: Option<OfferConstraints>,
) -> Call {
    Call {
        framework_id: framework.id.clone(),
        subscribe: Some(call::Subscribe {
            framework_info: framework,
            suppressed_roles,
            offer_constraints,
        }),
        ..of(Type::Subscribe)
    }
}

pub(super) fn update_framework(
    framework: v1::FrameworkInfo,
    suppressed_roles: Vec<String>,
    offer_constraints: Option<OfferConstraints>,
) -> Call {
    Call {
        update_framework: Some(call::UpdateFramework {
            framework_info: framework,
            suppressed_roles,
            offer_constraints,
        }),
        ..of(Type::UpdateFramework)
    }
}

pub(super) fn teardown() -> Call {
    of(Type::Teardown)
}

pub(super) fn accept(
    offer_ids: Vec<v1::OfferId>,
    operations: Vec<v1::offer::Operation>,
    filters: v1::Filters,
) -> Call {
    Call {
        accept: Some(call::Accept {
            offer_ids,
            operations,
            filters: Some(filters),
            ..call::Accept::default()
        }),
        ..of(Type::Accept)
    }
}

/// The operation that launches tasks.
pub(super) fn launch(task_infos: Vec<v1::TaskInfo>) -> v1::offer::Operation {
    v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch { task_infos }),
        ..v1::offer::Operation::default()
    }
}

pub(super) fn decline(offer: v1::OfferId, filters: v1::Filters) -> Call {
    Call {
        decline: Some(call::Decline {
            offer_ids: vec![offer],
            filters: Some(filters),
        }),
        ..of(Type::Decline)
    }
}

pub(super) fn kill(task_id: v1::TaskId) -> Call {
    Call {
        kill: Some(call::Kill {
            task_id,
            ..call::Kill::default()
        }),
        ..of(Type::Kill)
    }
}

pub(super) fn request(requests: Vec<v1::Request>) -> Call {
    Call {
        request: Some(call::Request { requests }),
        ..of(Type::Request)
    }
}

pub(super) fn revive(roles: Vec<String>) -> Call {
    Call {
        revive: Some(call::Revive { roles }),
        ..of(Type::Revive)
    }
}

pub(super) fn suppress(roles: Vec<String>) -> Call {
    Call {
        suppress: Some(call::Suppress { roles }),
        ..of(Type::Suppress)
    }
}

/// What acknowledges an update; one that the master or the driver made up wants nothing.
pub(super) fn acknowledge(status: &v1::TaskStatus) -> Option<Call> {
    let uuid = status.uuid.clone().filter(|uuid| !uuid.is_empty())?;
    Some(Call {
        acknowledge: Some(call::Acknowledge {
            agent_id: status.agent_id.clone()?,
            task_id: status.task_id.clone(),
            uuid,
        }),
        ..of(Type::Acknowledge)
    })
}

pub(super) fn message(executor_id: v1::ExecutorId, agent_id: v1::AgentId, data: Vec<u8>) -> Call {
    Call {
        message: Some(call::Message {
            agent_id,
            executor_id,
            data,
        }),
        ..of(Type::Message)
    }
}

/// Asks about the tasks of these statuses; about all when there are none.
pub(super) fn reconcile(statuses: Vec<v1::TaskStatus>) -> Call {
    let task = |status: v1::TaskStatus| call::reconcile::Task {
        task_id: status.task_id,
        agent_id: status.agent_id,
    };
    Call {
        reconcile: Some(call::Reconcile {
            tasks: statuses.into_iter().map(task).collect(),
        }),
        ..of(Type::Reconcile)
    }
}
