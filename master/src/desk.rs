//! The calls of operators, whichever way they come: most are for the core, some are about the
//! server itself.

pub(crate) mod metrics;

use std::{net::SocketAddr, sync::Arc};

use tepui_edge::{Outgoing, Shared, outbox, verbosity};
use tepui_master_core::{OperatorCall, OperatorError, OperatorReply, Snapshot};
use tepui_proto::v1::{
    self,
    master::{Call, Event, Response, call, event, response},
};
use tonic::Status;

use crate::{
    dispatch::Watcher,
    front::{Front, Unanswered},
};
use metrics::Tally;

/// Answers operators; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    front: Front,
    flags: Arc<Vec<v1::Flag>>,
    address: SocketAddr,
    tally: Tally,
}

impl Desk {
    pub(crate) fn new(
        front: Front,
        flags: Vec<v1::Flag>,
        address: SocketAddr,
        tally: Tally,
    ) -> Self {
        Self {
            front,
            flags: Arc::new(flags),
            address,
            tally,
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
            call::Type::GetMetrics => {
                let metric = |(name, value)| v1::Metric {
                    name,
                    value: Some(value),
                };
                let metrics = self.metrics().await?.into_iter().map(metric);
                answer.r#type = Some(response::Type::GetMetrics.into());
                answer.get_metrics = Some(response::GetMetrics {
                    metrics: metrics.collect(),
                });
            }
            call::Type::GetLoggingLevel => {
                let level = verbosity::level();
                answer.r#type = Some(response::Type::GetLoggingLevel.into());
                answer.get_logging_level = Some(response::GetLoggingLevel { level });
            }
            call::Type::SetLoggingLevel => {
                let wanted = call.set_logging_level.unwrap_or_default();
                set_logging_level(&wanted)?;
                return Ok(None);
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
                    OperatorReply::Snapshot(snapshot) => Some(develop(snapshot, kind).await?),
                    _ => None,
                });
            }
        }
        Ok(Some(Box::new(answer)))
    }

    /// What an answer with much in it is made of, for those calls that [`Snapshot::answers`] names.
    pub(crate) async fn snapshot(&self, call: Call) -> Result<Box<Snapshot>, Unanswered> {
        match self.front.ask(OperatorCall::V1(Box::new(call))).await? {
            OperatorReply::Snapshot(snapshot) => Ok(snapshot),
            _ => Ok(Box::default()),
        }
    }

    /// The answer to a read that needs nothing but its name.
    pub(crate) async fn read(&self, kind: call::Type) -> Result<Response, Unanswered> {
        Ok(self
            .call(ask(kind))
            .await?
            .map_or_else(Response::default, |it| *it))
    }

    /// Every metric that is known, by name.
    pub(crate) async fn metrics(&self) -> Result<Vec<(String, f64)>, Unanswered> {
        match self.front.ask(OperatorCall::Figures).await? {
            OperatorReply::Figures(figures) => Ok(metrics::all(&figures, &self.tally)),
            _ => Ok(Vec::new()),
        }
    }

    /// The stream of events: what stands, then every change.
    pub(crate) async fn watch_events(&self) -> Result<Outgoing<Shared<Event>>, Status> {
        let (outbox, outgoing) = outbox();
        let call = OperatorCall::V1(Box::new(ask(call::Type::GetState)));
        self.front.watch(call, Watcher::Events { outbox }).await?;
        Ok(outgoing)
    }
}

/// A call that needs nothing but its name.
pub(crate) fn ask(kind: call::Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

/// Makes an answer with much in it, which other tasks need not feel.
async fn develop(snapshot: Box<Snapshot>, kind: call::Type) -> Result<Box<Response>, Unanswered> {
    let develop = move || Box::new(snapshot.answer(kind));
    let developed = tokio::task::spawn_blocking(develop).await;
    developed.map_err(|_| Unanswered::Stopping)
}

/// Logs more for a while, as with Mesos.
fn set_logging_level(wanted: &call::SetLoggingLevel) -> Result<(), Unanswered> {
    let set = verbosity::set_for(wanted.level, wanted.duration.nanoseconds);
    set.map_err(|text| Unanswered::Refused(OperatorError::Invalid(text)))
}

/// What a watcher of events hears while nothing happens.
pub(crate) fn heartbeat() -> Shared<Event> {
    Shared::new(Event {
        r#type: Some(event::Type::Heartbeat.into()),
        ..Event::default()
    })
}
