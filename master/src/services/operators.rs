//! The operator API: calls, and streams of offers and events.

use std::time::Duration;

use futures_util::{StreamExt, stream::BoxStream};
use tepui_edge::{Outgoing, outbox};
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
        master::{Call, Event, Response as Answer},
    },
};
use tonic::{Request, Response, Status};

use crate::{
    desk::{self, Desk},
    dispatch::Watcher,
    front::Front,
    limits,
};

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) front: Front,
    pub(super) desk: Desk,
}

#[tonic::async_trait]
impl Operator for Service {
    type WatchOffersStream = Outgoing<OfferChange>;
    type WatchEventsStream = BoxStream<'static, Result<Event, Status>>;

    async fn call(&self, request: Request<Call>) -> Result<Response<Answer>, Status> {
        let answer = self.desk.call(request.into_inner()).await?;
        Ok(Response::new(answer.map_or_else(Answer::default, |it| *it)))
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
        let outgoing = self.desk.watch_events().await?;
        let events = outgoing.with_heartbeat(limits::HEARTBEAT, desk::heartbeat);
        let events = events.map(|event| event.map(|event| event.message().clone()));
        Ok(Response::new(events.boxed()))
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
