//! A framework and an agent as tests play them: they say what they are told to and check what they
//! hear.

use std::net::SocketAddr;

use tepui_proto::{
    services::{
        self, AgentMessage, MasterMessage, agent_link_client::AgentLinkClient, agent_message,
        master_message, operator_client::OperatorClient, scheduler_client::SchedulerClient,
    },
    v1::{
        self, master,
        scheduler::{Call, Event, call, event},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use super::soon;

pub(super) async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    soon(endpoint.tcp_nodelay(true).connect()).await.unwrap()
}

pub(super) async fn operator(address: SocketAddr) -> OperatorClient<Channel> {
    OperatorClient::new(channel(address).await).max_decoding_message_size(1 << 30)
}

/// A call of the v1 operator API that needs nothing but its name.
pub(super) fn ask(kind: master::call::Type) -> master::Call {
    master::Call {
        r#type: Some(kind.into()),
        ..master::Call::default()
    }
}

pub(super) struct FrameworkClient {
    calls: mpsc::Sender<Call>,
    events: Streaming<Event>,
    id: Option<v1::FrameworkId>,
}

impl FrameworkClient {
    /// Opens a stream and says nothing on it yet.
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let mut client = SchedulerClient::new(channel(address).await)
            .max_decoding_message_size(1 << 30)
            .max_encoding_message_size(1 << 30);
        let (calls, outgoing) = mpsc::channel(16);
        let events = soon(client.open(ReceiverStream::new(outgoing)))
            .await
            .unwrap()
            .into_inner();
        Self {
            calls,
            events,
            id: None,
        }
    }

    /// Connects and subscribes.
    pub(super) async fn subscribed(address: SocketAddr, info: v1::FrameworkInfo) -> Self {
        let mut framework = Self::connect(address).await;
        framework.subscribe(info).await;
        framework
    }

    pub(super) async fn subscribe(&mut self, info: v1::FrameworkInfo) -> event::Subscribed {
        self.say(subscribe(info)).await;
        let event = self.hear().await;
        let kind = event.r#type();
        let subscribed = event
            .subscribed
            .unwrap_or_else(|| panic!("not SUBSCRIBED: {kind:?}"));
        self.id = Some(subscribed.framework_id.clone());
        subscribed
    }

    pub(super) fn id(&self) -> v1::FrameworkId {
        self.id.clone().unwrap()
    }

    pub(super) async fn say(&self, call: Call) {
        let call = Call {
            framework_id: self.id.clone().or(call.framework_id),
            ..call
        };
        soon(self.calls.send(call)).await.unwrap();
    }

    /// Says it if the stream is still there.
    pub(super) async fn try_say(&self, call: Call) -> bool {
        let call = Call {
            framework_id: self.id.clone(),
            ..call
        };
        soon(self.calls.send(call)).await.is_ok()
    }

    /// The next event that is no heartbeat.
    pub(super) async fn hear(&mut self) -> Event {
        self.listen()
            .await
            .expect("the stream ended well")
            .expect("the stream ended badly")
    }

    /// The next offers.
    pub(super) async fn offers(&mut self) -> Vec<v1::Offer> {
        let event = self.hear().await;
        let kind = event.r#type();
        event
            .offers
            .unwrap_or_else(|| panic!("not OFFERS: {kind:?}"))
            .offers
    }

    /// How the stream ends, whatever comes before.
    pub(super) async fn end(mut self) -> Option<Status> {
        loop {
            match self.listen().await {
                None => return None,
                Some(Err(status)) => return Some(status),
                Some(Ok(_)) => {}
            }
        }
    }

    async fn listen(&mut self) -> Option<Result<Event, Status>> {
        loop {
            match soon(self.events.message()).await.transpose() {
                Some(Ok(event)) if event.r#type() == event::Type::Heartbeat => {}
                other => return other,
            }
        }
    }
}

pub(super) struct AgentClient {
    messages: mpsc::Sender<AgentMessage>,
    commands: Streaming<MasterMessage>,
    pub(super) id: v1::AgentId,
}

