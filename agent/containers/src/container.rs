//! One container: a hold on its init, its cgroup and its records, from start to removal.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tepui_model::ContainerId;
use tepui_sys::{PidFd, Signal, Watched};
use tokio::{
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    DiskReport, Error, Exit, ExitStatus, OomReport,
    cgroups::Group,
    disk::Holding,
    init::{KILL_SIGNAL, PASSED_ON},
    limits::{KILL_TIMEOUT, MAX_CONTAINER_SESSIONS, MAX_RECLAIMS, REMOVE_TIMEOUT},
    records::{Folder, Record},
    session,
    users::Lease,
};

/// One container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) folder: Folder,
    /// What was written down about it. `None` when that was lost.
    pub(crate) record: Option<Record>,
    /// Its init. `None` when it had ended before this agent saw it.
    pub(crate) init: Option<Watched<PidFd>>,
    /// Its cgroup. `None` without any cgroup isolator.
    pub(crate) group: Option<Arc<dyn Group>>,
    /// The users that are its own. They are another's when it is gone.
    pub(crate) users: Option<Lease>,
    /// One permit per session in it.
    pub(crate) sessions: Arc<Semaphore>,
    exit: watch::Sender<Option<Exit>>,
    oom: Mutex<Option<OomReport>>,
    disk: Mutex<Option<DiskReport>>,
}

impl Container {
    pub(crate) fn new(
        id: ContainerId,
        folder: Folder,
        record: Option<Record>,
        init: Option<Watched<PidFd>>,
        group: Option<Arc<dyn Group>>,
    ) -> Self {
        let exit = watch::Sender::new(None);
        let (oom, disk) = (Mutex::default(), Mutex::default());
        Self {
            id,
            folder,
            record,
            init,
            group,
            users: None,
            sessions: Arc::new(Semaphore::new(MAX_CONTAINER_SESSIONS)),
            exit,
            oom,
            disk,
        }
    }

    /// Watches it until it has ended, and then says how. A limit that it meets destroys it. Its
    /// sandbox is measured again an interval after it was.
    pub(crate) async fn supervise(self: Arc<Self>, interval: Duration) {
        if let Some(init) = &self.init {
            tokio::select! {
                _ = init.readable() => {}
                () = self.destroy_when_out_of_memory() => drop(init.readable().await),
                () = self.destroy_when_disk_is_full(interval) => drop(init.readable().await),
            }
        }
        if self.has_others_inside() {
            self.kill_leftovers().await;
        }
        let exit = self.collect();
        tracing::debug!(container = %self.id, ?exit, "container ended");
        self.exit.send_replace(Some(exit));
    }

    /// Whether containers inside of it may be left, which end with it. Sessions see to themselves.
    fn has_others_inside(&self) -> bool {
        let holds = self.record.as_ref().is_some_and(|it| it.holds_others);
        let is_container = |name: &String| !name.starts_with(session::PREFIX);
        holds
            || self
                .group
                .as_ref()
                .is_some_and(|group| group.below().iter().any(is_container))
    }

    /// Returns when memory ran out and the container was killed for it; never, if memory does not
    /// run out.
    async fn destroy_when_out_of_memory(&self) {
        self.out_of_memory().await;
        self.note_oom();
        if let Err(error) = self.kill().await {
            tracing::error!(%error, "cannot destroy a container that is out of memory");
        }
    }

    /// Returns when the sandbox held more than it may and the container was killed for it.
    async fn destroy_when_disk_is_full(&self, interval: Duration) {
        let Some(holding) = self.record.as_ref().and_then(Holding::of) else {
            return std::future::pending().await;
        };
        loop {
            sleep(interval).await;
            let holding = holding.clone();
            let excess = tokio::task::spawn_blocking(move || holding.excess()).await;
            // A sandbox that is gone holds nothing.
            let Ok(Ok(Some(report))) = excess else {
                continue;
            };
            *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            if let Err(error) = self.kill().await {
                tracing::error!(%error, "cannot destroy a container whose sandbox is full");
            }
            return;
        }
    }

    /// Waits until the kernel has killed a process for lack of memory.
    async fn out_of_memory(&self) {
        let Some(watcher) = self.oom_watcher() else {
            return std::future::pending().await;
        };
        // It may have happened while no agent was there to see it.
        while !self.is_out_of_memory() {
            let mut counter = [0; 8];
            let read = |events: &OwnedFd| Ok(nix::unistd::read(events, &mut counter)?);
            if watcher.read_with(read).await.is_err() {
                return std::future::pending().await;
            }
            // The event comes a moment before the kernel has killed somebody and counted it. It
            // also comes when a group above this one runs out: then the counter stays as it is.
            for pause in OOM_PAUSES {
                if self.is_out_of_memory() {
                    break;
                }
                sleep(pause).await;
            }
        }
    }

    /// `None` where there is no limit, or where the kernel destroys the container itself.
    fn oom_watcher(&self) -> Option<Watched<OwnedFd>> {
        let watched = match self.group.as_ref()?.oom_events() {
            Ok(events) => Watched::new(events?),
            Err(error) => Err(io::Error::other(error)),
        };
        let told = |error: &io::Error| {
            tracing::warn!(container = %self.id, %error, "cannot watch for out-of-memory events");
        };
        watched.inspect_err(told).ok()
    }

