//! The gRPC services of the master in memory.

use tepui_master_core::{OperatorCall, OperatorError, OperatorReply, SchedulerCall};
use tepui_model::{FrameworkId, TaskId};
use tepui_proto::{
    services::{
        ExplainRequest, Explanation, GetPrioritiesRequest, GetPrioritiesResponse, KillTaskRequest,
        KillTaskResponse, OfferChange, UpdatePrioritiesRequest, UpdatePrioritiesResponse,
        WatchEventsRequest, WatchOffersRequest, operator_server::Operator,
        scheduler_server::Scheduler,
    },
    v1::{master, scheduler},
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{Empty, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::cluster::Input;

/// Events that wait for a framework before it is cut off.
const WAITING_EVENTS: usize = 4096;

#[derive(Debug, Clone)]
pub(super) struct Services {
    inputs: mpsc::Sender<Input>,
}

impl Services {
    pub(super) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self { inputs }
    }

    async fn tell(&self, input: Input) -> Result<(), Status> {
        self.inputs.send(input).await.map_err(|_| ended())
    }

    async fn ask(&self, call: OperatorCall) -> Result<OperatorReply, Status> {
        let (done, answer) = oneshot::channel();
        self.tell(Input::Operator { call, done }).await?;
        answer
            .await
            .map_err(|_| ended())?
            .map_err(|error| match error {
                OperatorError::Invalid(text) => Status::invalid_argument(text),
                OperatorError::NotFound(text) => Status::not_found(text),
                OperatorError::Conflict(text) => Status::failed_precondition(text),
                error => Status::unimplemented(error.to_string()),
            })
    }

    /// Passes on what a framework calls, until its stream ends or a call cannot be understood.
    async fn listen(
        self,
        number: u64,
        mut calls: Streaming<scheduler::Call>,
        stream: mpsc::WeakSender<Result<scheduler::Event, Status>>,
    ) {
        while let Ok(Some(call)) = calls.message().await {
            let call = match SchedulerCall::try_from(call) {
                Ok(call) => Box::new(call),
                Err(error) => {
                    // A framework that does not read its refusal has none.
                    let refusal = Status::invalid_argument(error.to_string());
                    if let Some(stream) = stream.upgrade() {
                        let _ = stream.try_send(Err(refusal));
                    }
                    break;
                }
            };
            if self.tell(Input::Called { number, call }).await.is_err() {
                return;
            }
        }
        // The master may be gone, and the stream with it.
        let _ = self.tell(Input::Closed { number }).await;
    }
}

fn ended() -> Status {
    Status::unavailable("the test master has ended")
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the test master does not watch"))
}

#[tonic::async_trait]
impl Scheduler for Services {
    type OpenStream = ReceiverStream<Result<scheduler::Event, Status>>;

    async fn open(
        &self,
        request: Request<Streaming<scheduler::Call>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let (stream, outgoing) = mpsc::channel(WAITING_EVENTS);
        let (number, assigned) = oneshot::channel();
        // The master's own end is the only one that keeps the stream open.
        let weak = stream.downgrade();
        self.tell(Input::Opened { stream, number }).await?;
        let number = assigned.await.map_err(|_| ended())?;
        tokio::spawn(self.clone().listen(number, request.into_inner(), weak));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

#[tonic::async_trait]
impl Operator for Services {
    type WatchOffersStream = Empty<Result<OfferChange, Status>>;
    type WatchEventsStream = Empty<Result<master::Event, Status>>;

    async fn call(
        &self,
        request: Request<master::Call>,
    ) -> Result<Response<master::Response>, Status> {
        let call = request.into_inner();
        let kind = call.r#type();
        match self.ask(OperatorCall::V1(Box::new(call))).await? {
            OperatorReply::V1(response) => Ok(Response::new(*response)),
            OperatorReply::Snapshot(snapshot) => Ok(Response::new(snapshot.answer(kind))),
            _ => Ok(Response::new(master::Response::default())),
        }
    }

    async fn explain(
        &self,
        request: Request<ExplainRequest>,
    ) -> Result<Response<Explanation>, Status> {
        let call = OperatorCall::Explain(Box::new(request.into_inner()));
        match self.ask(call).await? {
            OperatorReply::Explanation(explanation) => Ok(Response::new(*explanation)),
            _ => Err(Status::internal("the core answered something else")),
        }
    }

    async fn update_priorities(
        &self,
        request: Request<UpdatePrioritiesRequest>,
    ) -> Result<Response<UpdatePrioritiesResponse>, Status> {
        let call = OperatorCall::UpdatePriorities(request.into_inner().priorities);
        self.ask(call).await?;
        Ok(Response::new(UpdatePrioritiesResponse {}))
    }

    async fn get_priorities(
        &self,
        _: Request<GetPrioritiesRequest>,
    ) -> Result<Response<GetPrioritiesResponse>, Status> {
        match self.ask(OperatorCall::Priorities).await? {
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
        let invalid = |error: tepui_model::InvalidId| Status::invalid_argument(error.to_string());
        let task = request.task_id.unwrap_or_default();
        let framework = request
            .framework_id
            .as_ref()
            .map(FrameworkId::try_from)
            .transpose();
        let call = OperatorCall::KillTask {
            task_id: TaskId::try_from(&task).map_err(invalid)?,
            framework_id: framework.map_err(invalid)?,
            grace: None,
        };
        self.ask(call).await?;
        Ok(Response::new(KillTaskResponse {}))
    }

    async fn watch_offers(
        &self,
        _request: Request<WatchOffersRequest>,
    ) -> Result<Response<Self::WatchOffersStream>, Status> {
        not_here()
    }

    async fn watch_events(
        &self,
        _request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        not_here()
    }
}
