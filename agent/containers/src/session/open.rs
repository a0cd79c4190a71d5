//! How a session is opened, on the agent's side, and how it ends.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tepui_sys::{PidFd, Watched, receive, send};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
    sync::{OwnedSemaphorePermit, oneshot, watch},
    time::timeout,
};

use super::{
    Held, Session, SessionControl, SessionSpec,
    streams::{Pipes, terminal},
};
use crate::{
    ExitStatus, LaunchError, Program,
    cgroups::Group,
    container::{Container, remove_group},
    init::{
        session::wire::{EnteredPlan, PLAN, STARTED, SessionPlan, SessionRequest, TerminalPlan},
        wire::{FAILED, UP, parse_status},
    },
    launch::{command, encode, step, understand},
    limits::{MAX_CONTAINER_SESSIONS, MAX_MESSAGE_BYTES, MAX_SESSIONS, SESSION_START_TIMEOUT},
    runtime::Inner,
};

/// How the names of sessions' groups begin.
pub(crate) const PREFIX: &str = ".session-";

/// Numbers sessions, of all runtimes in this process: one that follows another must not take a
/// group for its own that the other is about to remove.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// The longest line about the end of a program.
const STATUS_BYTES: u64 = 64;

/// Starts a program in a container that runs, and returns when it does.
pub(crate) async fn open(inner: &Arc<Inner>, spec: SessionSpec) -> Result<Session, LaunchError> {
    let container = inner
        .known(&spec.container)
        .filter(|container| !container.has_ended())
        .ok_or_else(|| LaunchError::NotRunning(spec.container.clone()))?;
    let permits = permits(inner, &container)?;
    let group = make_group(inner, &container)?;
    let opened = timeout(
        SESSION_START_TIMEOUT,
        connect(inner, &container, &spec, group.as_deref()),
    );
    match opened.await.unwrap_or(Err(LaunchError::Timeout)) {
        Ok(opened) => Ok(opened.attend(group, permits)),
        Err(error) => {
            if let Some(group) = &group {
                remove(&**group).await;
            }
            // Which of two failures is told: the container's end explains the other.
            if container.has_ended() {
                return Err(LaunchError::NotRunning(spec.container));
            }
            Err(error)
        }
    }
}

/// One of all sessions, and one of the container's.
type Permits = [OwnedSemaphorePermit; 2];

fn permits(inner: &Inner, container: &Container) -> Result<Permits, LaunchError> {
    let take = |semaphore: &Arc<tokio::sync::Semaphore>, most, of| {
        let taken = Arc::clone(semaphore).try_acquire_owned();
        taken.map_err(|_| LaunchError::TooManySessions { most, of })
    };
    Ok([
        take(&inner.sessions, MAX_SESSIONS, "on this agent")?,
        take(
            &container.sessions,
            MAX_CONTAINER_SESSIONS,
            "in one container",
        )?,
    ])
}

/// The session's own group beneath the container's: what limits the container limits it too, and
/// whatever it starts can be found.
fn make_group(inner: &Inner, container: &Container) -> Result<Option<Box<dyn Group>>, LaunchError> {
    let Some(hierarchies) = &inner.hierarchies else {
        return Ok(None);
    };
    let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let name = format!("{}/{PREFIX}{process}-{number}", container.group_name());
    let group = hierarchies.group(&name);
    group.create()?;
    Ok(Some(group))
}

/// A program that runs, before anybody attends to it.
struct Opened {
    socket: UnixStream,
    helper: Watched<PidFd>,
    program: PidFd,
    streams: Streams,
}

enum Streams {
    Terminal(Watched<OwnedFd>),
    Pipes(super::SessionInput, super::SessionOutput),
}

