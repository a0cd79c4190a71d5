//! The shell: one loop that owns the core and turns events into its methods, effects into deeds.

use std::{net::SocketAddr, path::Path, sync::Arc};

use tepui_sdk::{
    Driver, Event, Events, KnownTask, Options as Session, Profile, connect,
    edge::{Clock, Listener, Serving},
    model::{Filters, FrameworkId, Role},
    state::{RocksStore, Store},
};
use tokio::{
    sync::{broadcast, mpsc},
    time::sleep_until,
};

use crate::{
    Error, FRAMEWORK_NAME, Options, api,
    core::{Change, Core, Effect, Effects, Refusal},
    limits,
    requests::{Request, Requests},
    service::{self, Api},
    spec::AppName,
    store,
};

/// Runs the framework until `shutdown`; its tasks run on.
///
/// # Errors
/// When it cannot start, when its store fails, or when the master ends it.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let server = Server::start(options).await?;
    tracing::info!(address = %server.address(), "the service framework is up");
    server.run(shutdown).await
}

/// A framework that listens and has read its records, but says nothing yet.
pub struct Server {
    options: Options,
    role: Role,
    address: SocketAddr,
    core: Core,
    clock: Clock,
    store: Arc<dyn Store>,
    changed: broadcast::Sender<AppName>,
    requests: mpsc::Receiver<Request>,
    /// Dropping it ends the API.
    api: Serving,
    /// What recovery asks for, to be done once there is a session.
    recovery: Effects,
}

/// What the loop turns to next.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Turn {
    Event(Option<Result<Event, tepui_sdk::Error>>),
    Request(Option<Request>),
    Wake,
    Shutdown,
}

