//! The loop that owns the core: what happens becomes events, effects become deeds.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use tepui_sdk::{
    Driver, Event as Heard, Events, KnownTask, Options as Session, Profile, connect,
    edge::{Clock, Listener, Serving},
    model::{Filters, Role, TaskId},
    state::Store,
};
use tokio::{
    sync::{broadcast, mpsc},
    task::spawn_blocking,
    time::sleep_until,
};

use super::{
    api::{self, Api},
    collect::Collector,
    requests::{Request, Requests, Submission},
    results::Results,
    store,
};
use crate::{
    Error, FRAMEWORK_NAME, Options,
    core::{Core, Effect, Effects, Event},
    ids::JobId,
    limits,
};

/// Runs the framework until `shutdown`; its tasks run on.
///
/// # Errors
/// When it cannot start, when its store fails, or when the master ends it.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let server = Server::start(options).await?;
    tracing::info!(address = %server.address(), "the batch framework is up");
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
    results: Results,
    collector: Collector,
    changed: broadcast::Sender<JobId>,
    requests: mpsc::Receiver<Request>,
    /// Dropping it ends the API.
    api: Serving,
    /// What recovery asks for, to be done once there is a session.
    recovery: Effects,
}

/// What the loop turns to next.
enum Turn {
    Heard(Option<Result<Heard, tepui_sdk::Error>>),
    Request(Option<Request>),
    Collected(Event),
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
        let store = store::open(&options.work_dir)?;
        let results = Results::new(&options.work_dir);
        let mut recovery = Effects::new();
        let core = Core::new(store::load(&*store)?, &mut recovery);
        let listener = Listener::bind(options.listen).await?;
        let address = listener.address();
        let (asked, requests) = mpsc::channel(limits::INBOX);
        let (changed, _) = broadcast::channel(limits::WATCH_BACKLOG);
        let api = Api::new(Requests(asked), changed.clone(), results.clone());
        let api = api::serve(listener, api).await?;
        Ok(Self {
            options,
            role,
            address,
            core,
            clock: Clock::start(),
            store,
            collector: Collector::new(results.clone()),
            results,
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

    /// Subscribes, and carries out jobs until `shutdown`.
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
        let mut shutdown = pin!(shutdown);
        let (mut driver, mut events) = self.subscribe()?;
        let mut is_known = false;
        let recovery = std::mem::take(&mut self.recovery);
        self.carry_out(&driver, recovery).await?;
        loop {
            let due = self.clock.instant(self.core.next_wake(self.clock.now()));
            let turn = tokio::select! {
                heard = events.next() => Turn::Heard(heard),
                request = self.requests.recv() => Turn::Request(request),
                event = self.collector.next() => Turn::Collected(event),
                () = sleep_until(due) => Turn::Wake,
                () = &mut shutdown => Turn::Shutdown,
            };
            match turn {
                Turn::Heard(Some(Ok(heard))) => {
                    is_known |= matches!(heard, Heard::Subscribed(_));
                    self.heard(&driver, heard).await?;
                }
                Turn::Heard(Some(Err(tepui_sdk::Error::Ended(reason)))) if !is_known => {
                    (driver, events) = self.begin_again(&reason).await?;
                }
                Turn::Heard(Some(Err(error))) => return Err(error.into()),
                Turn::Request(Some(request)) => self.asked(&driver, request).await?,
                Turn::Collected(event) => self.happened(&driver, event).await?,
                Turn::Wake => self.happened(&driver, Event::Wake).await?,
                Turn::Heard(None) | Turn::Request(None) => {
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
        let host = self.options.hostname.clone();
        let host = host.unwrap_or_else(|| self.address.ip().to_string());
        let profile = Profile::new(FRAMEWORK_NAME)
            .role(&self.role)
            .id(self.core.framework().cloned())
            .failover_timeout(limits::FAILOVER_TIMEOUT)
            .webui_url(format!("http://{host}:{}", self.address.port()));
        let known = self.core.live().filter_map(|(attempt, site)| {
            let task_id = TaskId::new(attempt.to_string()).ok()?;
            Some(KnownTask {
                task_id,
                agent_id: Some(site.agent.clone()),
            })
        });
        let session = Session::new(&self.options.master, profile)?;
        Ok(connect(session.known_tasks(known.collect())))
    }

    /// The master will not have the framework's old id: an operator tore it down, and its tasks
    /// with it. Started again, it begins anew with the same jobs.
    async fn begin_again(&mut self, reason: &str) -> Result<(Driver, Events), Error> {
        if self.core.framework().is_none() {
            return Err(tepui_sdk::Error::Ended(reason.to_owned()).into());
        }
        tracing::warn!(reason, "the framework's old life has ended; it begins anew");
        let mut effects = Effects::new();
        self.core.begin_again(self.clock.now(), &mut effects);
        let (driver, events) = self.subscribe()?;
        self.carry_out(&driver, effects).await?;
        Ok((driver, events))
    }

    async fn heard(&mut self, driver: &Driver, heard: Heard) -> Result<(), Error> {
        let event = match heard {
            Heard::Subscribed(subscription) => {
                tracing::info!(id = %subscription.framework_id, "subscribed");
                Event::Subscribed(subscription.framework_id)
            }
            Heard::Offers(offers) => Event::Offers(offers),
            Heard::Update(status) => {
                let message = status.message.as_deref().unwrap_or_default();
                tracing::debug!(task = %status.task_id, state = %status.state, message, "update");
                Event::Update(status)
            }
            Heard::Failure(failure) => match (failure.agent_id, failure.executor_id) {
                (Some(agent), None) => Event::AgentLost(agent),
                _ => return Ok(()),
            },
            Heard::Disconnected(reason) => {
                tracing::warn!(reason, "disconnected");
                return Ok(());
            }
            // Offers are answered at once, so a rescinded one is no news; no task has an executor
            // that would send messages.
            _ => return Ok(()),
        };
        self.happened(driver, event).await
    }

    async fn happened(&mut self, driver: &Driver, event: Event) -> Result<(), Error> {
        let mut effects = Effects::new();
        self.core.apply(self.clock.now(), event, &mut effects);
        self.carry_out(driver, effects).await
    }

    /// Answers a request after what it changed is on disk.
    async fn asked(&mut self, driver: &Driver, request: Request) -> Result<(), Error> {
        let (now, mut effects) = (self.clock.now(), Effects::new());
        match request {
            Request::Submit(submission, reply) => {
                let Submission {
                    spec,
                    sources,
                    extent,
                } = *submission;
                let taken = self.core.submit(now, spec, sources, extent, &mut effects);
                if let Ok(job) = &taken {
                    tracing::info!(%job, "submitted");
                }
                self.carry_out(driver, effects).await?;
                let _ = reply.send(taken);
            }
            Request::Cancel(job, reply) => {
                let cancelled = self.core.cancel(now, &job, &mut effects);
                self.carry_out(driver, effects).await?;
                let _ = reply.send(cancelled);
            }
            Request::Look(look) => look(&self.core),
        }
        Ok(())
    }

    /// Makes durable what is to be durable, then does the rest, in order.
    async fn carry_out(&mut self, driver: &Driver, mut effects: Effects) -> Result<(), Error> {
        let (changes, deeds) = effects.take();
        store::commit(&self.store, changes).await?;
        for deed in deeds {
            self.carry_out_one(driver, deed).await;
        }
        Ok(())
    }

    async fn carry_out_one(&self, driver: &Driver, deed: Effect) {
        match deed {
            // Taken out before; it is durable.
            Effect::Persist(_) => {}
            Effect::Launch { offer, tasks } => {
                driver.accept(vec![offer], tasks, Filters::default()).await;
            }
            Effect::Decline(offers) => driver.decline(offers, Filters::default()).await,
            Effect::Kill(task) => driver.kill(&task).await,
            Effect::Revive => driver.revive(&[]).await,
            Effect::Suppress => driver.suppress(&[]).await,
            Effect::Inspect(attempt, site) => {
                if let Some(framework) = self.core.framework() {
                    self.collector.inspect(framework.clone(), attempt, site);
                }
            }
            Effect::Collect(attempt, site) => {
                if let Some(framework) = self.core.framework() {
                    self.collector.collect(framework.clone(), attempt, site);
                }
            }
            // Nobody may be watching.
            Effect::Changed(job) => drop(self.changed.send(job)),
            Effect::Forget(job) => {
                let results = self.results.clone();
                // Nothing waits for it.
                drop(spawn_blocking(move || results.forget(&job)));
            }
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
