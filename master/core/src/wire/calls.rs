//! The scheduler API's calls, from the wire.

mod requests;

use std::sync::Arc;

use tepui_model::{
    AgentId, ExecutorId, Filters, FrameworkId, FrameworkInfo, OfferId, OfferOperation, OperationId,
    Role, StatusUuid, TaskId,
};
use tepui_proto::v1::{
    self,
    scheduler::{Call, call},
};

use super::{In, InvalidMessage, at_most, grace_period};
use crate::{
    calls::{
        Accept, Acknowledge, AcknowledgeOperation, Action, Decline, ExecutorCall, ExecutorWish,
        InverseAnswer, Kill, Operation, OperationQuery, SchedulerCall, Subscribe, TaskQuery,
    },
    limits,
    maintenance::Answer,
};

impl TryFrom<Call> for SchedulerCall {
    type Error = InvalidMessage;

    /// An error ends the stream of who sent it; its text says which field is wrong.
    fn try_from(wire: Call) -> Result<Self, InvalidMessage> {
        let framework_id = wire
            .framework_id
            .as_ref()
            .map(FrameworkId::try_from)
            .transpose();
        let framework_id = framework_id.in_field("framework_id")?;
        Ok(Self {
            framework_id,
            action: action(wire)?,
        })
    }
}

fn action(wire: Call) -> Result<Action, InvalidMessage> {
    use call::Type;
    let unset = |field| InvalidMessage::missing(field);
    let kind = wire.r#type.map(Type::try_from);
    Ok(match kind {
        None | Some(Ok(Type::Unknown)) => return Err(unset("type")),
        Some(Err(unknown)) => return Err(InvalidMessage::new("type", unknown)),
        Some(Ok(Type::Subscribe)) => subscribe(wire.subscribe.ok_or_else(|| unset("subscribe"))?),
        Some(Ok(Type::Teardown)) => Action::Teardown,
        Some(Ok(Type::Accept)) => accept(wire.accept.ok_or_else(|| unset("accept"))?)?,
        Some(Ok(Type::Decline)) => decline(wire.decline.ok_or_else(|| unset("decline"))?)?,
        Some(Ok(Type::AcceptInverseOffers)) => {
            let unset = || unset("accept_inverse_offers");
            let said = wire.accept_inverse_offers.ok_or_else(unset)?;
            let field = "accept_inverse_offers.inverse_offer_ids";
            Action::AnswerInverseOffers(InverseAnswer {
                offers: offer_ids(&said.inverse_offer_ids, field)?,
                answer: Answer::Accepted,
                filters: Filters::from(said.filters),
            })
        }
        Some(Ok(Type::DeclineInverseOffers)) => {
            let unset = || unset("decline_inverse_offers");
            let said = wire.decline_inverse_offers.ok_or_else(unset)?;
            let field = "decline_inverse_offers.inverse_offer_ids";
            Action::AnswerInverseOffers(InverseAnswer {
                offers: offer_ids(&said.inverse_offer_ids, field)?,
                answer: Answer::Declined,
                filters: Filters::from(said.filters),
            })
        }
        Some(Ok(Type::Request)) => {
            let said = wire.request.ok_or_else(|| unset("request"))?;
            requests::request(said)?
        }
        Some(Ok(Type::Revive)) => roles(
            "REVIVE",
            &wire.revive.unwrap_or_default().roles,
            Action::Revive,
        ),
        Some(Ok(Type::Suppress)) => roles(
            "SUPPRESS",
            &wire.suppress.unwrap_or_default().roles,
            Action::Suppress,
        ),
        Some(Ok(Type::Kill)) => kill(&wire.kill.ok_or_else(|| unset("kill"))?)?,
        Some(Ok(Type::Acknowledge)) => {
            acknowledge(&wire.acknowledge.ok_or_else(|| unset("acknowledge"))?)?
        }
        Some(Ok(Type::Reconcile)) => reconcile(&wire.reconcile.unwrap_or_default())?,
        Some(Ok(Type::AcknowledgeOperationStatus)) => {
            let acknowledge = wire.acknowledge_operation_status;
            acknowledge_operation(
                &acknowledge.ok_or_else(|| unset("acknowledge_operation_status"))?,
            )?
        }
        Some(Ok(Type::ReconcileOperations)) => {
            reconcile_operations(&wire.reconcile_operations.unwrap_or_default())?
        }
        Some(Ok(Type::UpdateFramework)) => update_framework(
            wire.update_framework
                .ok_or_else(|| unset("update_framework"))?,
        )?,
        Some(Ok(Type::Shutdown)) => shutdown(&wire.shutdown.ok_or_else(|| unset("shutdown"))?)?,
        Some(Ok(Type::Message)) => message(wire.message.ok_or_else(|| unset("message"))?)?,
    })
}

