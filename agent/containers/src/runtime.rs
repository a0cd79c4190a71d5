//! The runtime: launches containers, watches them, and finds them again.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::fcntl::Flock;
use tepui_model::ContainerId;
use tepui_sys::Signal;
use tokio::{
    sync::{Semaphore, watch},
    task::AbortHandle,
};

use crate::{
    Attached, Error, Exit, LaunchError, Limits, NetworkError, Options, Refusal, Session,
    SessionSpec, Spec, TerminalInput, TerminalOutput, Usage,
    cgroups::Hierarchies,
    console,
    container::Container,
    disk::Holding,
    grants::Grants,
    isolators::{self, Machine},
    launch,
    launcher::Launcher,
    networks, probe,
    records::Records,
    recover,
    seat::{Seats, remove_seats},
    seccomp::Filters,
    session,
    users::Ranges,
};

/// Launches containers, watches them, and finds them again after a restart of the agent.
///
/// Cheap to clone. Dropping the last clone leaves the containers running.
#[derive(Clone, Debug)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// A container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The process id of its init, on the host.
    pub pid: u32,
    /// When that process started, in clock ticks since boot: with `pid`, it names the process for
    /// good.
    pub start_time: u64,
}

/// A container found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its name.
    pub id: ContainerId,
    /// What it does.
    pub state: RecoveredState,
}

/// What a recovered container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveredState {
    /// It runs.
    Running(Started),
    /// It ended: `wait` says how.
    Exited,
}

/// What all clones of a runtime share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) machine: Machine,
    pub(crate) filters: Filters,
    /// The users of the machine that containers have.
    pub(crate) users: Ranges,
    pub(crate) boot_id: String,
    pub(crate) records: Records,
    pub(crate) launcher: Arc<Launcher>,
    /// Those of the controllers in use. `None` without any cgroup isolator.
    pub(crate) hierarchies: Option<Arc<dyn Hierarchies>>,
    /// Those of all controllers of this machine, for containers launched under other options.
    pub(crate) all_hierarchies: Option<Arc<dyn Hierarchies>>,
    pub(crate) seats: Arc<Seats>,
    /// One permit per launch at the same time.
    pub(crate) launches: Semaphore,
    /// One permit per session.
    pub(crate) sessions: Arc<Semaphore>,
    /// Who has what to himself.
    pub(crate) grants: Arc<Grants>,
    pub(crate) containers: Mutex<BTreeMap<ContainerId, Slot>>,
    /// Held for as long as the runtime lives: one agent per runtime folder and cgroup root.
    pub(crate) _locks: Vec<Flock<File>>,
}

/// A container in the table.
#[derive(Debug)]
pub(crate) enum Slot {
    /// It is being launched. The channel closes when that is over.
    Launching(watch::Receiver<()>),
    /// It was launched or recovered, and is being watched.
    Known(Arc<Container>, AbortHandle),
}

impl Inner {
    pub(crate) fn table(&self) -> MutexGuard<'_, BTreeMap<ContainerId, Slot>> {
        // Nothing that holds the lock can leave the table half changed.
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a container from now on.
    pub(crate) fn watch(&self, container: Container) {
        let container = Arc::new(container);
        let supervisor = tokio::spawn(Arc::clone(&container).supervise(self.options.disk_interval))
            .abort_handle();
        self.table()
            .insert(container.id.clone(), Slot::Known(container, supervisor));
    }

    pub(crate) fn known(&self, id: &ContainerId) -> Option<Arc<Container>> {
        match self.table().get(id) {
            Some(Slot::Known(container, _)) => Some(Arc::clone(container)),
            _ => None,
        }
    }

    /// Lets others have what a container had to itself that is gone.
    pub(crate) async fn give_back(&self, id: &ContainerId) {
        let (grants, id) = (Arc::clone(&self.grants), id.clone());
        let hierarchies = self.hierarchies.clone();
        let give = move || grants.give_back(&id, hierarchies.as_deref());
        // It may have to move all other containers.
        drop(tokio::task::spawn_blocking(give).await);
    }

