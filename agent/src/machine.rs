//! Containers: what the core wants done to them, and what becomes of them.

mod fetches;
pub(crate) mod images;
mod logs;
mod spec;

use std::{fmt, future::Future, path::PathBuf, sync::Arc};

use tepui_agent_core::{
    ContainerEvent, ContainerPlan, Event, Exit, ExitStatus, FoundContainer, JoinedNetwork,
    Limitation, Limited, Limits, ProbeOrder, VolumePlace,
};
use tepui_containers as containers;
use tepui_containers::{
    LaunchError, LogRoom, Runtime, Session, SessionSpec, Signal, Spec, TerminalInput,
    TerminalOutput, Usage,
};
use tepui_fetcher::Fetcher;
use tepui_images::Images;
use tepui_model::ContainerId;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use self::{
    fetches::{Fetches, Meter},
    images::OwnRoot,
};
use crate::{
    checks,
    driver::Front,
    executors::{TOKEN_VARIABLE, Tokens},
    limits, sandbox,
    secrets::Secrets,
    volumes,
};

pub(crate) use self::{fetches::Abandoned, images::Provider, spec::Users};

/// What a machine does with containers. There is one on the real runtime, and another in tests.
pub(crate) trait Containers: Clone + fmt::Debug + Send + Sync + 'static {
    /// Starts a container; returns the process id of its init.
    fn launch(&self, spec: Spec) -> impl Future<Output = Result<u32, String>> + Send;
    /// Where the network namespace is mounted that a container is in; none for the agent's own.
    fn network(&self, id: &ContainerId) -> Option<PathBuf>;
    /// The networks that a container is attached to.
    fn networks(&self, id: &ContainerId) -> Vec<JoinedNetwork>;
    /// The handle on the packets of a container, if it has one.
    fn net_class(&self, _id: &ContainerId) -> Option<u32> {
        None
    }
    /// Asks those who attached a container to its networks whether it still is.
    fn check_networks(&self, id: &ContainerId) -> impl Future<Output = Result<(), String>> + Send;
    /// Waits until a container has ended.
    fn wait(&self, id: &ContainerId) -> impl Future<Output = Exit> + Send;
    /// The containers that an earlier agent left.
    fn recover(&self) -> impl Future<Output = Vec<FoundContainer>> + Send;
    /// Sends SIGTERM to every process of a container.
    fn terminate(&self, id: &ContainerId) -> Result<(), String>;
    /// Sends another signal to a container's own program.
    fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), String>;
    /// Kills every process of a container.
    fn kill(&self, id: &ContainerId) -> impl Future<Output = Result<(), String>> + Send;
    /// Removes what is left of an ended container. One that is not there is no error.
    fn remove(&self, id: &ContainerId) -> impl Future<Output = Result<(), String>> + Send;
    /// Changes how much a container may use.
    fn update(
        &self,
        id: &ContainerId,
        limits: containers::Limits,
    ) -> impl Future<Output = Result<(), String>> + Send;
    /// What a container uses now, if that can be said.
    fn usage(&self, id: &ContainerId) -> impl Future<Output = Option<Usage>> + Send;
    /// Starts a further program in a container that runs.
    fn open_session(
        &self,
        spec: SessionSpec,
    ) -> impl Future<Output = Result<Session, LaunchError>> + Send;
    /// Goes to the terminal of a container's own program.
    fn attach(&self, id: &ContainerId) -> Result<(TerminalOutput, TerminalInput), LaunchError>;
}

impl Containers for Runtime {
    async fn launch(&self, spec: Spec) -> Result<u32, String> {
        let started = Self::launch(self, spec)
            .await
            .map_err(|error| error.to_string())?;
        Ok(started.pid)
    }

    fn network(&self, id: &ContainerId) -> Option<PathBuf> {
        Self::network(self, id)
    }

    fn networks(&self, id: &ContainerId) -> Vec<JoinedNetwork> {
        let joined = |attached: containers::Attached| JoinedNetwork {
            name: attached.network,
            addresses: attached
                .addresses
                .iter()
                .map(|address| address.ip)
                .collect(),
        };
        Self::attached(self, id).into_iter().map(joined).collect()
    }

    fn net_class(&self, id: &ContainerId) -> Option<u32> {
        Self::net_class(self, id)
    }

    async fn check_networks(&self, id: &ContainerId) -> Result<(), String> {
        let checked = Self::check_networks(self, id).await;
        checked.map_err(|error| error.to_string())
    }

