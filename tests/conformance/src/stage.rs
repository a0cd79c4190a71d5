//! A real master and an agent that is played.

use std::net::SocketAddr;

use tempfile::TempDir;
use tepui_containers::InitProgram;
use tepui_master::{Options, Server};
use tepui_proto::{
    services::{
        AgentMessage, MasterMessage, Register, agent_link_client::AgentLinkClient, agent_message,
        master_message,
    },
    v1,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// Where a master is, and who.
#[derive(Clone, Debug)]
pub struct Place {
    pub address: SocketAddr,
    /// The master's id, which is in every other.
    pub id: String,
}

/// A master with one agent.
pub struct Stage {
    pub place: Place,
    server: Server,
    _agent: Agent,
    _dir: TempDir,
}

struct Agent {
    _messages: mpsc::Sender<AgentMessage>,
    _task: tokio::task::JoinHandle<()>,
}

impl Stage {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            work_dir: dir.path().to_owned(),
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let address = server.address();
        let (agent, agent_id) = register(address).await;
        let id = agent_id.rsplit_once("-S").unwrap().0.to_owned();
        Self {
            place: Place { address, id },
            server,
            _agent: agent,
            _dir: dir,
        }
    }

    pub async fn end(self) {
        self.server.stop().await.unwrap();
    }
}

fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        ..v1::Resource::default()
    }
}

async fn register(address: SocketAddr) -> (Agent, String) {
    let mut client = AgentLinkClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let (messages, outgoing) = mpsc::channel(16);
    let commands = client.open(ReceiverStream::new(outgoing)).await.unwrap();
    let mut commands = commands.into_inner();
    let capability = |kind: v1::agent_info::capability::Type| v1::agent_info::Capability {
        r#type: Some(kind.into()),
    };
    use v1::agent_info::capability::Type;
    let capabilities = [
        Type::MultiRole,
        Type::HierarchicalRole,
        Type::ReservationRefinement,
        Type::ResizeVolume,
        Type::AgentDraining,
        Type::AgentOperationFeedback,
        Type::ResourceProvider,
    ];
    let register = Register {
        agent: Some(v1::AgentInfo {
            hostname: "host".to_owned(),
            port: Some(5051),
            resources: vec![
                scalar("cpus", 4.0),
                scalar("mem", 4096.0),
                scalar("disk", 4096.0),
            ],
            ..v1::AgentInfo::default()
        }),
        version: "1.2.3".to_owned(),
        capabilities: capabilities.map(capability).to_vec(),
        ..Register::default()
    };
    say(&messages, agent_message::Message::Register(register)).await;
    let id = loop {
        match commands.message().await.unwrap().unwrap().message {
            Some(master_message::Message::Registered(it)) => break it.agent_id.unwrap().value,
            other => assert!(other.is_some()),
        }
    };
    let task = tokio::spawn(answer_pings(messages.clone(), commands));
    let agent = Agent {
        _messages: messages,
        _task: task,
    };
    (agent, id)
}

async fn say(messages: &mpsc::Sender<AgentMessage>, message: agent_message::Message) {
    let message = Some(message);
    messages.send(AgentMessage { message }).await.unwrap();
}

async fn answer_pings(
    messages: mpsc::Sender<AgentMessage>,
    mut commands: Streaming<MasterMessage>,
) {
    while let Ok(Some(command)) = commands.message().await {
        if let Some(master_message::Message::Ping(_)) = command.message {
            say(&messages, agent_message::Message::Pong(Default::default())).await;
        }
    }
}

/// A real agent of a stage's master.
pub struct AgentStage {
    pub address: SocketAddr,
    master: Stage,
    server: tepui_agent::Server,
    _dir: TempDir,
}

impl AgentStage {
    pub async fn new() -> Self {
        let master = Stage::new().await;
        let dir = tempfile::tempdir().unwrap();
        let mut options = tepui_agent::Options {
            master: master.place.address.to_string().parse().unwrap(),
            listen: ([127, 0, 0, 1], 0).into(),
            work_dir: dir.path().join("work"),
            runtime_dir: Some(dir.path().join("run")),
            // This program is no init.
            init: InitProgram::Path(tepui_cluster_tests::program()),
            ..tepui_agent::Options::default()
        };
        options.offer.resources = "cpus:1;mem:64;disk:64;ports:[]".to_owned();
        options.containers.isolation = "none".parse().unwrap();
        let server = tepui_agent::Server::start(options).await.unwrap();
        let stage = Self {
            address: server.address(),
            master,
            server,
            _dir: dir,
        };
        stage.await_registration().await;
        stage
    }

    /// The id of its master, which is in its own.
    pub fn id(&self) -> &str {
        &self.master.place.id
    }

    /// Where its master is.
    pub const fn master(&self) -> &Place {
        &self.master.place
    }

    /// What it says of itself says which agent it is, once it knows.
    async fn await_registration(&self) {
        let call = br#"{"type": "GET_AGENT"}"#;
        let headers = [("Content-Type", "application/json")];
        loop {
            let answer = crate::http::post(self.address, "/api/v1", &headers, call).await;
            let body = answer.body().await;
            if String::from_utf8_lossy(&body).contains(self.id()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn end(self) {
        self.server.stop().await.unwrap();
        self.master.end().await;
    }
}