async fn connect(
    inner: &Inner,
    container: &Container,
    spec: &SessionSpec,
    group: Option<&dyn Group>,
) -> Result<Opened, LaunchError> {
    let not_running = || LaunchError::NotRunning(spec.container.clone());
    let init = container.init.as_ref().ok_or_else(not_running)?;
    let pid = container.record.as_ref().map(|record| record.pid);
    let entered = differing(pid.ok_or_else(not_running)?)
        .map_err(|source| step("look at the container's namespaces", source))?;
    let plan = plan(container, spec, entered)?;
    let bytes = encode(&plan)?;
    let (socket, helper) = ask(inner, group).await?;
    let pipes = match plan.terminal {
        Some(_) => None,
        None => Some(Pipes::new().map_err(|source| step("make pipes", source))?),
    };
    let sent = send_plan(socket, &bytes, init.get(), pipes.as_ref()).await;
    let socket = sent.map_err(|error| LaunchError::InitDied(format!(": {error}")))?;
    let (socket, mut files) = expect_started(socket, &spec.program).await?;
    let failed = |source| step("watch the program", source);
    let missing = || failed(io::Error::from(io::ErrorKind::UnexpectedEof));
    let master = (files.len() > 1).then(|| files.pop()).flatten();
    let program = PidFd::from_fd(files.pop().ok_or_else(missing)?);
    let streams = match (master, pipes) {
        (Some(master), _) => Streams::Terminal(Watched::new(master).map_err(failed)?),
        (None, Some(pipes)) => {
            let (input, output) = pipes.streams().map_err(failed)?;
            Streams::Pipes(input, output)
        }
        (None, None) => return Err(missing()),
    };
    Ok(Opened {
        socket,
        helper: Watched::new(helper).map_err(failed)?,
        program,
        streams,
    })
}

/// The container's plan, with the session's own program and environment.
fn plan(
    container: &Container,
    spec: &SessionSpec,
    entered: EnteredPlan,
) -> Result<SessionPlan, LaunchError> {
    let kept = container.folder.plan();
    let mut plan = kept.ok_or_else(|| {
        let message = "it was started by an earlier version of this agent, which kept no plan";
        LaunchError::Invalid(format!("no session can be opened in it: {message}"))
    })?;
    plan.command = command(&spec.program);
    for (name, value) in &spec.environment {
        if name.is_empty() || name.contains('=') {
            let message = "an environment variable has a name that is empty or holds a '='";
            return Err(LaunchError::Invalid(message.to_owned()));
        }
        plan.environment.retain(|(known, _)| known != name);
        plan.environment.push((name.clone(), value.clone()));
    }
    if let Some(path) = &spec.working_dir {
        plan.working_dir = Some(path.clone());
    }
    Ok(SessionPlan {
        plan,
        entered,
        terminal: spec.terminal.map(TerminalPlan::from),
    })
}

/// The namespaces in which a process is and this one is not.
pub(crate) fn differing(pid: u32) -> io::Result<EnteredPlan> {
    let differs = |name: &str| -> io::Result<bool> {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{name}"));
        match of("self") {
            // The kernel has no such namespaces.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            own => Ok(own? != of(&pid.to_string())?),
        }
    };
    Ok(EnteredPlan {
        user: differs("user")?,
        mount: differs("mnt")?,
        pid: differs("pid")?,
        ipc: differs("ipc")?,
        uts: differs("uts")?,
        cgroup: differs("cgroup")?,
        network: differs("net")?,
    })
}

/// Asks the launcher for a helper, and waits until it is in its cgroups.
async fn ask(inner: &Inner, group: Option<&dyn Group>) -> Result<(UnixStream, PidFd), LaunchError> {
    let entrance = group.map(Group::entrance).unwrap_or_default();
    let first = entrance.join.first().and_then(|list| list.parent());
    let folder = entrance.born_in.as_deref().or(first).map(Path::to_owned);
    let request = SessionRequest {
        join: entrance.join,
        born_in: entrance.born_in,
        group: folder,
    };
    let socket = inner.launcher.ask_session(request).await;
    let socket = socket.and_then(|socket| {
        socket.set_nonblocking(true)?;
        UnixStream::from_std(socket)
    });
    let socket = socket.map_err(|source| step("ask the launcher for a session", source))?;
    let (word, mut files) = hear(&socket).await?;
    match (word, files.pop()) {
        (Some(UP), Some(helper)) => Ok((socket, PidFd::from_fd(helper))),
        (Some(FAILED), _) => Err(failure(socket, None).await),
        _ => Err(LaunchError::InitDied(String::new())),
    }
}

