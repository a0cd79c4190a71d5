//! The v1 calls, built in one place.

use std::time::Duration;

use tepui_model::{AgentId, ExecutorId, Filters, OfferId, OperationId, TaskId};
use tepui_proto::v1::{
    self,
    scheduler::{Call, OfferConstraints, call, call::Type},
};

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

pub(crate) fn subscribe(
    info: v1::FrameworkInfo,
    suppressed_roles: Vec<String>,
    offer_constraints: Option<OfferConstraints>,
) -> Call {
    let subscribe = call::Subscribe {
        framework_info: info.clone(),
        suppressed_roles,
        offer_constraints,
    };
    Call {
        framework_id: info.id,
        subscribe: Some(subscribe),
        ..of(Type::Subscribe)
    }
}

pub(crate) fn accept(
    offers: &[OfferId],
    operations: Vec<v1::offer::Operation>,
    filters: Filters,
    all_or_nothing: bool,
) -> Call {
    let accept = call::Accept {
        offer_ids: offers.iter().map(Into::into).collect(),
        operations,
        filters: Some(filters.into()),
        // Unset unless it is wanted, as a Mesos client has it.
        tepui_all_or_nothing: all_or_nothing.then_some(true),
    };
    Call {
        accept: Some(accept),
        ..of(Type::Accept)
    }
}

/// States what the framework waits for.
pub(crate) fn request(requests: Vec<v1::Request>) -> Call {
    Call {
        request: Some(call::Request { requests }),
        ..of(Type::Request)
    }
}

pub(crate) fn decline(offers: &[OfferId], filters: Filters) -> Call {
    let decline = call::Decline {
        offer_ids: offers.iter().map(Into::into).collect(),
        filters: Some(filters.into()),
    };
    Call {
        decline: Some(decline),
        ..of(Type::Decline)
    }
}

pub(crate) fn answer_inverse(offers: &[OfferId], leaves: bool, filters: Filters) -> Call {
    let inverse_offer_ids: Vec<_> = offers.iter().map(Into::into).collect();
    let filters = Some(filters.into());
    if leaves {
        let accept = call::AcceptInverseOffers {
            inverse_offer_ids,
            filters,
        };
        return Call {
            accept_inverse_offers: Some(accept),
            ..of(Type::AcceptInverseOffers)
        };
    }
    let decline = call::DeclineInverseOffers {
        inverse_offer_ids,
        filters,
    };
    Call {
        decline_inverse_offers: Some(decline),
        ..of(Type::DeclineInverseOffers)
    }
}

pub(crate) fn kill(task: &TaskId, agent: Option<&AgentId>, grace: Option<Duration>) -> Call {
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

/// The policy that gives a task `grace` between TERM and KILL.
pub(crate) fn kill_policy(grace: Duration) -> v1::KillPolicy {
    let nanoseconds = i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX);
    v1::KillPolicy {
        grace_period: Some(v1::DurationInfo { nanoseconds }),
    }
}

pub(crate) fn acknowledge(agent: &AgentId, task: &TaskId, uuid: Vec<u8>) -> Call {
    let acknowledge = call::Acknowledge {
        agent_id: agent.into(),
        task_id: task.into(),
        uuid,
    };
    Call {
        acknowledge: Some(acknowledge),
        ..of(Type::Acknowledge)
    }
}

pub(crate) fn acknowledge_operation(
    agent: &AgentId,
    operation: &OperationId,
    uuid: Vec<u8>,
) -> Call {
    let acknowledge = call::AcknowledgeOperationStatus {
        agent_id: Some(agent.into()),
        resource_provider_id: None,
        uuid,
        operation_id: operation.into(),
    };
    Call {
        acknowledge_operation_status: Some(acknowledge),
        ..of(Type::AcknowledgeOperationStatus)
    }
}

/// Asks for the state of `tasks`; of all that the master knows when there are none.
pub(crate) fn reconcile(tasks: Vec<call::reconcile::Task>) -> Call {
    Call {
        reconcile: Some(call::Reconcile { tasks }),
        ..of(Type::Reconcile)
    }
}

/// Asks for the state of `operations`; of all that the master knows when there are none.
pub(crate) fn reconcile_operations(operations: Vec<call::reconcile_operations::Operation>) -> Call {
    Call {
        reconcile_operations: Some(call::ReconcileOperations { operations }),
        ..of(Type::ReconcileOperations)
    }
}

pub(crate) fn revive(roles: Vec<String>) -> Call {
    let revive = call::Revive { roles };
    Call {
        revive: Some(revive),
        ..of(Type::Revive)
    }
}

pub(crate) fn suppress(roles: Vec<String>) -> Call {
    let suppress = call::Suppress { roles };
    Call {
        suppress: Some(suppress),
        ..of(Type::Suppress)
    }
}

pub(crate) fn message(agent: &AgentId, executor: &ExecutorId, data: Vec<u8>) -> Call {
    let message = call::Message {
        agent_id: agent.into(),
        executor_id: executor.into(),
        data,
    };
    Call {
        message: Some(message),
        ..of(Type::Message)
    }
}

pub(crate) fn shutdown(agent: &AgentId, executor: &ExecutorId) -> Call {
    let shutdown = call::Shutdown {
        agent_id: agent.into(),
        executor_id: executor.into(),
    };
    Call {
        shutdown: Some(shutdown),
        ..of(Type::Shutdown)
    }
}

pub(crate) fn teardown() -> Call {
    of(Type::Teardown)
}