fn shutdown(wire: &call::Shutdown) -> Result<Action, InvalidMessage> {
    Ok(Action::CallExecutor(ExecutorCall {
        agent_id: AgentId::try_from(&wire.agent_id).in_field("shutdown.agent_id")?,
        executor_id: ExecutorId::try_from(&wire.executor_id).in_field("shutdown.executor_id")?,
        wish: ExecutorWish::ShutDown,
    }))
}

fn message(wire: call::Message) -> Result<Action, InvalidMessage> {
    Ok(Action::CallExecutor(ExecutorCall {
        agent_id: AgentId::try_from(&wire.agent_id).in_field("message.agent_id")?,
        executor_id: ExecutorId::try_from(&wire.executor_id).in_field("message.executor_id")?,
        wish: ExecutorWish::Hear(wire.data),
    }))
}

/// Mesos answers a subscription that cannot be taken with an ERROR event, not with a broken stream.
fn subscribe(wire: call::Subscribe) -> Action {
    match subscription(
        wire.framework_info,
        &wire.suppressed_roles,
        wire.offer_constraints,
    ) {
        Ok(subscribe) => Action::Subscribe(Box::new(subscribe)),
        Err(error) => Action::InvalidSubscription(error.problem),
    }
}

fn update_framework(wire: call::UpdateFramework) -> Result<Action, InvalidMessage> {
    subscription(
        wire.framework_info,
        &wire.suppressed_roles,
        wire.offer_constraints,
    )
    .map(|update| Action::UpdateFramework(Box::new(update)))
}

fn subscription(
    info: v1::FrameworkInfo,
    suppressed_roles: &[String],
    constraints: Option<v1::scheduler::OfferConstraints>,
) -> Result<Subscribe, InvalidMessage> {
    let info = FrameworkInfo::try_from(info).in_field("framework_info")?;
    let suppressed_roles = suppressed_roles
        .iter()
        .map(Role::new)
        .collect::<Result<_, _>>();
    Ok(Subscribe {
        info,
        suppressed_roles: suppressed_roles.in_field("suppressed_roles")?,
        constraints: constraints.map(Arc::new),
    })
}

/// One invalid role, and the whole call has no effect (Mesos: OFF-09, OFF-10).
fn roles(call: &str, names: &[String], make: fn(Vec<Role>) -> Action) -> Action {
    match names.iter().map(Role::new).collect() {
        Ok(roles) => make(roles),
        Err(error) => Action::Ignored(format!("{call}: {error}")),
    }
}

fn offer_ids(wire: &[v1::OfferId], field: &str) -> Result<Vec<OfferId>, InvalidMessage> {
    at_most(wire.len(), limits::MAX_OFFERS_PER_CALL, field)?;
    wire.iter()
        .map(OfferId::try_from)
        .collect::<Result<_, _>>()
        .in_field(field)
}

fn accept(wire: call::Accept) -> Result<Action, InvalidMessage> {
    at_most(
        wire.operations.len(),
        limits::MAX_OPERATIONS_PER_ACCEPT,
        "accept.operations",
    )?;
    let offers = offer_ids(&wire.offer_ids, "accept.offer_ids")?;
    let all_or_nothing = wire.tepui_all_or_nothing.unwrap_or_default();
    let filters = Filters::from(wire.filters);
    let operations: Vec<_> = wire
        .operations
        .into_iter()
        .map(operation)
        .collect::<Result<_, _>>()?;
    let tasks = operations
        .iter()
        .map(|operation| operation.kind.tasks().len())
        .sum();
    at_most(
        tasks,
        limits::MAX_TASKS_PER_ACCEPT,
        "accept.operations.launch.task_infos",
    )?;
    Ok(Action::Accept(Accept {
        offers,
        operations,
        filters,
        all_or_nothing,
    }))
}

