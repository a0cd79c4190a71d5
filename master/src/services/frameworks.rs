//! The scheduler API: one stream per framework.

use std::net::IpAddr;

use tepui_edge::{Outbox, Outgoing};
use tepui_master_core::{Action, ConnectionId, Event, SchedulerCall, wire};
use tepui_proto::{services::scheduler_server::Scheduler, v1::scheduler};
use tonic::{Request, Response, Status, Streaming};

use super::streams::{Protocol, serve};
use crate::{dispatch::Peer, front::Front, limits, sessions::Road};

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) front: Front,
}

#[tonic::async_trait]
impl Scheduler for Service {
    type OpenStream = Outgoing<scheduler::Event>;

    async fn open(
        &self,
        request: Request<Streaming<scheduler::Call>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let events = serve::<Frameworks>(&self.front, request);
        Ok(Response::new(
            events.with_heartbeat(limits::HEARTBEAT, wire::heartbeat_event),
        ))
    }
}

/// The scheduler API as a protocol of streams.
pub(crate) struct Frameworks;

impl Protocol for Frameworks {
    type Message = scheduler::Call;
    type Answer = scheduler::Event;
    const FIRST: &'static str = "SUBSCRIBE";

    fn event(
        connection: ConnectionId,
        _: Option<IpAddr>,
        call: scheduler::Call,
    ) -> Result<Event, String> {
        let call = SchedulerCall::try_from(call).map_err(|error| error.to_string())?;
        Ok(Event::Call { connection, call })
    }

    fn opens(event: &Event) -> bool {
        let Event::Call { call, .. } = event else {
            return false;
        };
        matches!(
            call.action,
            Action::Subscribe(_) | Action::InvalidSubscription(_)
        )
    }

    fn over(connection: ConnectionId) -> Event {
        Event::FrameworkDisconnected { connection }
    }

    fn peer(outbox: Outbox<scheduler::Event>, road: Road) -> Peer {
        Peer::Framework(outbox, road)
    }
}
