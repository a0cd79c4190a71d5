//! The executor API: one way in for all roads. Calls come over gRPC, HTTP or the domain socket, are
//! checked here in Mesos' order and words, and go to the core; events go out on each executor's
//! stream.

mod check;
mod grpc;
mod http;
mod streams;
mod token;

use tepui_agent_core::{Event, ExecutorCall, ExecutorKey, StreamId, UnknownExecutor};
use tepui_edge::{Outbox, Outgoing, outbox};
use tepui_model::{ExecutorId, FrameworkId, TaskId};
use tepui_proto::v1::executor::{self, Call, call, event};

use self::token::Claims;
pub(crate) use self::{
    grpc::Service,
    http::call,
    streams::Streams,
    token::{Tokens, VARIABLE as TOKEN_VARIABLE},
};
use crate::{driver::Front, limits};

/// Why a call is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Not by this caller, or not now.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody knows who calls. The text is for `WWW-Authenticate`.
    #[error("{0}")]
    Unauthorized(String),
    /// Nobody knows its type.
    #[error("the type of the call is not known")]
    Unknown,
    /// The agent is about to end.
    #[error("The agent is stopping")]
    Stopping,
}

impl From<UnknownExecutor> for Refused {
    fn from(unknown: UnknownExecutor) -> Self {
        match unknown {
            UnknownExecutor::NotSubscribed => Self::Forbidden(unknown.to_string()),
            UnknownExecutor::Framework | UnknownExecutor::Executor => {
                Self::Invalid(unknown.to_string())
            }
        }
    }
}

/// The way of executors to the core. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Executors {
    front: Front,
    streams: Streams,
    /// How it is known who calls, if that is asked.
    tokens: Option<Tokens>,
}

/// Who calls, as far as it is asked.
type Caller = Option<Claims>;

impl Executors {
    pub(crate) const fn new(front: Front, streams: Streams, tokens: Option<Tokens>) -> Self {
        Self {
            front,
            streams,
            tokens,
        }
    }

    /// Who calls, by the header `Authorization`. Looked at before anything else.
    fn who(&self, header: Option<&[u8]>) -> Result<Caller, Refused> {
        let who = self.tokens.as_ref().map(|tokens| tokens.who(header));
        let who = who.unwrap_or(Ok(None));
        who.map_err(|token::Unauthorized(text)| Refused::Unauthorized(text))
    }

    /// Subscribes an executor: what it hears from now on.
    async fn subscribe(
        &self,
        caller: &Caller,
        call: Call,
    ) -> Result<(ExecutorKey, Outgoing<executor::Event>), Refused> {
        let key = key(&call)?;
        let subscribe = call.subscribe.unwrap_or_default();
        let tasks = subscribe.unacknowledged_tasks.iter();
        let tasks: Result<Vec<_>, _> = tasks.map(|task| TaskId::try_from(&task.task_id)).collect();
        let tasks = tasks.map_err(|error| check::invalid(error.to_string()))?;
        let updates = subscribe.unacknowledged_updates.into_iter();
        let updates = updates.map(|update| check::status(&key, update.status));
        let updates = updates.collect::<Result<Vec<_>, _>>()?;
        self.find(caller, &key, false).await?;
        let (outbox, outgoing) = outbox();
        let stream = self.streams.add(outbox.clone());
        let call = ExecutorCall::Subscribe {
            stream,
            tasks,
            updates,
        };
        tokio::spawn(self.clone().keep(stream, outbox));
        self.front
            .tell(Event::Executor {
                key: key.clone(),
                call,
            })
            .await;
        let outgoing = outgoing.with_heartbeat(limits::EXECUTOR_HEARTBEAT, heartbeat);
        Ok((key, outgoing))
    }

    /// Sees to it that the core hears of the end of a stream.
    async fn keep(self, stream: StreamId, outbox: Outbox<executor::Event>) {
        outbox.ended().await;
        self.streams.remove(stream);
        self.front.tell(Event::ExecutorGone { stream }).await;
    }

    /// Takes a call that is no SUBSCRIBE.
    async fn take(&self, caller: &Caller, call: Call) -> Result<(), Refused> {
        let kind = call.r#type();
        // Nobody needs to be known to say that it lives.
        if kind == call::Type::Heartbeat {
            return Ok(());
        }
        let key = key(&call)?;
        let call = match kind {
            call::Type::Update => {
                let status = call.update.map(|update| update.status);
                let status = check::status(&key, status.unwrap_or_default())?;
                ExecutorCall::Update(Box::new(status))
            }
            call::Type::Message => {
                ExecutorCall::Message(call.message.map(|it| it.data).unwrap_or_default())
            }
            _ => return Err(Refused::Unknown),
        };
        self.find(caller, &key, true).await?;
        self.front.tell(Event::Executor { key, call }).await;
        Ok(())
    }

    async fn find(
        &self,
        caller: &Caller,
        key: &ExecutorKey,
        subscribed: bool,
    ) -> Result<(), Refused> {
        let wanted = key.clone();
        let found = self.front.look(move |agent| {
            let container = agent.find_executor(&wanted, false)?.clone();
            Ok::<_, UnknownExecutor>((container, agent.find_executor(&wanted, subscribed).err()))
        });
        let (container, problem) = found.await.ok_or(Refused::Stopping)??;
        if let Some(claims) = caller {
            claims.check(key, &container).map_err(Refused::Forbidden)?;
        }
        problem.map_or(Ok(()), |problem| Err(problem.into()))
    }
}

/// Who calls.
fn key(call: &Call) -> Result<ExecutorKey, Refused> {
    let unknown = |error| Refused::from(error);
    let framework = FrameworkId::try_from(&call.framework_id);
    let framework = framework.map_err(|_| unknown(UnknownExecutor::Framework))?;
    let executor = ExecutorId::try_from(&call.executor_id);
    let executor = executor.map_err(|_| unknown(UnknownExecutor::Executor))?;
    Ok(ExecutorKey::new(&framework, &executor))
}

/// That the agent lives.
fn heartbeat() -> executor::Event {
    executor::Event {
        r#type: Some(event::Type::Heartbeat.into()),
        ..executor::Event::default()
    }
}
