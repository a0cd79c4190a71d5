//! The executor API over gRPC: one stream each way, on which the first call is SUBSCRIBE.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use tepui_edge::{Outbox, outbox};
use tepui_proto::{
    services::executor_server::Executor,
    v1::executor::{Call, Event, call},
};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::{Caller, Executors, Refused, check};
use crate::limits;

/// The executor API over gRPC.
#[derive(Clone, Debug)]
pub(crate) struct Service(pub(crate) Executors);

#[tonic::async_trait]
impl Executor for Service {
    type OpenStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn open(
        &self,
        request: Request<Streaming<Call>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        // The response must not wait for the first call: clients may send none before they have it.
        let authorization = request.metadata().get("authorization");
        let authorization = authorization.map(|value| value.as_encoded_bytes());
        let caller = self.0.who(authorization)?;
        let (calls, executors) = (request.into_inner(), self.0.clone());
        let begin = async move {
            match begin(executors, caller, calls).await {
                Ok(events) => events,
                Err(status) => stream::iter([Err(status)]).boxed(),
            }
        };
        Ok(Response::new(stream::once(begin).flatten().boxed()))
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

/// Subscribes, and takes what else the executor says for as long as it hears its events.
async fn begin(
    executors: Executors,
    caller: Caller,
    mut calls: Streaming<Call>,
) -> Result<Events, Status> {
    let seconds = limits::FIRST_CALL_WITHIN.as_secs();
    let late = |_| Status::deadline_exceeded(format!("no SUBSCRIBE within {seconds} seconds"));
    let first = timeout(limits::FIRST_CALL_WITHIN, calls.message());
    let Some(call) = first.await.map_err(late)?? else {
        return Ok(stream::empty().boxed());
    };
    check::check(&call)?;
    if call.r#type() != call::Type::Subscribe {
        let text = "the first call of a stream must be SUBSCRIBE";
        return Err(Status::failed_precondition(text));
    }
    let (key, events) = executors.subscribe(&caller, call).await?;
    // Says how the stream ends when a call is not taken.
    let (end, ended) = outbox::<Event>();
    tokio::spawn(async move {
        let end_with = follow((&executors, &caller), &key, calls, &end).await;
        end.end(end_with.err());
    });
    // The end of either is the end of both.
    let events = events.map(Some).chain(stream::iter([None]));
    let ended = ended.map(Some).chain(stream::iter([None]));
    let both = stream::select(ended, events);
    let both = both.take_while(|item| std::future::ready(item.is_some()));
    Ok(both.filter_map(std::future::ready).boxed())
}

async fn follow(
    (executors, caller): (&Executors, &Caller),
    key: &tepui_agent_core::ExecutorKey,
    mut calls: Streaming<Call>,
    end: &Outbox<Event>,
) -> Result<(), Status> {
    loop {
        let call = tokio::select! {
            () = end.ended() => return Ok(()),
            call = calls.message() => call?,
        };
        let Some(call) = call else { return Ok(()) };
        check::check(&call)?;
        if super::key(&call)? != *key {
            let text = "executor_id: another executor subscribed on this stream";
            return Err(Status::invalid_argument(text));
        }
        if call.r#type() == call::Type::Subscribe {
            let text = "this stream is subscribed already; open another";
            return Err(Status::failed_precondition(text));
        }
        executors.take(caller, call).await?;
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Invalid(_) => Self::invalid_argument(text),
            Refused::Forbidden(_) => Self::failed_precondition(text),
            Refused::Unauthorized(_) => Self::unauthenticated(text),
            Refused::Unknown => Self::unimplemented(text),
            Refused::Stopping => Self::unavailable(text),
        }
    }
}