impl Server {
    /// Opens the store and the listener.
    ///
    /// # Errors
    /// Whatever stands in the way, and which flag helps.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let role = Role::new(&options.role)?;
        let store = open(&options.work_dir)?;
        let clock = Clock::start();
        let mut recovery = Effects::new();
        let core = Core::recover(clock.now(), store::load(&*store)?, &mut recovery)?;
        let listener = Listener::bind(options.listen).await?;
        let address = listener.address();
        let (asked, requests) = mpsc::channel(limits::WAITING_REQUESTS);
        let (changed, _) = broadcast::channel(limits::WAITING_REQUESTS);
        let api = Api::new(Requests(asked), changed.clone());
        let api = service::serve(listener, api).await?;
        Ok(Self {
            options,
            role,
            address,
            core,
            clock,
            store,
            changed,
            requests,
            api,
            recovery,
        })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Subscribes, and keeps the apps running until `shutdown`.
    ///
    /// # Errors
    /// When the store fails or the master ends the framework.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let outcome = self.live(shutdown).await;
        drop(self.requests);
        drop(self.api);
        outcome
    }

    async fn live(&mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let mut shutdown = std::pin::pin!(shutdown);
        let (mut driver, mut events) = self.subscribe()?;
        let mut known = false;
        let recovery = std::mem::take(&mut self.recovery);
        self.carry_out(&driver, recovery).await?;
        loop {
            let turn = tokio::select! {
                event = events.next() => Turn::Event(event),
                request = self.requests.recv() => Turn::Request(request),
                () = sleep_until(self.clock.instant(self.core.next_wake())) => Turn::Wake,
                () = &mut shutdown => Turn::Shutdown,
            };
            match turn {
                Turn::Event(Some(Ok(event))) => {
                    known |= matches!(event, Event::Subscribed(_));
                    self.happened(&driver, event).await?;
                }
                Turn::Event(Some(Err(tepui_sdk::Error::Ended(reason)))) if !known => {
                    (driver, events) = self.begin_again(&reason).await?;
                }
                Turn::Event(Some(Err(error))) => return Err(error.into()),
                Turn::Request(Some(request)) => self.asked(&driver, request).await?,
                Turn::Wake => {
                    let mut effects = Effects::new();
                    self.core.wake(self.clock.now(), &mut effects);
                    self.carry_out(&driver, effects).await?;
                }
                Turn::Event(None) | Turn::Request(None) => {
                    return Err(Error::Internal(
                        "a part of the framework has ended".to_owned(),
                    ));
                }
                Turn::Shutdown => {
                    driver.stop().await;
                    return Ok(());
                }
            }
        }
    }

    /// Opens a session under the framework's own id, if it has one.
    fn subscribe(&self) -> Result<(Driver, Events), Error> {
        let host = self
            .options
            .hostname
            .clone()
            .unwrap_or_else(|| self.address.ip().to_string());
        let profile = Profile::new(FRAMEWORK_NAME)
            .role(&self.role)
            .id(self.core.framework_id().cloned())
            .failover_timeout(limits::FAILOVER_TIMEOUT)
            .webui_url(format!("http://{host}:{}", self.address.port()));
        let tasks = self.core.tasks().map(|(task_id, instance)| KnownTask {
            task_id,
            agent_id: Some(instance.agent_id.clone()),
        });
        let session = Session::new(&self.options.master, profile)?;
        Ok(connect(session.known_tasks(tasks.collect())))
    }

    /// The master will not have the framework's old id: an operator tore it down, and its tasks
    /// with it. Started again, it begins anew with the same apps.
    async fn begin_again(&mut self, reason: &str) -> Result<(Driver, Events), Error> {
        if self.core.framework_id().is_none() {
            return Err(tepui_sdk::Error::Ended(reason.to_owned()).into());
        }
        tracing::warn!(reason, "the framework's old life has ended; it begins anew");
        let mut effects = Effects::new();
        self.core.forget_life(self.clock.now(), &mut effects);
        let (driver, events) = self.subscribe()?;
        self.carry_out(&driver, effects).await?;
        Ok((driver, events))
    }

    async fn happened(&mut self, driver: &Driver, event: Event) -> Result<(), Error> {
        let (now, mut effects) = (self.clock.now(), Effects::new());
        match event {
            Event::Subscribed(subscription) => {
                let id: FrameworkId = subscription.framework_id;
                tracing::info!(%id, "subscribed");
                self.core.subscribed(id, &mut effects);
            }
            Event::Offers(offers) => self.core.offered(now, offers, &mut effects),
            Event::Update(status) => {
                let message = status.message.as_deref().unwrap_or_default();
                tracing::info!(task = %status.task_id, state = %status.state, message, "update");
                self.core.reported(now, &status, &mut effects);
            }
            Event::Disconnected(reason) => tracing::warn!(reason, "disconnected"),
            // Offers are answered at once; what ends with an agent is reported task by task.
            _ => {}
        }
        self.carry_out(driver, effects).await
    }

    /// Answers a request after what it changed is on disk.
    async fn asked(&mut self, driver: &Driver, request: Request) -> Result<(), Error> {
        let (now, mut effects) = (self.clock.now(), Effects::new());
        match request {
            Request::Deploy { apps, reply } => {
                let names: Vec<_> = apps.iter().map(|app| app.name.clone()).collect();
                let done = self.core.deploy(now, apps, &mut effects);
                self.carry_out(driver, effects).await?;
                let _ = reply.send(done.and_then(|()| self.statuses(&names)));
            }
            Request::Scale {
                name,
                replicas,
                reply,
            } => {
                let done = self.core.scale(now, &name, replicas, &mut effects);
                self.carry_out(driver, effects).await?;
                let _ = reply.send(done.and_then(|()| self.core.status(&name, now)));
            }
            Request::Remove { name, reply } => {
                let done = self.core.remove(now, &name, &mut effects);
                self.carry_out(driver, effects).await?;
                let _ = reply.send(done);
            }
            Request::Status { name, reply } => {
                let _ = reply.send(self.core.status(&name, now));
            }
            Request::List { reply } => {
                let names: Vec<_> = self.core.names().cloned().collect();
                let without_instances = |mut status: api::AppStatus| {
                    status.instances.clear();
                    status
                };
                let all = self.statuses(&names);
                let _ = reply.send(all.map(|a| a.into_iter().map(without_instances).collect()));
            }
        }
        Ok(())
    }

    fn statuses(&self, names: &[AppName]) -> Result<Vec<api::AppStatus>, Refusal> {
        let now = self.clock.now();
        names
            .iter()
            .map(|name| self.core.status(name.as_str(), now))
            .collect()
    }

    /// Makes durable what is to be durable, then does the rest, in order.
    async fn carry_out(&mut self, driver: &Driver, effects: Effects) -> Result<(), Error> {
        let (changes, deeds): (Vec<Effect>, Vec<Effect>) = effects
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Persist(_)));
        store::commit(
            &self.store,
            changes.into_iter().filter_map(change).collect(),
        )
        .await?;
        for deed in deeds {
            match deed {
                Effect::Persist(_) => {}
                Effect::Apply(matches) => {
                    driver
                        .apply(
                            matches,
                            Filters {
                                refuse: Some(limits::DECLINE),
                            },
                        )
                        .await;
                }
                Effect::Kill {
                    task,
                    grace: Some(grace),
                } => driver.kill_within(&task, grace).await,
                Effect::Kill { task, grace: None } => driver.kill(&task).await,
                Effect::Revive => driver.revive(&[]).await,
                Effect::Suppress => driver.suppress(&[]).await,
                // Nobody may be watching.
                Effect::Changed(name) => drop(self.changed.send(name)),
            }
        }
        Ok(())
    }
}

fn change(effect: Effect) -> Option<Change> {
    match effect {
        Effect::Persist(change) => Some(change),
        _ => None,
    }
}

fn open(work_dir: &Path) -> Result<Arc<dyn Store>, Error> {
    let failed = |source| Error::WorkDir {
        path: work_dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(work_dir).map_err(failed)?;
    Ok(Arc::new(RocksStore::open(
        work_dir.join("store"),
        &store::FAMILIES,
    )?))
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
