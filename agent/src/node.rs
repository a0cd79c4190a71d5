//! The Node service: what the agent answers about itself and the sandboxes of its tasks.

mod attach;
mod call;
mod check;
mod files;
mod form;
mod guests;
mod http;
mod inside;
mod metrics;
mod nested;
mod operator;
mod plain;
mod read;
mod rotated;
mod sessions;
mod state;
mod statistics;
mod terminals;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tepui_edge::{HealthReporter, Site};
use tepui_model::{FrameworkId, InvalidId, TaskId};
use tepui_proto::{
    DESCRIPTORS,
    services::{
        ReadSandboxRequest, SandboxChunk, SessionInput, SessionOutput,
        executor_server::ExecutorServer,
        node_server::{Node as NodeService, NodeServer},
    },
    v1::{self, agent},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, service::Routes};

use crate::{
    Error, Masters,
    driver::Front,
    error::broken,
    executors::{Executors, Service},
    inside::Inside,
    limits,
    machine::{Containers, Machine},
};

/// What the agent answers about itself and the sandboxes of its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Node<C> {
    front: Front,
    machine: Machine<C>,
    masters: Masters,
    sandboxes: PathBuf,
    flags: Vec<v1::Flag>,
    readers: Arc<Semaphore>,
    inside: Inside,
    started: Instant,
    started_at: SystemTime,
}

impl<C: Containers> Node<C> {
    pub(crate) fn new(
        front: Front,
        machine: Machine<C>,
        masters: Masters,
        sandboxes: PathBuf,
        flags: Vec<v1::Flag>,
    ) -> Self {
        let readers = Arc::new(Semaphore::new(limits::READERS));
        Self {
            front,
            machine,
            masters,
            sandboxes,
            flags,
            readers,
            inside: Inside::default(),
            started: Instant::now(),
            started_at: SystemTime::now(),
        }
    }
}

/// Everything that is served on the agent's port.
pub(crate) async fn routes<C: Containers>(
    node: Node<C>,
    executors: Executors,
    health: &HealthReporter,
) -> Result<Routes, Error> {
    let plain = http::routes(node.clone(), executors.clone());
    let service = NodeServer::new(node).max_decoding_message_size(limits::MESSAGE_BYTES);
    health.set_serving::<NodeServer<Node<C>>>().await;
    let executor = ExecutorServer::new(Service(executors));
    let executor = executor.max_decoding_message_size(limits::MESSAGE_BYTES);
    health.set_serving::<ExecutorServer<Service>>().await;
    let site = Site {
        services: Routes::new(service).add_service(executor),
        descriptors: DESCRIPTORS,
        health: health.clone(),
        plain,
        elsewhere: "There is nothing here; /health says how the agent is.\n",
    };
    site.routes()
        .map_err(|error| broken("description of its services", &error))
}

/// What is served on the domain socket: nothing but executors.
pub(crate) fn executor_routes(executors: Executors) -> Routes {
    let service = ExecutorServer::new(Service(executors.clone()));
    let service = service.max_decoding_message_size(limits::MESSAGE_BYTES);
    let grpc = Routes::new(service).into_axum_router().reset_fallback();
    Routes::from(grpc.merge(http::executor_routes(executors))).prepare()
}

#[tonic::async_trait]
impl<C: Containers> NodeService for Node<C> {
    async fn call(
        &self,
        request: Request<agent::Call>,
    ) -> Result<Response<agent::Response>, Status> {
        self.answer(request.into_inner()).await.map(Response::new)
    }

    type ReadSandboxStream = ReceiverStream<Result<SandboxChunk, Status>>;

    async fn read_sandbox(
        &self,
        request: Request<ReadSandboxRequest>,
    ) -> Result<Response<Self::ReadSandboxStream>, Status> {
        let reader = self.open(request.into_inner()).await?;
        let (chunks, stream) = mpsc::channel(limits::CHUNKS_IN_LINE);
        tokio::spawn(reader.run(chunks));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    type ExecStream = ReceiverStream<Result<SessionOutput, Status>>;

    async fn exec(
        &self,
        request: Request<Streaming<SessionInput>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let stream = self.exec_session(request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    type AttachStream = ReceiverStream<Result<SessionOutput, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<SessionInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let stream = self.attach_terminal(request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// The agent is about to end and answers nothing more.
fn stopping() -> Status {
    Status::unavailable("the agent is stopping")
}

/// Checks the ids of a request.
fn ids(
    framework: Option<&v1::FrameworkId>,
    task: Option<&v1::TaskId>,
) -> Result<(FrameworkId, TaskId), Status> {
    let invalid =
        |field: &str, error: InvalidId| Status::invalid_argument(format!("{field}: {error}"));
    let missing = |field: &str| Status::invalid_argument(format!("{field} is not set"));
    let framework = framework.ok_or_else(|| missing("framework_id"))?;
    let task = task.ok_or_else(|| missing("task_id"))?;
    Ok((
        FrameworkId::try_from(framework).map_err(|error| invalid("framework_id", error))?,
        TaskId::try_from(task).map_err(|error| invalid("task_id", error))?,
    ))
}