    /// The container, when its launch is over.
    async fn launched(&self, id: &ContainerId) -> Option<Arc<Container>> {
        loop {
            let mut launching = match self.table().get(id)? {
                Slot::Known(container, _) => return Some(Arc::clone(container)),
                Slot::Launching(over) => over.clone(),
            };
            // Nothing is ever sent: it returns when the sender is dropped.
            while launching.changed().await.is_ok() {}
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for slot in self.table().values() {
            if let Slot::Known(_, supervisor) = slot {
                supervisor.abort();
            }
        }
    }
}

impl Runtime {
    /// Checks that this machine can isolate as asked for, and makes a runtime.
    ///
    /// Call it inside a tokio runtime. It blocks for some milliseconds: it copies the program, and
    /// tries every namespace once.
    pub fn probe(options: Options) -> Result<Self, Refusal> {
        Ok(Self {
            inner: Arc::new(probe::probe(options)?),
        })
    }

    /// Starts a container, and returns when its program runs. If that fails, nothing of it is left.
    pub async fn launch(&self, spec: Spec) -> Result<Started, LaunchError> {
        let inner = Arc::clone(&self.inner);
        // In a task of its own: a caller that goes away must not leave half a container behind.
        match tokio::spawn(async move { launch::launch(&inner, spec).await }).await {
            Ok(launched) => launched,
            Err(ended) => Err(LaunchError::InitDied(format!(": {ended}"))),
        }
    }

    /// Starts a further program in a container that runs, and returns when it does. It ends with
    /// the container, and when nobody holds its [`SessionControl`](crate::SessionControl).
    pub async fn open_session(&self, spec: SessionSpec) -> Result<Session, LaunchError> {
        let inner = Arc::clone(&self.inner);
        // As above. A session that nobody takes is dropped, and so ended.
        match tokio::spawn(async move { session::open(&inner, spec).await }).await {
            Ok(opened) => opened,
            Err(ended) => Err(LaunchError::InitDied(format!(": {ended}"))),
        }
    }