impl AgentClient {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let mut client = AgentLinkClient::new(channel(address).await);
        let (messages, outgoing) = mpsc::channel(16);
        let commands = soon(client.open(ReceiverStream::new(outgoing)))
            .await
            .unwrap()
            .into_inner();
        Self {
            messages,
            commands,
            id: v1::AgentId::default(),
        }
    }

    /// Connects and registers.
    pub(super) async fn registered(address: SocketAddr, register: services::Register) -> Self {
        let mut agent = Self::connect(address).await;
        agent.say(agent_message::Message::Register(register)).await;
        match agent.hear().await {
            master_message::Message::Registered(registered) => {
                agent.id = registered.agent_id.unwrap();
            }
            other => panic!("not Registered: {other:?}"),
        }
        agent
    }

    pub(super) async fn say(&self, message: agent_message::Message) {
        soon(self.messages.send(AgentMessage {
            message: Some(message),
        }))
        .await
        .unwrap();
    }

    pub(super) async fn hear(&mut self) -> master_message::Message {
        let message = soon(self.commands.message())
            .await
            .expect("the stream ended badly");
        message
            .expect("the stream ended well")
            .message
            .expect("a message")
    }

    /// How the stream ends, whatever comes before.
    pub(super) async fn end(mut self) -> Option<Status> {
        loop {
            match soon(self.commands.message()).await {
                Ok(None) => return None,
                Err(status) => return Some(status),
                Ok(Some(_)) => {}
            }
        }
    }
}

pub(super) fn framework(name: &str) -> v1::FrameworkInfo {
    v1::FrameworkInfo {
        user: "nobody".to_owned(),
        name: name.to_owned(),
        failover_timeout: Some(3600.0),
        ..v1::FrameworkInfo::default()
    }
}

pub(super) fn subscribe(info: v1::FrameworkInfo) -> Call {
    Call {
        framework_id: info.id.clone(),
        r#type: Some(call::Type::Subscribe.into()),
        subscribe: Some(call::Subscribe {
            framework_info: info,
            ..call::Subscribe::default()
        }),
        ..Call::default()
    }
}

/// A machine with 4 cores and 8 GB.
pub(super) fn agent(hostname: &str) -> services::Register {
    services::Register {
        agent: Some(v1::AgentInfo {
            hostname: hostname.to_owned(),
            port: Some(5051),
            resources: vec![scalar("cpus", 4.0), scalar("mem", 8192.0)],
            ..v1::AgentInfo::default()
        }),
        version: "0.1.0".to_owned(),
        ..services::Register::default()
    }
}

pub(super) fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        ..v1::Resource::default()
    }
}

/// ACCEPT of an offer with one task that sleeps.
pub(super) fn launch(offer: &v1::Offer, task_id: &str) -> Call {
    let task = v1::TaskInfo {
        name: task_id.to_owned(),
        task_id: v1::TaskId {
            value: task_id.to_owned(),
        },
        agent_id: offer.agent_id.clone(),
        resources: vec![scalar("cpus", 1.0), scalar("mem", 64.0)],
        command: Some(v1::CommandInfo {
            value: Some("sleep 100".to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..v1::TaskInfo::default()
    };
    let launch = v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch {
            task_infos: vec![task],
        }),
        ..v1::offer::Operation::default()
    };
    Call {
        r#type: Some(call::Type::Accept.into()),
        accept: Some(call::Accept {
            offer_ids: vec![offer.id.clone()],
            operations: vec![launch],
            filters: None,
            ..call::Accept::default()
        }),
        ..Call::default()
    }
}

/// The agent's word that a task runs.
pub(super) fn running(
    framework_id: &v1::FrameworkId,
    agent_id: &v1::AgentId,
    task_id: &str,
    uuid: [u8; 16],
) -> services::StatusUpdate {
    services::StatusUpdate {
        framework_id: Some(framework_id.clone()),
        status: Some(v1::TaskStatus {
            task_id: v1::TaskId {
                value: task_id.to_owned(),
            },
            state: v1::TaskState::TaskRunning.into(),
            source: Some(v1::task_status::Source::Agent.into()),
            agent_id: Some(agent_id.clone()),
            uuid: Some(uuid.to_vec()),
            ..v1::TaskStatus::default()
        }),
        latest_state: v1::TaskState::TaskRunning.into(),
    }
}