fn operation(wire: v1::offer::Operation) -> Result<Operation, InvalidMessage> {
    let id = wire.id.as_ref().map(OperationId::try_from).transpose();
    Ok(Operation {
        id: id.in_field("accept.operations.id")?,
        kind: OfferOperation::from(wire),
    })
}

fn decline(wire: call::Decline) -> Result<Action, InvalidMessage> {
    let offers = offer_ids(&wire.offer_ids, "decline.offer_ids")?;
    Ok(Action::Decline(Decline {
        offers,
        filters: Filters::from(wire.filters),
    }))
}

fn kill(wire: &call::Kill) -> Result<Action, InvalidMessage> {
    let grace = wire
        .kill_policy
        .as_ref()
        .and_then(|policy| policy.grace_period);
    Ok(Action::Kill(Kill {
        task_id: TaskId::try_from(&wire.task_id).in_field("kill.task_id")?,
        agent_id: agent_id(wire.agent_id.as_ref(), "kill.agent_id")?,
        grace: grace_period(grace, "kill.kill_policy.grace_period")?,
    }))
}

fn agent_id(wire: Option<&v1::AgentId>, field: &str) -> Result<Option<AgentId>, InvalidMessage> {
    wire.map(AgentId::try_from).transpose().in_field(field)
}

fn acknowledge(wire: &call::Acknowledge) -> Result<Action, InvalidMessage> {
    Ok(Action::Acknowledge(Acknowledge {
        agent_id: AgentId::try_from(&wire.agent_id).in_field("acknowledge.agent_id")?,
        task_id: TaskId::try_from(&wire.task_id).in_field("acknowledge.task_id")?,
        uuid: StatusUuid::try_from(wire.uuid.as_slice()).in_field("acknowledge.uuid")?,
    }))
}

fn acknowledge_operation(
    wire: &call::AcknowledgeOperationStatus,
) -> Result<Action, InvalidMessage> {
    const AGENT: &str = "acknowledge_operation_status.agent_id";
    const OPERATION: &str = "acknowledge_operation_status.operation_id";
    const UUID: &str = "acknowledge_operation_status.uuid";
    Ok(Action::AcknowledgeOperation(AcknowledgeOperation {
        agent_id: agent_id(wire.agent_id.as_ref(), AGENT)?,
        operation_id: OperationId::try_from(&wire.operation_id).in_field(OPERATION)?,
        uuid: StatusUuid::try_from(wire.uuid.as_slice()).in_field(UUID)?,
    }))
}

fn reconcile(wire: &call::Reconcile) -> Result<Action, InvalidMessage> {
    at_most(
        wire.tasks.len(),
        limits::MAX_TASKS_PER_RECONCILIATION,
        "reconcile.tasks",
    )?;
    let query = |task: &call::reconcile::Task| {
        Ok(TaskQuery {
            task_id: TaskId::try_from(&task.task_id).in_field("reconcile.tasks.task_id")?,
            agent_id: agent_id(task.agent_id.as_ref(), "reconcile.tasks.agent_id")?,
        })
    };
    Ok(Action::Reconcile(
        wire.tasks.iter().map(query).collect::<Result<_, _>>()?,
    ))
}

fn reconcile_operations(wire: &call::ReconcileOperations) -> Result<Action, InvalidMessage> {
    const FIELD: &str = "reconcile_operations.operations";
    at_most(
        wire.operations.len(),
        limits::MAX_OPERATIONS_PER_RECONCILIATION,
        FIELD,
    )?;
    let query = |operation: &call::reconcile_operations::Operation| {
        Ok(OperationQuery {
            operation_id: OperationId::try_from(&operation.operation_id).in_field(FIELD)?,
            agent_id: agent_id(operation.agent_id.as_ref(), FIELD)?,
        })
    };
    let queries = wire
        .operations
        .iter()
        .map(query)
        .collect::<Result<_, _>>()?;
    Ok(Action::ReconcileOperations(queries))
}

#[cfg(test)]
mod tests;