    /// Goes to the terminal of a container's own program.
    pub fn attach(&self, id: &ContainerId) -> Result<(TerminalOutput, TerminalInput), LaunchError> {
        let known = self.inner.known(id).filter(|it| !it.has_ended());
        let known = known.ok_or_else(|| LaunchError::NotRunning(id.clone()))?;
        console::attach(&known.folder.console_path()).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LaunchError::NoTerminal(id.clone()),
            _ => launch::step("reach the terminal of a container", source),
        })
    }

    /// Waits until a container has ended, however often it is asked. An unknown one ended unseen.
    pub async fn wait(&self, id: &ContainerId) -> Exit {
        match self.inner.launched(id).await {
            Some(container) => container.wait().await,
            None => Exit::UNSEEN,
        }
    }

    /// Finds the containers of an earlier agent: those that run are watched from now on. Call it
    /// once, before the first launch.
    pub async fn recover(&self) -> Vec<Recovered> {
        recover::recover(&self.inner).await
    }

    /// Sends SIGTERM to every process of a container. One that has ended needs none.
    pub fn terminate(&self, id: &ContainerId) -> Result<(), Error> {
        self.inner
            .known(id)
            .ok_or_else(|| Error::NotFound(id.clone()))?
            .terminate()
    }

    /// Sends a signal to a container's own program. One that has ended needs none.
    ///
    /// # Errors
    /// It is none of those that are passed on: HUP, INT, QUIT, USR1, USR2, ALRM, CONT and WINCH.
    pub fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), Error> {
        self.inner
            .known(id)
            .ok_or_else(|| Error::NotFound(id.clone()))?
            .signal_program(signal)
    }

    /// Kills every process of a container, and returns when all are gone. One that is being
    /// launched is killed as soon as it runs.
    pub async fn kill(&self, id: &ContainerId) -> Result<(), Error> {
        let container = self.inner.launched(id).await;
        let container = container.ok_or_else(|| Error::NotFound(id.clone()))?;
        container.kill().await?;
        // Its exit is known a moment after its end.
        container.wait().await;
        Ok(())
    }

    /// Removes what is left of an ended container: its cgroups and its records. The sandbox stays.
    pub async fn remove(&self, id: &ContainerId) -> Result<(), Error> {
        let container = self
            .inner
            .launched(id)
            .await
            .ok_or_else(|| Error::NotFound(id.clone()))?;
        if !container.has_ended() {
            return Err(Error::Running(id.clone()));
        }
        networks::detach(&self.inner.options.networks, &container.folder).await?;
        container.remove().await?;
        self.inner.give_back(id).await;
        self.inner.table().remove(id);
        Ok(())
    }

    /// Gives up what was prepared for containers to come, and the cgroup root, if there is none in
    /// it. Containers run on. Call it last, when nothing is launched any more.
    pub async fn close(&self) {
        remove_seats(&self.inner).await;
        if let Some(hierarchies) = &self.inner.all_hierarchies {
            hierarchies.remove_root();
        }
    }

    /// The networks that a container is attached to. None, if it has the host's.
    #[must_use]
    pub fn attached(&self, id: &ContainerId) -> Vec<Attached> {
        networks::attached(&self.inner.records.folder(id))
    }

    /// The handle on the packets of a container, if it has one of its own.
    #[must_use]
    pub fn net_class(&self, id: &ContainerId) -> Option<u32> {
        self.inner.known(id)?.record.as_ref()?.granted.net_class
    }

    /// Where the network namespace is mounted that a container is in. `None` for the host's.
    #[must_use]
    pub fn network(&self, id: &ContainerId) -> Option<PathBuf> {
        networks::namespace_of(&self.inner.records.folder(id))
    }

    /// Asks the plugins of its networks whether a container is attached as it should be.
    pub async fn check_networks(&self, id: &ContainerId) -> Result<(), NetworkError> {
        let folder = self.inner.records.folder(id);
        networks::check(&self.inner.options.networks, &folder).await
    }

    /// Changes how much a running container may use, without a word to it. Memory in use that is
    /// beyond a new limit is not taken away: the limit stays as it was, and that is an error.
    pub async fn update(&self, id: &ContainerId, limits: &Limits) -> Result<(), Error> {
        let known = self.inner.launched(id).await;
        let container = known.ok_or_else(|| Error::NotFound(id.clone()))?;
        let (isolation, limits) = (self.inner.options.isolation, limits.clone());
        let (id, io) = (id.clone(), self.inner.options.policy.io);
        let update = move || match &container.group {
            Some(group) => isolators::update(&**group, isolation, &limits, io),
            None => Ok(()),
        };
        let updated = tokio::task::spawn_blocking(update).await;
        let failed = |message: String| Error::Update { id, message };
        match updated {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// What a container uses now. Zeroes for what no isolator counts.
    pub async fn usage(&self, id: &ContainerId) -> Result<Usage, Error> {
        let container = self
            .inner
            .known(id)
            .ok_or_else(|| Error::NotFound(id.clone()))?;
        let granted = container.record.as_ref().map(|record| &record.granted);
        let gpus = granted.map_or_else(Vec::new, |it| it.gpus.iter().copied().collect());
        let used = match container.group.clone() {
            // Some twenty files of the kernel's.
            Some(group) => tokio::task::spawn_blocking(move || group.usage()).await,
            None => Ok(Usage::default()),
        };
        let disk = container.record.as_ref().and_then(Holding::of);
        let counted = tokio::task::spawn_blocking(move || disk?.counted()).await;
        Ok(Usage {
            gpus,
            disk: counted.ok().flatten(),
            net_class: self.net_class(id),
            ..used.unwrap_or_default()
        })
    }
}