    async fn wait(&self, id: &ContainerId) -> Exit {
        let exit = Self::wait(self, id).await;
        let memory = exit.oom.map(|report| Limitation {
            of: Limited::Memory,
            limit_bytes: report.limit.0,
            message: report.to_string(),
        });
        let disk = exit.disk.map(|report| Limitation {
            of: Limited::Disk,
            limit_bytes: report.limit.0,
            message: report.to_string(),
        });
        let status = match exit.status {
            containers::ExitStatus::Code(code) => ExitStatus::Code(code),
            containers::ExitStatus::Signal(signal) => ExitStatus::Signal(signal),
            containers::ExitStatus::Unknown => ExitStatus::Unknown,
        };
        Exit {
            status,
            limitation: memory.or(disk),
        }
    }

    async fn recover(&self) -> Vec<FoundContainer> {
        let found = Self::recover(self)
            .await
            .into_iter()
            .map(|found| FoundContainer {
                networks: Containers::networks(self, &found.id),
                net_class: Self::net_class(self, &found.id),
                id: found.id,
                pid: match found.state {
                    containers::RecoveredState::Running(started) => Some(started.pid),
                    containers::RecoveredState::Exited => None,
                },
            });
        found.collect()
    }

    fn terminate(&self, id: &ContainerId) -> Result<(), String> {
        Self::terminate(self, id).map_err(|error| error.to_string())
    }

    fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), String> {
        Self::signal(self, id, signal).map_err(|error| error.to_string())
    }

    async fn kill(&self, id: &ContainerId) -> Result<(), String> {
        Self::kill(self, id)
            .await
            .map_err(|error| error.to_string())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), String> {
        match Self::remove(self, id).await {
            Ok(()) | Err(containers::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn update(&self, id: &ContainerId, limits: containers::Limits) -> Result<(), String> {
        let updated = Self::update(self, id, &limits).await;
        updated.map_err(|error| error.to_string())
    }

    async fn usage(&self, id: &ContainerId) -> Option<Usage> {
        Self::usage(self, id).await.ok()
    }

    async fn open_session(&self, spec: SessionSpec) -> Result<Session, LaunchError> {
        Self::open_session(self, spec).await
    }

    fn attach(&self, id: &ContainerId) -> Result<(TerminalOutput, TerminalInput), LaunchError> {
        Self::attach(self, id)
    }
}

/// A plan, and what it needs.
struct Ready {
    plan: ContainerPlan,
    root: Option<OwnRoot>,
    volumes: Vec<containers::ImageVolume>,
}

/// Carries out what the core wants done to containers, and tells it what becomes of them.
#[derive(Clone, Debug)]
pub(crate) struct Machine<C> {
    containers: C,
    front: Front,
    users: Users,
    provider: Provider,
    secrets: Secrets,
    tokens: Option<Tokens>,
    fetcher: Fetcher,
    /// How much of the output of tasks is kept.
    logs: [LogRoom; 2],
    fetches: Fetches,
    launches: Arc<Semaphore>,
    probes: Arc<Semaphore>,
}

impl<C: Containers> Machine<C> {
    pub(crate) fn new(
        containers: C,
        front: Front,
        users: Users,
        (provider, secrets, fetcher): (Provider, Secrets, Fetcher),
        tokens: Option<Tokens>,
        logs: [LogRoom; 2],
    ) -> Self {
        let launches = Arc::new(Semaphore::new(limits::LAUNCHES_AT_ONCE));
        Self {
            containers,
            front,
            users,
            provider,
            secrets,
            tokens,
            fetcher,
            logs,
            fetches: Fetches::default(),
            launches,
            probes: Arc::new(Semaphore::new(limits::PROBES_AT_ONCE)),
        }
    }

    /// Makes the sandbox, starts the container, and stays with it until it ends.
    pub(crate) async fn launch(self, plan: ContainerPlan, abandoned: Option<Abandoned>) {
        let container = plan.container.clone();
        match self.prepare_and_start(plan, abandoned).await {
            Ok(pid) => {
                let networks = self.containers.networks(&container);
                let started = ContainerEvent::Started {
                    pid,
                    networks,
                    net_class: self.containers.net_class(&container),
                };
                self.tell(&container, started).await;
                self.watch(container).await;
            }
            Err(message) => {
                self.tell(&container, ContainerEvent::LaunchFailed { message })
                    .await
            }
        }
    }

    /// Lets what a container needs be given up from now on, if anything is to be fetched.
    pub(crate) fn expect(&self, plan: &ContainerPlan) -> Option<Abandoned> {
        self.fetches.expect(plan)
    }

    /// Gives up what a container needs, if it is being fetched.
    pub(crate) fn abandon(&self, container: &ContainerId) {
        self.fetches.abandon(container);
    }

    /// What tasks want in their sandboxes.
    pub(crate) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// Images of tasks.
    pub(crate) const fn images(&self) -> &Images {
        self.provider.images()
    }

    /// Gets what is to be fetched first: others need not wait for that.
    async fn prepare_and_start(
        &self,
        plan: ContainerPlan,
        mut abandoned: Option<Abandoned>,
    ) -> Result<u32, String> {
        let container = plan.container.clone();
        let (meter, heard) = Meter::new();
        let prepared = tokio::select! {
            biased;
            prepared = self.prepare(plan, &mut abandoned, &meter) => prepared,
            () = self.tell_progress(&container, heard) => Err("it broke off".to_owned()),
        };
        self.fetches.over(&container);
        let ready = prepared?;
        match self.launches.clone().acquire_owned().await {
            Ok(_permit) => self.start(ready).await,
            Err(_) => Err("the agent is stopping".to_owned()),
        }
    }

    /// Gets the image, and what the task wants in its sandbox.
    async fn prepare(
        &self,
        mut plan: ContainerPlan,
        abandoned: &mut Option<Abandoned>,
        meter: &Meter,
    ) -> Result<Ready, String> {
        plan = self.secrets.resolve(plan).await?;
        if let (Some(tokens), Some(executor)) = (&self.tokens, &plan.executor) {
            let token = tokens.of(executor, &plan.container);
            plan.environment.push((TOKEN_VARIABLE.to_owned(), token));
        }
        let mut root = None;
        if let Some(asked) = plan.image.clone() {
            let container = plan.container.clone();
            let what = images::shown(&asked.name);
            let fetching = self.tell(&container, ContainerEvent::Fetching { what });
            let provided = self.provider.root(plan, &asked, abandoned, fetching, meter);
            let (completed, own) = provided.await?;
            (plan, root) = (completed, Some(own));
        }
        let volumes = self.provider.volumes(&plan, abandoned, meter).await?;
        if !plan.uris.is_empty() {
            make_sandbox(&plan).await?;
            let ids = root.as_ref().and_then(|own| own.ids.as_ref());
            let job = fetches::job(&plan, ids, &self.users)?;
            let fetch = async {
                let fetched = self
                    .fetcher
                    .fetch(&job, |progress| meter.note_uri(&progress));
                fetched.await.map_err(|error| error.to_string())
            };
            Abandoned::unless(abandoned, fetch).await?;
        }
        Ok(Ready {
            plan,
            root,
            volumes,
        })
    }

    /// Tells how far a fetch is, now and then, for ever.
    async fn tell_progress(&self, container: &ContainerId, mut heard: watch::Receiver<String>) {
        while heard.changed().await.is_ok() {
            let what = heard.borrow_and_update().clone();
            self.tell(container, ContainerEvent::Fetching { what })
                .await;
            sleep(limits::PROGRESS_EVERY).await;
        }
    }

    async fn start(&self, ready: Ready) -> Result<u32, String> {
        let Ready {
            plan,
            root,
            volumes,
        } = ready;
        make_sandbox(&plan).await?;
        let mut spec = spec::spec(plan, root, &self.users)?;
        spec.image_volumes = volumes;
        spec.logs = logs::rooms(self.logs, &spec.environment);
        self.containers.launch(spec).await
    }

    /// Stays with a container that an earlier agent started, until it ends.
    pub(crate) async fn take_over(self, found: FoundContainer) {
        let watched = self.clone().watch(found.id.clone());
        tokio::join!(self.check_networks(&found), watched);
    }

    /// Somebody may have changed its networks while no agent was there.
    async fn check_networks(&self, found: &FoundContainer) {
        if found.pid.is_some()
            && !found.networks.is_empty()
            && let Err(error) = self.containers.check_networks(&found.id).await
        {
            let container = &found.id;
            tracing::warn!(%container, error, "a container may have lost its network");
        }
    }

    /// Carries out a check, and tells what it found.
    pub(crate) async fn probe(self, order: ProbeOrder) {
        let (container, check, number) = (order.container.clone(), order.check, order.number);
        let Ok(_permit) = self.probes.clone().acquire_owned().await else {
            return;
        };
        let finding = checks::probe(&self.containers, &self.secrets, order).await;
        let probed = Event::Probed {
            container,
            check,
            number,
            finding,
        };
        self.front.tell(probed).await;
    }

    /// Tells how a container ends, once it has.
    pub(crate) async fn watch(self, container: ContainerId) {
        let exit = self.containers.wait(&container).await;
        self.tell(&container, ContainerEvent::Exited(exit)).await;
    }

    /// Waits until a container has ended, and says how.
    pub(crate) async fn wait(&self, container: &ContainerId) -> Exit {
        self.containers.wait(container).await
    }

    pub(crate) fn terminate(&self, container: &ContainerId) {
        if let Err(error) = self.containers.terminate(container) {
            tracing::warn!(%container, error, "cannot send SIGTERM");
        }
    }

    /// Sends a signal to a container's own program.
    pub(crate) fn signal(&self, container: &ContainerId, signal: Signal) -> Result<(), String> {
        self.containers.signal(container, signal)
    }

    /// Kills a container. The core asks again if that ends nothing.
    pub(crate) async fn kill(self, container: ContainerId) {
        if let Err(error) = self.containers.kill(&container).await {
            tracing::warn!(%container, error, "cannot kill");
        }
    }

    /// Removes what is left of a container. The kernel may need a while until it lets go.
    pub(crate) async fn remove(self, container: ContainerId) {
        for attempt in 1..=limits::REMOVE_ATTEMPTS {
            let removed = match self.containers.remove(&container).await {
                // Not before: it may hold the files.
                Ok(()) => self.provider.release(&container).await,
                failed => failed,
            };
            let Err(error) = removed else {
                return;
            };
            tracing::warn!(%container, attempt, error, "cannot remove what is left of a container");
            sleep(limits::REMOVE_PAUSE).await;
        }
        tracing::error!(%container, "gave up removing it; the next start of the agent tries again");
    }

    /// Changes how much a container may use.
    pub(crate) async fn resize(self, container: ContainerId, limits: Limits) {
        if let Err(error) = self
            .containers
            .update(&container, spec::limits(&limits))
            .await
        {
            tracing::warn!(%container, error, "cannot change the limits of a container");
        }
    }

    /// What a container uses now.
    pub(crate) async fn usage(&self, container: &ContainerId) -> Option<Usage> {
        self.containers.usage(container).await
    }

    /// Starts a further program in a container that runs.
    pub(crate) async fn open_session(&self, spec: SessionSpec) -> Result<Session, LaunchError> {
        self.containers.open_session(spec).await
    }

    /// Goes to the terminal of a container's own program.
    pub(crate) fn attach(
        &self,
        id: &ContainerId,
    ) -> Result<(TerminalOutput, TerminalInput), LaunchError> {
        self.containers.attach(id)
    }

    /// Makes the folder of a volume. A task that wants it hears if that failed.
    pub(crate) fn make_volume(&self, place: &VolumePlace) {
        if let Err(error) = volumes::make(place) {
            tracing::error!(folder = %place.folder.display(), %error, "cannot make the volume");
        }
    }

    /// Sets the data of a volume aside now, then deletes it, and tells the core.
    pub(crate) fn remove_volume(
        &self,
        handle: &Handle,
        removal: String,
        place: VolumePlace,
    ) -> JoinHandle<()> {
        let set_aside = volumes::set_aside(&place, &removal);
        let front = self.front.clone();
        handle.spawn(async move {
            let name = removal.clone();
            let folder = place.folder.display().to_string();
            let delete = move || set_aside.and_then(|()| volumes::delete(&place, &name));
            match spawn_blocking(delete).await {
                Ok(Ok(())) => front.tell(Event::VolumeRemoved { removal }).await,
                failed => {
                    tracing::error!(
                        folder,
                        removal,
                        ?failed,
                        "cannot remove the data of a volume; \
                        the next start of the agent tries again"
                    );
                }
            }
        })
    }

    /// Removes the last trace of a volume.
    pub(crate) fn forget_volume(&self, removal: &str, place: &VolumePlace) {
        if let Err(error) = volumes::forget(place, removal) {
            tracing::warn!(removal, %error, "an empty folder stays in the trash");
        }
    }

    async fn tell(&self, container: &ContainerId, event: ContainerEvent) {
        let container = container.clone();
        self.front.tell(Event::Container { container, event }).await;
    }
}

async fn make_sandbox(plan: &ContainerPlan) -> Result<(), String> {
    let (path, shown) = (plan.sandbox.clone(), plan.shown.clone());
    let made = spawn_blocking(move || sandbox::make(&path, &shown)).await;
    made.map_err(|error| error.to_string())?.map_err(|error| {
        format!(
            "cannot make the sandbox {}: {error}",
            plan.sandbox.display()
        )
    })
}
