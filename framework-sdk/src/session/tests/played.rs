//! A master whose words are the test's.

use std::time::Duration;

use tepui_model::TaskState;
use tepui_proto::{
    services::scheduler_server::{Scheduler, SchedulerServer},
    v1::{
        self,
        scheduler::{Call, Event, event, event::Type},
    },
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listening master.
pub(super) struct Master {
    address: String,
    streams: mpsc::Receiver<Stream>,
}

/// The stream of one subscription.
pub(super) struct Stream {
    calls: Streaming<Call>,
    events: mpsc::Sender<Result<Event, Status>>,
}

struct Service(mpsc::Sender<Stream>);

#[tonic::async_trait]
impl Scheduler for Service {
    type OpenStream = ReceiverStream<Result<Event, Status>>;

    async fn open(
        &self,
        request: Request<Streaming<Call>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let (events, outgoing) = mpsc::channel(4);
        let stream = Stream {
            calls: request.into_inner(),
            events,
        };
        self.0
            .send(stream)
            .await
            .map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

impl Master {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (opened, streams) = mpsc::channel(4);
        let server = Server::builder().add_service(SchedulerServer::new(Service(opened)));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, streams }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The next stream that a framework opens.
    pub(super) async fn stream(&mut self) -> Stream {
        timeout(PATIENCE, self.streams.recv())
            .await
            .expect("somebody connects")
            .unwrap()
    }
}

impl Stream {
    pub(super) async fn call(&mut self) -> Call {
        self.next_call().await.expect("another call")
    }

    /// The next call; `None` when the framework ended the stream.
    pub(super) async fn next_call(&mut self) -> Option<Call> {
        timeout(PATIENCE, self.calls.message())
            .await
            .expect("a call in time")
            .unwrap_or(None)
    }

    pub(super) async fn subscribed(&mut self, id: &str) {
        let subscribed = event::Subscribed {
            framework_id: v1::FrameworkId {
                value: id.to_owned(),
            },
            heartbeat_interval_seconds: Some(15.0),
            master_info: None,
        };
        self.send(Event {
            subscribed: Some(subscribed),
            ..of(Type::Subscribed)
        })
        .await;
    }

    pub(super) async fn update(&mut self, task: &str, state: TaskState, uuid: Option<u8>) {
        let status = v1::TaskStatus {
            task_id: v1::TaskId {
                value: task.to_owned(),
            },
            state: v1::TaskState::from(state).into(),
            agent_id: Some(v1::AgentId {
                value: "agent-1".to_owned(),
            }),
            uuid: uuid.map(|byte| vec![byte; 16]),
            ..Default::default()
        };
        self.send(Event {
            update: Some(event::Update { status }),
            ..of(Type::Update)
        })
        .await;
    }

    pub(super) async fn operation(
        &mut self,
        id: &str,
        state: v1::OperationState,
        uuid: Option<u8>,
    ) {
        let value = |byte: u8| v1::Uuid {
            value: vec![byte; 16],
        };
        let status = v1::OperationStatus {
            operation_id: Some(v1::OperationId {
                value: id.to_owned(),
            }),
            state: state.into(),
            agent_id: Some(v1::AgentId {
                value: "agent-1".to_owned(),
            }),
            uuid: uuid.map(value),
            ..Default::default()
        };
        self.send(Event {
            update_operation_status: Some(event::UpdateOperationStatus { status }),
            ..of(Type::UpdateOperationStatus)
        })
        .await;
    }

    pub(super) async fn error(&mut self, message: &str) {
        let error = event::Error {
            message: message.to_owned(),
        };
        self.send(Event {
            error: Some(error),
            ..of(Type::Error)
        })
        .await;
    }

    /// Ends the stream with a status.
    pub(super) async fn refuse(self, code: tonic::Code, message: &str) {
        self.events
            .send(Err(Status::new(code, message)))
            .await
            .unwrap();
    }

    async fn send(&self, event: Event) {
        self.events.send(Ok(event)).await.unwrap();
    }
}

fn of(kind: Type) -> Event {
    Event {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}
