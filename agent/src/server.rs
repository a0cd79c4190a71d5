//! The agent as a server: it starts, serves and stops.

mod ground;
mod start;

use std::{future::Future, net::SocketAddr};

use tepui_agent_core::Event;
use tepui_containers::Runtime;
use tepui_edge::{HealthReporter, Serving, ServingStatus};
use tepui_store::Error as StoreError;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::AbortHandle,
    time::timeout,
};

pub(crate) use ground::Ground;
use start::Core;
#[cfg(test)]
pub(crate) use start::start;

use crate::{
    Error, Options, driver::Front, error::broken, executors::Streams, limits, work_dir::WorkDir,
};

/// An agent that serves.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    pub(crate) front: Front,
    health: HealthReporter,
    core: Core,
    streams: Streams,
    serving: Serving,
    /// The domain socket for executors.
    domain: Option<Serving>,
    /// The link and the collector, which run until they are told to end.
    background: Vec<AbortHandle>,
    /// What containers run in. None in tests that play it.
    containers: Option<Runtime>,
    /// Last, so that the next agent finds everything at rest.
    work_dir: WorkDir,
}

/// Why an agent ends by itself.
#[derive(Debug)]
enum End {
    /// It has left the cluster for good.
    Left,
    /// It cannot go on.
    Failed(Error),
}

/// Runs an agent until `shutdown` completes, then stops it and leaves its tasks running. SIGUSR1
/// takes it out of the cluster for good: it ends its tasks, unregisters and returns.
///
/// # Errors
/// Why it does not start, or why it stopped before.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    // Before anybody can know that the agent is there: unheard, the signal would kill it.
    let mut leave =
        signal(SignalKind::user_defined1()).map_err(|error| broken("signals", &error))?;
    let mut server = Server::start(options).await?;
    tokio::pin!(shutdown);
    let end = loop {
        tokio::select! {
            end = server.end() => break Some(end),
            () = &mut shutdown => break None,
            _ = leave.recv() => server.leave().await,
        }
    };
    let stopped = server.stop().await;
    match end {
        Some(End::Failed(error)) => Err(error),
        _ => stopped,
    }
}

impl Server {
    /// Starts an agent. When this returns, it answers, and looks for a master.
    ///
    /// # Errors
    /// Why it does not start: an option, the port, the work dir, the machine, or what an earlier
    /// agent left.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let ground = Ground::take(options).await?;
        let runtime = Runtime::probe(ground.runtime_options())?;
        let mut server = start::start(ground, runtime.clone()).await?;
        server.containers = Some(runtime);
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the agent out of the cluster for good: its tasks end, then it unregisters and ends.
    pub async fn leave(&self) {
        tracing::info!("the agent leaves the cluster: it ends its tasks and unregisters");
        self.front.tell(Event::Leave).await;
    }

    /// Waits until the agent ends by itself: it has left the cluster, or it cannot go on.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn ended(&mut self) -> Result<(), Error> {
        match self.end().await {
            End::Left => Ok(()),
            End::Failed(error) => Err(error),
        }
    }

    async fn end(&mut self) -> End {
        tokio::select! {
            Ok(()) = &mut self.core.left => End::Left,
            end = &mut self.core.committed => End::Failed(commit_failure(end)),
            how = self.serving.ended() => End::Failed(broken("listener", &how)),
        }
    }

    /// Stops: what was received is done and made durable, streams end, connections close. The tasks
    /// run on, for the next agent on this work dir.
    ///
    /// # Errors
    /// [`Error::Commit`] when the last changes could not be made durable.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.health
            .set_service_status("", ServingStatus::NotServing)
            .await;
        // A receiver that is gone has stopped already.
        let _ = self.core.stop.send(());
        let driven = self
            .core
            .driver
            .await
            .map_err(|error| broken("core", &error));
        let committed = if self.core.committed.is_terminated() {
            Ok(Ok(()))
        } else {
            self.core.committed.await
        };
        self.streams.end_all();
        self.background.iter().for_each(AbortHandle::abort);
        if let Some(domain) = self.domain {
            domain.close().await;
        }
        self.serving.close().await;
        // Whoever is late is left to the next agent.
        let _ = timeout(limits::REMOVALS_AT_END, self.core.removals.recv()).await;
        if let Some(containers) = self.containers {
            containers.close().await;
        }
        drop(self.work_dir);
        driven?;
        match committed {
            Ok(Ok(())) => Ok(()),
            end => Err(commit_failure(end)),
        }
    }
}

fn commit_failure(end: Result<Result<(), StoreError>, oneshot::error::RecvError>) -> Error {
    match end {
        Ok(Ok(())) => broken("disk", &"its thread ended early"),
        Ok(Err(error)) => Error::Commit(error),
        Err(_) => broken("disk", &"its thread panicked"),
    }
}
