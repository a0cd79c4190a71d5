//! A master that does what a test tells it to.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{net::SocketAddr, time::Duration};

use futures_util::Stream;
use tepui_proto::{
    services::{
        self, AgentMessage, MasterMessage, Register, StatusUpdate,
        agent_link_server::{AgentLink, AgentLinkServer},
        agent_message, master_message,
    },
    v1,
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const AGENT: &str = "m-S0";
pub const FRAMEWORK: &str = "f-1";

/// A master that does what a test tells it to.
pub struct Master {
    pub address: SocketAddr,
    sessions: mpsc::Receiver<Session>,
    server: JoinHandle<()>,
}

/// One stream of an agent.
pub struct Session {
    messages: Streaming<AgentMessage>,
    out: mpsc::Sender<Result<MasterMessage, Status>>,
}

struct Service(mpsc::Sender<Session>);

#[tonic::async_trait]
impl AgentLink for Service {
    type OpenStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<MasterMessage, Status>> + Send + 'static>>;

    async fn open(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let (out, answers) = mpsc::channel(64);
        let session = Session {
            messages: request.into_inner(),
            out,
        };
        self.0
            .send(session)
            .await
            .map_err(|_| Status::unavailable("over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

impl Master {
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn start_on(address: SocketAddr) -> Self {
        let mut attempts = 0;
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                // The port of a master that was just stopped.
                Err(error) if attempts > 50 => panic!("{error}"),
                Err(_) => attempts += 1,
            }
            sleep(Duration::from_millis(100)).await;
        };
        let address = listener.local_addr().unwrap();
        let (sender, sessions) = mpsc::channel(8);
        let server = tokio::spawn(async move {
            tonic::transport::Server::builder()
                .add_service(AgentLinkServer::new(Service(sender)))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Self {
            address,
            sessions,
            server,
        }
    }

    /// The next stream that an agent opens, and how it introduces itself. A stream that says
    /// nothing is passed over.
    pub async fn session(&mut self) -> (Session, Register) {
        loop {
            let session = timeout(PATIENCE, self.sessions.recv()).await;
            let mut session = session.expect("an agent that connects").unwrap();
            let first = timeout(PATIENCE, session.messages.message()).await;
            match first
                .expect("a message in time")
                .ok()
                .flatten()
                .map(|first| first.message)
            {
                Some(Some(agent_message::Message::Register(register))) => {
                    return (session, register);
                }
                Some(other) => panic!("{other:?} came first"),
                None => {}
            }
        }
    }

    /// The next stream, taken in.
    pub async fn registered(&mut self) -> (Session, Register) {
        let (session, register) = self.session().await;
        session.register().await;
        (session, register)
    }

    pub fn stop(self) {
        self.server.abort();
    }
}

impl Session {
    pub async fn next(&mut self) -> agent_message::Message {
        let message = timeout(PATIENCE, self.messages.message()).await;
        message
            .expect("a message in time")
            .unwrap()
            .expect("a message")
            .message
            .unwrap()
    }

    /// The next update; pongs are passed over.
    pub async fn update(&mut self) -> StatusUpdate {
        loop {
            match self.next().await {
                agent_message::Message::StatusUpdate(update) => return update,
                agent_message::Message::Pong(_) => {}
                other => panic!("{other:?} is no update"),
            }
        }
    }

    /// The next update's status, acknowledged.
    pub async fn status(&mut self) -> v1::TaskStatus {
        let status = self.update().await.status.unwrap();
        self.acknowledge(&status).await;
        status
    }

    /// The next update's status, acknowledged. `None` when the agent goes.
    pub async fn try_status(&mut self) -> Option<v1::TaskStatus> {
        loop {
            let message = timeout(PATIENCE, self.messages.message()).await;
            match message.expect("a message in time").ok()??.message.unwrap() {
                agent_message::Message::StatusUpdate(update) => {
                    let status = update.status.unwrap();
                    self.acknowledge(&status).await;
                    return Some(status);
                }
                agent_message::Message::Pong(_) => {}
                other => panic!("{other:?} is no update"),
            }
        }
    }

    /// Whether nothing comes for so long.
    pub async fn quiet(&mut self, span: Duration) -> bool {
        timeout(span, self.messages.message()).await.is_err()
    }

    pub async fn send(&self, message: master_message::Message) {
        let message = MasterMessage {
            message: Some(message),
        };
        // To an agent that has just gone: the next message from it tells.
        let _ = self.out.send(Ok(message)).await;
    }

    pub async fn register(&self) {
        self.send(master_message::Message::Registered(services::Registered {
            agent_id: Some(v1::AgentId {
                value: AGENT.to_owned(),
            }),
            master: None,
            silence_limit: Some(v1::DurationInfo {
                nanoseconds: 75_000_000_000,
            }),
        }))
        .await;
    }

    pub async fn refuse(&self, message: &str, forget_identity: bool) {
        let message = message.to_owned();
        let refused = services::Refused {
            message,
            forget_identity,
            shut_down: false,
        };
        self.send(master_message::Message::Refused(refused)).await;
    }

    pub async fn run(&self, task: v1::TaskInfo) {
        let (framework, task) = (Some(framework()), Some(task));
        self.send(master_message::Message::RunTask(services::RunTask {
            framework,
            task,
            launch_executor: true,
        }))
        .await;
    }

    /// Passes words to an executor.
    pub async fn tell(&self, executor: &str, words: &[u8]) {
        let message = services::ExecutorMessage {
            framework_id: framework().id,
            executor_id: Some(v1::ExecutorId {
                value: executor.to_owned(),
            }),
            data: words.to_vec(),
        };
        self.send(master_message::Message::ExecutorMessage(message))
            .await;
    }

    pub async fn kill(&self, task: &str, grace: Duration) {
        let nanoseconds = i64::try_from(grace.as_nanos()).unwrap();
        let grace_period = Some(v1::DurationInfo { nanoseconds });
        self.send(master_message::Message::KillTask(services::KillTask {
            framework_id: framework().id,
            task_id: Some(v1::TaskId {
                value: task.to_owned(),
            }),
            kill_policy: Some(v1::KillPolicy { grace_period }),
            preempted: None,
        }))
        .await;
    }

    pub async fn acknowledge(&self, status: &v1::TaskStatus) {
        self.send(master_message::Message::Acknowledge(
            services::Acknowledge {
                framework_id: framework().id,
                task_id: Some(status.task_id.clone()),
                uuid: status.uuid.clone().expect("a name to acknowledge"),
            },
        ))
        .await;
    }
}

pub fn framework() -> v1::FrameworkInfo {
    v1::FrameworkInfo {
        id: Some(v1::FrameworkId {
            value: FRAMEWORK.to_owned(),
        }),
        name: "test".to_owned(),
        user: "root".to_owned(),
        ..v1::FrameworkInfo::default()
    }
}

pub fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        ..v1::Resource::default()
    }
}

/// A task in an executor that is a line of shell.
pub fn in_executor(id: &str, executor: &str, line: &str) -> v1::TaskInfo {
    let task = shell(id, line);
    let executor = v1::ExecutorInfo {
        executor_id: v1::ExecutorId {
            value: executor.to_owned(),
        },
        command: task.command.clone(),
        resources: task.resources.clone(),
        ..v1::ExecutorInfo::default()
    };
    v1::TaskInfo {
        command: None,
        executor: Some(executor),
        ..task
    }
}

/// A task that runs a line of shell.
pub fn shell(id: &str, line: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: v1::AgentId {
            value: AGENT.to_owned(),
        },
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        command: Some(v1::CommandInfo {
            value: Some(line.to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..v1::TaskInfo::default()
    }
}