    fn is_out_of_memory(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|group| group.oom_kills() > 0)
    }

    /// Writes down what is in use while there still is something in use.
    fn note_oom(&self) {
        let Some(group) = &self.group else { return };
        let (peak, statistics) = group.memory_report();
        let limit = self
            .record
            .as_ref()
            .map(|record| record.memory_limit)
            .unwrap_or_default();
        let mut noted = self.oom.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert(OomReport {
            limit,
            peak,
            statistics,
        });
    }

    /// How it ended, from what init and kernel left.
    fn collect(&self) -> Exit {
        if self.is_out_of_memory() {
            self.note_oom();
        }
        let oom = self
            .oom
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let status = match (self.folder.status(), &self.record) {
            (Some(status), _) => status,
            // The init of this boot ended without a word: nothing but SIGKILL does that to it.
            (None, Some(record)) if is_this_boot(record) => {
                ExitStatus::Signal(Signal::SIGKILL as i32)
            }
            (None, _) => ExitStatus::Unknown,
        };
        let disk = *self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        Exit { status, oom, disk }
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        match exit
            .wait_for(Option::is_some)
            .await
            .map(|exit| exit.clone())
        {
            Ok(Some(exit)) => exit,
            // The sender lives in `self`.
            _ => Exit::UNSEEN,
        }
    }

    /// What its group is called, beneath that of all containers.
    pub(crate) fn group_name(&self) -> String {
        let parent = self.record.as_ref().and_then(|it| it.parent.as_deref());
        group_name(parent, &self.id)
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let Some(init) = &self.init else {
            return Ok(());
        };
        // An init that has just ended needs no signal.
        let sent = init.get().signal(signal);
        sent.map(drop).map_err(|source| Error::Signal {
            id: self.id.clone(),
            source,
        })
    }

    /// Sends SIGTERM to every process, through the init.
    pub(crate) fn terminate(&self) -> Result<(), Error> {
        self.signal(Signal::SIGTERM)
    }

    /// Sends a signal to its program, through the init; SIGTERM goes to every process.
    pub(crate) fn signal_program(&self, signal: Signal) -> Result<(), Error> {
        let own_processes = self.record.as_ref().is_some_and(|it| it.own_processes);
        if !PASSED_ON.contains(&signal) || (signal == KILL_SIGNAL && !own_processes) {
            let source = io::Error::from(io::ErrorKind::Unsupported);
            let id = self.id.clone();
            return Err(Error::Signal { id, source });
        }
        self.signal(signal)
    }

    /// Kills every process, and returns when all are gone.
    pub(crate) async fn kill(&self) -> Result<(), Error> {
        let own_processes = self
            .record
            .as_ref()
            .is_some_and(|record| record.own_processes);
        let killed = async {
            if let Some(Err(error)) = self.group.as_ref().map(|group| group.unthrottle()) {
                tracing::warn!(container = %self.id, %error, "the container may die slowly");
            }
            match &self.group {
                // With the init, the kernel kills all that is in its namespace.
                _ if own_processes => self.signal(Signal::SIGKILL)?,
                Some(group) => kill_group(&**group).await?,
                None => self.signal(KILL_SIGNAL)?,
            }
            if let Some(init) = &self.init {
                drop(init.readable().await);
            }
            Ok(())
        };
        let too_late = |_| Err(Error::StillAlive(self.id.clone()));
        timeout(KILL_TIMEOUT, killed).await.unwrap_or_else(too_late)
    }

    /// Kills what is in its group when there is no init to end it.
    pub(crate) async fn kill_leftovers(&self) {
        let Some(group) = &self.group else { return };
        if let Ok(Err(error)) = timeout(KILL_TIMEOUT, kill_group(&**group)).await {
            tracing::error!(container = %self.id, %error, "cannot kill what is left of it");
        }
    }

    /// Removes cgroup and records of an ended container.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        if let (Some(group), Ok(permit)) = (self.group.clone(), RECLAIMS.try_acquire()) {
            let reclaim = move || {
                group.reclaim();
                drop(permit);
            };
            drop(tokio::task::spawn_blocking(reclaim).await);
        }
        if let Some(group) = &self.group {
            remove_group(&**group).await?;
        }
        let path = self.folder.path().to_owned();
        self.folder
            .remove()
            .map_err(|source| Error::Record { path, source })
    }
}

/// What the group of a container is called, beneath that of all containers.
pub(crate) fn group_name(parent: Option<&str>, id: &ContainerId) -> String {
    match parent {
        Some(parent) => format!("{parent}/{id}"),
        None => id.to_string(),
    }
}

/// Bounds the threads that wait for the kernel to let go of page cache. Where there are more
/// containers to remove, theirs stays until the kernel needs the memory.
static RECLAIMS: Semaphore = Semaphore::const_new(MAX_RECLAIMS);

/// Pauses in which a kill for lack of memory is counted.
const OOM_PAUSES: [Duration; 5] = [
    Duration::from_millis(1),
    Duration::from_millis(4),
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
];

/// The pauses between tries: each twice as long as the one before, up to a limit.
fn pauses() -> impl Iterator<Item = Duration> {
    let first = Duration::from_millis(1);
    let longest = Duration::from_millis(100);
    std::iter::successors(Some(first), move |pause| Some((*pause * 2).min(longest)))
}

/// Kills the processes of a group until none is left: some are being forked while others are
/// killed.
async fn kill_group(group: &dyn Group) -> Result<(), Error> {
    for pause in pauses() {
        if group.processes()?.is_empty() {
            break;
        }
        group.kill()?;
        sleep(pause).await;
    }
    Ok(())
}

/// Removes a group whose processes have ended, or are about to. Whoever is left is killed.
pub(crate) async fn remove_group(group: &dyn Group) -> Result<(), Error> {
    let removed = async {
        for pause in pauses() {
            if group.remove()? {
                break;
            }
            group.kill()?;
            sleep(pause).await;
        }
        Ok(())
    };
    timeout(REMOVE_TIMEOUT, removed)
        .await
        .unwrap_or(Err(Error::GroupBusy))
}

fn is_this_boot(record: &Record) -> bool {
    tepui_sys::boot_id().is_ok_and(|boot_id| boot_id == record.boot_id)
}
