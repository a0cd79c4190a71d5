//! The calls that a framework makes, in their wire form.

use core::time::Duration;

use tepui_model::{AgentId, Filters, OfferId, OperationId, StatusUuid, TaskId};
use tepui_proto::v1::{
    self,
    scheduler::{Call, call, call::Type},
};

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

pub(super) fn subscribe(framework_info: v1::FrameworkInfo, suppressed_roles: Vec<String>) -> Call {
    let framework_id = framework_info.id.clone();
    let subscribe = call::Subscribe {
        framework_info,
        suppressed_roles,
        offer_constraints: None,
    };
    Call {
        framework_id,
        subscribe: Some(subscribe),
        ..of(Type::Subscribe)
    }
}

pub(super) fn update(framework_info: v1::FrameworkInfo, suppressed_roles: Vec<String>) -> Call {
    let framework_id = framework_info.id.clone();
    let update = call::UpdateFramework {
        framework_info,
        suppressed_roles,
        offer_constraints: None,
    };
    Call {
        framework_id,
        update_framework: Some(update),
        ..of(Type::UpdateFramework)
    }
}

/// Uses offers: first these operations on resources, then a launch of these tasks.
pub(super) fn accept(
    offers: &[OfferId],
    mut operations: Vec<v1::offer::Operation>,
    tasks: Vec<v1::TaskInfo>,
    filters: Filters,
) -> Call {
    operations.push(v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch { task_infos: tasks }),
        ..v1::offer::Operation::default()
    });
    let accept = call::Accept {
        offer_ids: offers.iter().map(Into::into).collect(),
        operations,
        filters: Some(filters.into()),
        ..call::Accept::default()
    };
    Call {
        accept: Some(accept),
        ..of(Type::Accept)
    }
}

/// Says whether the framework leaves in time.
pub(super) fn answer_inverse_offers(
    inverse_offer_ids: Vec<v1::OfferId>,
    leaves: bool,
    filters: Filters,
) -> Call {
    let filters = Some(filters.into());
    if leaves {
        return Call {
            accept_inverse_offers: Some(call::AcceptInverseOffers {
                inverse_offer_ids,
                filters,
            }),
            ..of(Type::AcceptInverseOffers)
        };
    }
    Call {
        decline_inverse_offers: Some(call::DeclineInverseOffers {
            inverse_offer_ids,
            filters,
        }),
        ..of(Type::DeclineInverseOffers)
    }
}

pub(super) fn decline(offers: &[OfferId], filters: Filters) -> Call {
    let offer_ids = offers.iter().map(Into::into).collect();
    let decline = call::Decline {
        offer_ids,
        filters: Some(filters.into()),
    };
    Call {
        decline: Some(decline),
        ..of(Type::Decline)
    }
}

pub(super) fn kill(task: &TaskId, agent: Option<&AgentId>, grace: Option<Duration>) -> Call {
    let kill = call::Kill {
        task_id: task.into(),
        agent_id: agent.map(Into::into),
        kill_policy: grace.map(kill_policy),
    };
    Call {
        kill: Some(kill),
        ..of(Type::Kill)
    }
}

pub(super) fn kill_policy(grace: Duration) -> v1::KillPolicy {
    let grace_period = Some(tepui_model::time::span_to(grace));
    v1::KillPolicy { grace_period }
}

pub(super) fn acknowledge(agent: &AgentId, task: &TaskId, uuid: StatusUuid) -> Call {
    let acknowledge = call::Acknowledge {
        agent_id: agent.into(),
        task_id: task.into(),
        uuid: uuid.to_vec(),
    };
    Call {
        acknowledge: Some(acknowledge),
        ..of(Type::Acknowledge)
    }
}

pub(super) fn acknowledge_operation(
    agent: Option<&AgentId>,
    operation: &OperationId,
    uuid: StatusUuid,
) -> Call {
    let acknowledge = call::AcknowledgeOperationStatus {
        agent_id: agent.map(Into::into),
        resource_provider_id: None,
        uuid: uuid.to_vec(),
        operation_id: operation.into(),
    };
    Call {
        acknowledge_operation_status: Some(acknowledge),
        ..of(Type::AcknowledgeOperationStatus)
    }
}

/// Asks for these operations; for all that the master knows when there are none.
pub(super) fn reconcile_operations(operations: &[(OperationId, AgentId)]) -> Call {
    let operation = |(id, agent): &(OperationId, AgentId)| call::reconcile_operations::Operation {
        operation_id: id.into(),
        agent_id: Some(agent.into()),
        resource_provider_id: None,
    };
    let reconcile = call::ReconcileOperations {
        operations: operations.iter().map(operation).collect(),
    };
    Call {
        reconcile_operations: Some(reconcile),
        ..of(Type::ReconcileOperations)
    }
}

/// Asks for these tasks; for all that the master knows when there are none.
pub(super) fn reconcile(tasks: &[(TaskId, Option<AgentId>)]) -> Call {
    let task = |(task, agent): &(TaskId, Option<AgentId>)| call::reconcile::Task {
        task_id: task.into(),
        agent_id: agent.as_ref().map(Into::into),
    };
    let reconcile = call::Reconcile {
        tasks: tasks.iter().map(task).collect(),
    };
    Call {
        reconcile: Some(reconcile),
        ..of(Type::Reconcile)
    }
}

pub(super) fn revive(roles: &[String]) -> Call {
    Call {
        revive: Some(call::Revive {
            roles: roles.to_vec(),
        }),
        ..of(Type::Revive)
    }
}

pub(super) fn suppress(roles: &[String]) -> Call {
    Call {
        suppress: Some(call::Suppress {
            roles: roles.to_vec(),
        }),
        ..of(Type::Suppress)
    }
}

pub(super) fn teardown() -> Call {
    of(Type::Teardown)
}

/// Whether the master must tolerate that the call arrives twice.
pub(super) fn is_repeatable(call: &Call) -> bool {
    matches!(
        call.r#type(),
        Type::Acknowledge
            | Type::AcknowledgeOperationStatus
            | Type::Decline
            | Type::Kill
            | Type::Reconcile
            | Type::ReconcileOperations
    )
}