/// One byte, with what is in its luggage.
async fn hear(socket: &UnixStream) -> Result<(Option<u8>, Vec<OwnedFd>), LaunchError> {
    let mut word = [0; 1];
    let heard = socket.async_io(Interest::READABLE, || receive(socket.as_fd(), &mut word));
    let heard = heard
        .await
        .map_err(|source| step("hear from the session's helper", source))?;
    Ok(((heard.length > 0).then_some(word[0]), heard.files))
}

async fn failure(socket: UnixStream, program: Option<&Program>) -> LaunchError {
    let mut words = Vec::new();
    let mut socket = socket.take(MAX_MESSAGE_BYTES as u64);
    match socket.read_to_end(&mut words).await {
        Ok(_) => understand(&words, program),
        Err(error) => LaunchError::InitDied(format!(": {error}")),
    }
}

async fn send_plan(
    mut socket: UnixStream,
    plan: &[u8],
    init: &PidFd,
    pipes: Option<&Pipes>,
) -> io::Result<UnixStream> {
    let mut files = vec![init.as_fd()];
    files.extend(
        pipes
            .iter()
            .flat_map(|pipes| &pipes.theirs)
            .map(AsFd::as_fd),
    );
    let first = || send(socket.as_fd(), &[PLAN], &files);
    socket.async_io(Interest::WRITABLE, first).await?;
    socket.write_all(plan).await?;
    socket.shutdown().await?;
    Ok(socket)
}

async fn expect_started(
    socket: UnixStream,
    program: &Program,
) -> Result<(UnixStream, Vec<OwnedFd>), LaunchError> {
    match hear(&socket).await? {
        (Some(STARTED), files) => Ok((socket, files)),
        (Some(FAILED), _) => Err(failure(socket, Some(program)).await),
        _ => Err(LaunchError::InitDied(String::new())),
    }
}

impl Opened {
    fn attend(self, group: Option<Box<dyn Group>>, permits: Permits) -> Session {
        let (leash, held) = oneshot::channel();
        let (told, exit) = watch::channel(None);
        let (socket, helper) = (self.socket, self.helper);
        tokio::spawn(async move {
            let status = supervise(socket, helper, held, group).await;
            drop(permits);
            told.send_replace(Some(status));
        });
        let (master, (input, output)) = match self.streams {
            Streams::Terminal(master) => {
                let master = Arc::new(master);
                let streams = terminal(&master);
                (Some(master), streams)
            }
            Streams::Pipes(input, output) => (None, (input, output)),
        };
        let control = SessionControl(Arc::new(Held {
            program: self.program,
            terminal: master,
            exit,
            _leash: leash,
        }));
        Session {
            input,
            output,
            control,
        }
    }
}

/// Waits for the end of the program, or until nobody holds the session any more. Nothing of it is
/// left then.
async fn supervise(
    mut socket: UnixStream,
    helper: Watched<PidFd>,
    held: oneshot::Receiver<()>,
    group: Option<Box<dyn Group>>,
) -> ExitStatus {
    let mut words = String::new();
    let mut told = (&mut socket).take(STATUS_BYTES);
    tokio::select! {
        _ = told.read_to_string(&mut words) => {}
        _ = held => {}
    }
    // Without us, the helper ends the program and all that it has started.
    drop(socket);
    match &group {
        Some(group) => remove(&**group).await,
        None => drop(helper.readable().await),
    }
    // A helper that says nothing was killed, with the container.
    parse_status(&words).unwrap_or(ExitStatus::Signal(nix::libc::SIGKILL))
}

async fn remove(group: &dyn Group) {
    if let Err(error) = remove_group(group).await {
        tracing::warn!(%error, "cannot remove the cgroup of a session");
    }
}
