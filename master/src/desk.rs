//! The calls of operators, whichever way they come: most are for the core, some are about the
//! server itself.

use std::{net::SocketAddr, sync::Arc};

use tepui_master_core::{OperatorCall, OperatorError, OperatorReply};
use tepui_proto::v1::{
    self,
    master::{Call, Event, Response, call, event, response},
};
use tonic::Status;

use crate::{
    dispatch::Watcher,
    front::{Front, Unanswered},
    outbox::{Outgoing, outbox},
};

/// Answers operators; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    front: Front,
    flags: Arc<Vec<v1::Flag>>,
    address: SocketAddr,
}

impl Desk {
    pub(crate) fn new(front: Front, flags: Vec<v1::Flag>, address: SocketAddr) -> Self {
        Self {
            front,
            flags: Arc::new(flags),
            address,
        }
    }

    /// Where the master listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The flags that the master runs with.
    pub(crate) fn flags(&self) -> &[v1::Flag] {
        &self.flags
    }

    /// Answers a call of the v1 operator API, but for SUBSCRIBE. A call that only does something
    /// has no answer.
    pub(crate) async fn call(&self, call: Call) -> Result<Option<Box<Response>>, Unanswered> {
        let (kind, mut answer) = (call.r#type(), Response::default());
        match kind {
            call::Type::GetHealth => {
                let healthy = self.front.probe().await.is_ok();
                answer.r#type = Some(response::Type::GetHealth.into());
                answer.get_health = Some(response::GetHealth { healthy });
            }
            call::Type::GetFlags => {
                let flags = self.flags.to_vec();
                answer.r#type = Some(response::Type::GetFlags.into());
                answer.get_flags = Some(response::GetFlags { flags });
            }
            // The master writes its log to standard error and attaches no file.
            call::Type::ListFiles | call::Type::ReadFile => {
                let path = call.list_files.map(|list| list.path);
                let path = path.or(call.read_file.map(|read| read.path));
                let text = format!("File {} not found", path.unwrap_or_default());
                return Err(Unanswered::Refused(OperatorError::NotFound(text)));
            }
            call::Type::Subscribe => {
                let text = "SUBSCRIBE is served by WatchEvents".to_owned();
                return Err(Unanswered::Refused(OperatorError::Invalid(text)));
            }
            _ => {
                let reply = self.front.ask(OperatorCall::V1(Box::new(call))).await?;
                return Ok(match reply {
                    OperatorReply::V1(answer) => Some(answer),
                    _ => None,
                });
            }
        }
        Ok(Some(Box::new(answer)))
    }

    /// The answer to a read that needs nothing but its name.
    pub(crate) async fn read(&self, kind: call::Type) -> Result<Response, Unanswered> {
        let call = Call {
            r#type: Some(kind.into()),
            ..Call::default()
        };
        Ok(self
            .call(call)
            .await?
            .map_or_else(Response::default, |it| *it))
    }

    /// The stream of events: what stands, then every change.
    pub(crate) async fn watch_events(&self) -> Result<Outgoing<Event>, Status> {
        let (outbox, outgoing) = outbox();
        let call = Call {
            r#type: Some(call::Type::GetState.into()),
            ..Call::default()
        };
        let call = OperatorCall::V1(Box::new(call));
        self.front.watch(call, Watcher::Events { outbox }).await?;
        Ok(outgoing)
    }
}

/// What a watcher of events hears while nothing happens.
pub(crate) fn heartbeat() -> Event {
    Event {
        r#type: Some(event::Type::Heartbeat.into()),
        ..Event::default()
    }
}
