//! How the rest of the server reaches the core; cheap to clone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tepui_master_core::{ConnectionId, OperatorCall, OperatorReply};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::Status;

use crate::{
    dispatch::{Waiting, Watcher, stopping},
    driver::Input,
    limits, services,
};

/// The way to the core.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    inbox: mpsc::Sender<Input>,
    connections: Arc<AtomicU64>,
}

impl Front {
    pub(crate) fn new(inbox: mpsc::Sender<Input>) -> Self {
        Self {
            inbox,
            connections: Arc::default(),
        }
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
    pub(crate) async fn ask(&self, call: OperatorCall) -> Result<OperatorReply, Status> {
        let (caller, reply) = oneshot::channel();
        self.send(Input::Ask {
            call,
            waiting: Waiting::Call(caller),
        })
        .await?;
        let result = reply.await.map_err(|_| stopping())?;
        result.map_err(|error| services::operator_status(&error))
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
