//! The link of each agent: one stream, opened by the agent.

use std::net::IpAddr;

use tepui_edge::{Outbox, Outgoing};
use tepui_master_core::{ConnectionId, Event, wire::AgentReport};
use tepui_proto::services::{AgentMessage, MasterMessage, agent_link_server::AgentLink};
use tonic::{Request, Response, Status, Streaming};

use super::streams::{Protocol, serve};
use crate::{dispatch::Peer, front::Front, sessions::Road};

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) front: Front,
}

#[tonic::async_trait]
impl AgentLink for Service {
    type OpenStream = Outgoing<MasterMessage>;

    async fn open(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        Ok(Response::new(serve::<Agents>(&self.front, request)))
    }
}

struct Agents;

impl Protocol for Agents {
    type Message = AgentMessage;
    type Answer = MasterMessage;
    const FIRST: &'static str = "Register";

    fn event(
        connection: ConnectionId,
        origin: Option<IpAddr>,
        message: AgentMessage,
    ) -> Result<Event, String> {
        let mut report = AgentReport::try_from(message).map_err(|error| error.to_string())?;
        if let AgentReport::Register(registration) = &mut report {
            registration.ip = origin.map(|ip| ip.to_canonical().to_string());
        }
        Ok(report.into_event(connection))
    }

    fn opens(event: &Event) -> bool {
        matches!(event, Event::RegisterAgent { .. })
    }

    fn over(connection: ConnectionId) -> Event {
        Event::AgentDisconnected { connection }
    }

    fn peer(outbox: Outbox<MasterMessage>, _: Road) -> Peer {
        Peer::Agent(outbox)
    }
}
