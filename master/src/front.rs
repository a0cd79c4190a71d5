//! How the rest of the server reaches the core; cheap to clone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tepui_master_core::{ConnectionId, OperatorCall, OperatorError, OperatorReply};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::Status;

use crate::{
    dispatch::{Waiting, Watcher, stopping},
    driver::Input,
    limits,
    sessions::Sessions,
};

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Unanswered {
    /// The core cannot do what is asked for.
    Refused(OperatorError),
    /// The master is on its way out.
    Stopping,
}

impl From<Unanswered> for Status {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Stopping => stopping(),
            Unanswered::Refused(error) => refusal(&error),
        }
    }
}

/// How an operator's error is told over gRPC.
pub(crate) fn refusal(error: &OperatorError) -> Status {
    let text = error.to_string();
    match error {
        OperatorError::Invalid(_) => Status::invalid_argument(text),
        OperatorError::NotFound(_) => Status::not_found(text),
        OperatorError::Conflict(_) => Status::failed_precondition(text),
        OperatorError::Unsupported(_) => Status::unimplemented(text),
    }
}

/// The way to the core.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    inbox: mpsc::Sender<Input>,
    connections: Arc<AtomicU64>,
    sessions: Sessions,
}

impl Front {
    pub(crate) fn new(inbox: mpsc::Sender<Input>, sessions: Sessions) -> Self {
        Self {
            inbox,
            connections: Arc::default(),
            sessions,
        }
    }

    /// Which framework is on which stream.
    pub(crate) const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// A number that no other connection has.
    pub(crate) fn connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands an input to the core; waits while the core has too much to do.
    pub(crate) async fn send(&self, input: Input) -> Result<(), Status> {
        self.inbox.send(input).await.map_err(|_| stopping())
    }

    /// Asks the core, and waits for the answer and for all before it to be durable.
    pub(crate) async fn ask(&self, call: OperatorCall) -> Result<OperatorReply, Unanswered> {
        let (caller, reply) = oneshot::channel();
        let waiting = Waiting::Call(caller);
        let sent = self.inbox.send(Input::Ask { call, waiting }).await;
        sent.map_err(|_| Unanswered::Stopping)?;
        let result = reply.await.map_err(|_| Unanswered::Stopping)?;
        result.map_err(Unanswered::Refused)
    }

    /// Whether inputs come through the core and the disk in good time.
    pub(crate) async fn probe(&self) -> Result<(), Status> {
        let through = async {
            let (probe, came_through) = oneshot::channel();
            self.send(Input::Probe(probe)).await?;
            came_through.await.map_err(|_| stopping())
        };
        let late = |_| Status::unavailable("the master does not answer in time");
        timeout(limits::PROBE_WITHIN, through).await.map_err(late)?
    }

    /// Begins to watch: the reply to the call and then every change go to the watcher.
    pub(crate) async fn watch(&self, call: OperatorCall, watcher: Watcher) -> Result<(), Status> {
        self.send(Input::Ask {
            call,
            waiting: Waiting::Watch(watcher),
        })
        .await
    }
}
