//! The master as a server: it starts, serves and stops.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc};

use tepui_edge::{Clock, HealthReporter, Listener, Serving, ServingStatus, descriptors};
use tepui_master_core::{Config, Master};
use tepui_proto::v1;
use tepui_store::{Error as StoreError, Store};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    Error, Options, committer,
    desk::{Desk, metrics::Tally},
    driver::{Driver, Input},
    front::Front,
    limits, registry, services,
    sessions::Sessions,
    whitelist,
};

/// A master that serves.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    health: HealthReporter,
    stop: oneshot::Sender<()>,
    driver: JoinHandle<()>,
    committed: oneshot::Receiver<Result<(), StoreError>>,
    whitelist: Option<JoinHandle<()>>,
    serving: Serving,
}

/// Runs a master until `shutdown` completes, then stops it in good order.
///
/// # Errors
/// Why it does not start, or why it stopped before.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    descriptors::allow(limits::CONNECTIONS);
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
        let listener = Listener::bind(options.listen).await?;
        let work_dir = options.work_dir.clone();
        let store = blocking(move || registry::open(&work_dir)).await?;
        Self::start_with(options, listener, Arc::new(store)).await
    }

    /// Starts a master on a listener and a store that stand already.
    pub(crate) async fn start_with(
        options: Options,
        listener: Listener,
        store: Arc<dyn Store>,
    ) -> Result<Self, Error> {
        let address = listener.address();
        let config = options.config(master_info(&options, address));
        tracing::info!(%address, id = %config.master.id, "the master starts");
        let master = recover(config, store.clone(), &options.work_dir).await?;

        let (inbox, inputs) = mpsc::channel(limits::INBOX);
        let (works, pending) = mpsc::channel(limits::BATCHES_IN_LINE);
        let sessions = Sessions::default();
        let tally = Tally::default();
        let committed = committer::spawn(store, pending, sessions.clone(), tally.clone());
        let committed = committed.map_err(|error| broken("disk", &error))?;
        let (stop, stopped) = oneshot::channel();
        let (master, clock) = master;
        let driver =
            tokio::spawn(Driver::new(master, clock, inputs, works, tally.clone()).run(stopped));

        let whitelist = begin_whitelist(&options, &inbox).await?;
        let health = HealthReporter::new();
        let front = Front::new(inbox, sessions);
        let desk = Desk::new(front.clone(), options.flags(), address, tally);
        let routes = services::routes(front, desk, &health).await?;
        let serving = listener.serve(routes, limits::CONNECTIONS);
        Ok(Self {
            address,
            health,
            stop,
            driver,
            committed,
            whitelist,
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
            how = self.serving.ended() => broken("listener", &how),
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
        if let Some(whitelist) = &self.whitelist {
            whitelist.abort();
        }
        // A receiver that is gone has stopped already.
        let _ = self.stop.send(());
        let driven = self.driver.await.map_err(|error| broken("core", &error));
        let committed = if self.committed.is_terminated() {
            Ok(Ok(()))
        } else {
            self.committed.await
        };
        self.serving.close().await;
        driven?;
        match committed {
            Ok(Ok(())) => Ok(()),
            end => Err(commit_failure(end)),
        }
    }
}

/// The core hears of the whitelist before anybody else, and again when it changes.
async fn begin_whitelist(
    options: &Options,
    inbox: &mpsc::Sender<Input>,
) -> Result<Option<JoinHandle<()>>, Error> {
    let Some(path) = options.whitelist.clone() else {
        return Ok(None);
    };
    let file = path.clone();
    let hosts = blocking(move || whitelist::open(&file)).await?;
    let told = whitelist::tell(hosts.clone(), inbox).await;
    told.map_err(|()| broken("core", &"it ended"))?;
    Ok(Some(whitelist::watch(path, hosts, inbox.clone())))
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
    use v1::master_info::{Capability, capability::Type};
    let capability = |kind: Type| Capability {
        r#type: Some(kind.into()),
    };
    let capabilities = [Type::AgentUpdate, Type::AgentDraining, Type::QuotaV2];
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
        domain: options.domain.as_ref().map(Into::into),
        capabilities: capabilities.map(capability).to_vec(),
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
