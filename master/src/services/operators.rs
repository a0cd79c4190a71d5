//! The operator API: calls, and streams of offers and events.

use std::time::Duration;

use tepui_master_core::{OperatorCall, OperatorReply};
use tepui_model::{FrameworkId, TaskId};
use tepui_proto::{
    services::{
        ExplainRequest, Explanation, GetPrioritiesRequest, GetPrioritiesResponse, KillTaskRequest,
        KillTaskResponse, OfferChange, UpdatePrioritiesRequest, UpdatePrioritiesResponse,
        WatchEventsRequest, WatchOffersRequest, operator_server::Operator,
    },
    v1::{
        self,
        master::{Call, Event, Response as Answer, call, event, response},
    },
};
use tonic::{Request, Response, Status};

use crate::{
    dispatch::Watcher,
    front::Front,
    limits,
    outbox::{Outgoing, outbox},
};

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) front: Front,
    pub(super) flags: Vec<v1::Flag>,
}

#[tonic::async_trait]
impl Operator for Service {
    type WatchOffersStream = Outgoing<OfferChange>;
    type WatchEventsStream = Outgoing<Event>;

    async fn call(&self, request: Request<Call>) -> Result<Response<Answer>, Status> {
        let call = request.into_inner();
        if let Some(answer) = self.answer(call.r#type()).await? {
            return Ok(Response::new(answer));
        }
        match self.front.ask(OperatorCall::V1(Box::new(call))).await? {
            OperatorReply::V1(answer) => Ok(Response::new(*answer)),
            _ => Ok(Response::new(Answer::default())),
        }
    }

    async fn watch_offers(
        &self,
        request: Request<WatchOffersRequest>,
    ) -> Result<Response<Self::WatchOffersStream>, Status> {
        let framework = framework_id(request.into_inner().framework_id)?;
        let (outbox, outgoing) = outbox();
        let call = OperatorCall::Offers {
            framework_id: framework.clone(),
        };
        self.front
            .watch(call, Watcher::Offers { outbox, framework })
            .await?;
        Ok(Response::new(outgoing))
    }

    async fn watch_events(
        &self,
        _: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let (outbox, outgoing) = outbox();
        let call = Call {
            r#type: Some(call::Type::GetState.into()),
            ..Call::default()
        };
        let call = OperatorCall::V1(Box::new(call));
        self.front.watch(call, Watcher::Events { outbox }).await?;
        Ok(Response::new(
            outgoing.with_heartbeat(limits::HEARTBEAT, heartbeat),
        ))
    }

    async fn explain(
        &self,
        request: Request<ExplainRequest>,
    ) -> Result<Response<Explanation>, Status> {
        let call = OperatorCall::Explain(Box::new(request.into_inner()));
        match self.front.ask(call).await? {
            OperatorReply::Explanation(explanation) => Ok(Response::new(*explanation)),
            _ => Err(Status::internal("the core answered something else")),
        }
    }

    async fn update_priorities(
        &self,
        request: Request<UpdatePrioritiesRequest>,
    ) -> Result<Response<UpdatePrioritiesResponse>, Status> {
        let call = OperatorCall::UpdatePriorities(request.into_inner().priorities);
        self.front.ask(call).await?;
        Ok(Response::new(UpdatePrioritiesResponse {}))
    }

    async fn get_priorities(
        &self,
        _: Request<GetPrioritiesRequest>,
    ) -> Result<Response<GetPrioritiesResponse>, Status> {
        match self.front.ask(OperatorCall::Priorities).await? {
            OperatorReply::Priorities(priorities) => {
                Ok(Response::new(GetPrioritiesResponse { priorities }))
            }
            _ => Err(Status::internal("the core answered something else")),
        }
    }

    async fn kill_task(
        &self,
        request: Request<KillTaskRequest>,
    ) -> Result<Response<KillTaskResponse>, Status> {
        let request = request.into_inner();
        let task_id = request
            .task_id
            .ok_or_else(|| invalid("task_id", "must be set"))?;
        let call = OperatorCall::KillTask {
            framework_id: framework_id(request.framework_id)?,
            task_id: TaskId::try_from(&task_id).map_err(|error| invalid("task_id", error))?,
            grace: request.grace_period.map(grace).transpose()?,
        };
        self.front.ask(call).await?;
        Ok(Response::new(KillTaskResponse {}))
    }
}

impl Service {
    /// The answer to a call that is about the server and not about the cluster.
    async fn answer(&self, call: call::Type) -> Result<Option<Answer>, Status> {
        let (kind, mut answer) = match call {
            call::Type::GetHealth => {
                let healthy = self.front.probe().await.is_ok();
                let get_health = Some(response::GetHealth { healthy });
                (
                    response::Type::GetHealth,
                    Answer {
                        get_health,
                        ..Answer::default()
                    },
                )
            }
            call::Type::GetFlags => {
                let get_flags = Some(response::GetFlags {
                    flags: self.flags.clone(),
                });
                (
                    response::Type::GetFlags,
                    Answer {
                        get_flags,
                        ..Answer::default()
                    },
                )
            }
            call::Type::Subscribe => {
                return Err(Status::invalid_argument(
                    "SUBSCRIBE is served by WatchEvents",
                ));
            }
            _ => return Ok(None),
        };
        answer.r#type = Some(kind.into());
        Ok(Some(answer))
    }
}

fn heartbeat() -> Event {
    Event {
        r#type: Some(event::Type::Heartbeat.into()),
        ..Event::default()
    }
}

fn framework_id(id: Option<v1::FrameworkId>) -> Result<Option<FrameworkId>, Status> {
    let id = id.as_ref().map(FrameworkId::try_from).transpose();
    id.map_err(|error| invalid("framework_id", error))
}

fn grace(span: v1::DurationInfo) -> Result<Duration, Status> {
    let nanos = u64::try_from(span.nanoseconds);
    nanos
        .map(Duration::from_nanos)
        .map_err(|_| invalid("grace_period", "must not be negative"))
}

fn invalid(field: &str, problem: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}
