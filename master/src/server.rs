//! The master as a server: it starts, serves and stops.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tepui_master_core::{Config, Master};
use tepui_proto::v1;
use tepui_store::{Error as StoreError, Store};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};
use uuid::Uuid;

use crate::{
    Error, Options, clock::Clock, committer, driver::Driver, front::Front, limits, listener,
    registry, services,
};

/// A master that serves.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    health: HealthReporter,
    stop: oneshot::Sender<()>,
    close: oneshot::Sender<()>,
    driver: JoinHandle<()>,
    committed: oneshot::Receiver<Result<(), StoreError>>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// Runs a master until `shutdown` completes, then stops it in good order.
///
/// # Errors
/// Why it does not start, or why it stopped before.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let mut server = Server::start(options).await?;
    let failure = tokio::select! {
        failure = server.failure() => Some(failure),
        () = shutdown => None,
    };
    let stopped = server.stop().await;
    failure.map_or(stopped, Err)
}

impl Server {
    /// Starts a master. When this returns, it answers.
    ///
    /// # Errors
    /// Why it does not start: an option, the port or the work dir.
    pub async fn start(options: Options) -> Result<Self, Error> {
        options.validate()?;
        let listener = listener::bind(options.listen).await?;
        let work_dir = options.work_dir.clone();
        let store = blocking(move || registry::open(&work_dir)).await?;
        Self::start_with(options, listener, Arc::new(store)).await
    }

    /// Starts a master on a listener and a store that stand already.
    pub(crate) async fn start_with(
        options: Options,
        listener: TcpListener,
        store: Arc<dyn Store>,
    ) -> Result<Self, Error> {
        let unusable = |source| Error::Listen {
            address: options.listen,
            source,
        };
        let address = listener.local_addr().map_err(unusable)?;
        let config = options.config(master_info(&options, address));
        tracing::info!(%address, id = %config.master.id, "the master starts");
        let master = recover(config, store.clone(), &options.work_dir).await?;

        let (inbox, inputs) = mpsc::channel(limits::INBOX);
        let (works, pending) = mpsc::channel(limits::BATCHES_IN_LINE);
        let committed = committer::spawn(store, pending).map_err(|error| broken("disk", &error))?;
        let (stop, stopped) = oneshot::channel();
        let (master, clock) = master;
        let driver = tokio::spawn(Driver::new(master, clock, inputs, works).run(stopped));

        let health = HealthReporter::new();
        let routes = services::routes(Front::new(inbox), options.flags(), &health).await?;
        let (close, closed) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, routes, limits::KEEPALIVE, closed));
        Ok(Self {
            address,
            health,
            stop,
            close,
            driver,
            committed,
            serving,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the master stops by itself, which it does only when it cannot go on.
    pub async fn failure(&mut self) -> Error {
        tokio::select! {
            end = &mut self.committed => commit_failure(end),
            end = &mut self.serving => match end {
                Ok(Ok(())) => broken("listener", &"it ended"),
                Ok(Err(error)) => broken("listener", &error),
                Err(error) => broken("listener", &error),
            },
        }
    }

    /// Stops: what was received is done and made durable, streams end, connections close.
    ///
    /// # Errors
    /// [`Error::Commit`] when the last changes could not be made durable.
    pub async fn stop(self) -> Result<(), Error> {
        self.health
            .set_service_status("", ServingStatus::NotServing)
            .await;
        // A receiver that is gone has stopped already.
        let _ = self.stop.send(());
        let driven = self.driver.await.map_err(|error| broken("core", &error));
        let committed = if self.committed.is_terminated() {
            Ok(Ok(()))
        } else {
            self.committed.await
        };
        let _ = self.close.send(());
        let mut serving = self.serving;
        if !serving.is_finished() && timeout(limits::STOP_WITHIN, &mut serving).await.is_err() {
            tracing::warn!("some connections did not close in time");
            serving.abort();
        }
        driven?;
        match committed {
            Ok(Ok(())) => Ok(()),
            end => Err(commit_failure(end)),
        }
    }
}

/// Reads the registry and makes the core of it.
async fn recover(
    config: Config,
    store: Arc<dyn Store>,
    work_dir: &Path,
) -> Result<(Master, Clock), Error> {
    let work_dir = work_dir.to_owned();
    let recovered = blocking(move || registry::recover(&*store, &work_dir)).await?;
    let (agents, frameworks) = (recovered.agents.len(), recovered.frameworks.len());
    tracing::info!(agents, frameworks, "the registry is read");
    let clock = Clock::start();
    let master = Master::new(config, recovered).map_err(|error| broken("core", &error))?;
    Ok((master, clock))
}

async fn serve(
    listener: TcpListener,
    routes: Routes,
    keepalive: Duration,
    closed: oneshot::Receiver<()>,
) -> Result<(), tonic::transport::Error> {
    tonic::transport::Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(keepalive))
        .http2_max_header_list_size(limits::HEADER_BYTES)
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION)
        .add_routes(routes)
        .serve_with_incoming_shutdown(listener::incoming(listener), async {
            // Dropping the other end means the same.
            let _ = closed.await;
        })
        .await
}

fn master_info(options: &Options, address: SocketAddr) -> v1::MasterInfo {
    let hostname = options
        .hostname
        .clone()
        .unwrap_or_else(|| address.ip().to_string());
    // Mesos' field is the address as it stands in memory in network order.
    let ip = match address {
        SocketAddr::V4(address) => u32::from_ne_bytes(address.ip().octets()),
        SocketAddr::V6(_) => 0,
    };
    v1::MasterInfo {
        id: Uuid::new_v4().to_string(),
        ip,
        port: u32::from(address.port()),
        pid: Some(format!("master@{address}")),
        hostname: Some(hostname.clone()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        address: Some(v1::Address {
            hostname: Some(hostname),
            ip: Some(address.ip().to_string()),
            port: i32::from(address.port()),
        }),
        ..v1::MasterInfo::default()
    }
}

/// Does blocking work off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(broken("start", &error)))
}

fn commit_failure(end: Result<Result<(), StoreError>, oneshot::error::RecvError>) -> Error {
    match end {
        Ok(Err(error)) => Error::Commit(error),
        // The commit stage ends well only after the core has ended.
        Ok(Ok(())) => broken("core", &"it ended"),
        Err(_) => broken("commit stage", &"it panicked"),
    }
}

fn broken(part: &'static str, problem: &dyn std::fmt::Display) -> Error {
    Error::Broken {
        part,
        message: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// A peer whose machine is gone looks like this one: its connection stands, and no ping is
    /// answered.
    #[tokio::test]
    async fn a_connection_without_a_sign_of_life_is_dropped() {
        const KEEPALIVE: Duration = Duration::from_millis(100);
        const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (inbox, _inputs) = mpsc::channel(1);
        let health = HealthReporter::new();
        let routes = services::routes(Front::new(inbox), Vec::new(), &health)
            .await
            .unwrap();
        let (_close, closed) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, routes, KEEPALIVE, closed));
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(HELLO).await.unwrap();
        let mut heard = Vec::new();
        let end = timeout(100 * KEEPALIVE, silent.read_to_end(&mut heard)).await;
        assert!(end.is_ok(), "the connection still stands");
        assert!(!heard.is_empty());
        serving.abort();
    }
}
