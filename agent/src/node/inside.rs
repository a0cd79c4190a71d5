//! Containers inside of others: launched, waited for, ended and forgotten by calls (Mesos: NST-01
//! to NST-03).

use std::path::PathBuf;

use tepui_agent_core::Agent;
use tepui_containers::{
    ExitStatus, LaunchError, Session, SessionControl, SessionSpec, SessionStream, Signal,
};
use tepui_model::ContainerId;
use tepui_proto::v1;
use tokio::{sync::mpsc, task::spawn_blocking};
use tonic::Status;

use super::{
    Node,
    sessions::{self, stillborn},
};
use crate::{
    inside::{self, Console, Known, Log, Name, Piece, State},
    machine::Containers,
};

/// What a container inside of another is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It does work of its own, and has a folder and files for its output.
    Default,
    /// Somebody looks at the other by it: it is in the other's folder, and ends with its client
    /// (Mesos: NST-03).
    Debug,
}

/// What is to be launched.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) name: Name,
    pub(super) command: Option<v1::CommandInfo>,
    pub(super) container: Option<v1::ContainerInfo>,
    pub(super) class: Class,
}

/// What was launched, for who stays with it.
#[derive(Debug)]
pub(super) struct Launched {
    /// What its program writes.
    pub(super) pieces: mpsc::Receiver<Piece>,
    /// How it is ended. None: it has ended already.
    pub(super) control: Option<SessionControl>,
}

/// Where a container is launched.
struct Ground {
    root: ContainerId,
    sandbox: PathBuf,
}

impl<C: Containers> Node<C> {
    /// Launches a container inside of another.
    pub(super) async fn launch_inside(&self, order: Order) -> Result<Launched, Status> {
        let ground = self.ground(&order.name).await?;
        let mut spec = spec(ground.root, &order)?;
        let on_terminal = spec.terminal.is_some();
        let attachable = on_terminal || order.class == Class::Debug;
        let reserved = self.inside.reserve(&order.name, attachable);
        let reserved = reserved.map_err(|taken| refuse(&order.name, taken))?;
        let mut log = None;
        if order.class == Class::Default {
            let (path, made) = folder(ground.sandbox, order.name.clone()).await?;
            spec.working_dir = Some(path);
            log = Some(made);
        }
        match self.machine.open_session(spec).await {
            Ok(session) => {
                let (console, launched) = attend(session, log, attachable).await?;
                if let Some(control) = &launched.control {
                    reserved.runs(console, control.clone());
                }
                Ok(launched)
            }
            Err(error) => {
                let (code, words) = stillborn(&error).ok_or_else(|| refusal(&error))?;
                reserved.never_ran(ExitStatus::Code(code));
                Ok(last_words(words, log))
            }
        }
    }

    /// The container that a new one is to be in, and the sandbox of that.
    async fn ground(&self, name: &Name) -> Result<Ground, Status> {
        let missing = || {
            let text = "only containers inside of others can be launched by calls";
            Status::unimplemented(format!("'{name}' has no parent: {text}"))
        };
        let mut parent = name.parent().ok_or_else(missing)?;
        // Those that calls have launched are in the container that one of them was launched in.
        if let Some(known) = self.inside.get(&parent) {
            if !matches!(known.state(), State::Running(..)) {
                return Err(Status::invalid_argument(format!(
                    "Parent container {parent} is not running"
                )));
            }
            while self.inside.get(&parent).is_some() {
                parent = parent.parent().ok_or_else(missing)?;
            }
        }
        let text = format!("Parent container {parent} does not exist");
        let root = parent.own().cloned().ok_or_else(missing)?;
        let sandbox = self.look(move |agent: &Agent| agent.sandbox_of_container(parent.ids()));
        let sandbox = sandbox.await?;
        let sandbox = sandbox.ok_or_else(|| Status::invalid_argument(text))?;
        Ok(Ground { root, sandbox })
    }

    /// Waits until a container has ended: one inside of another, or one of a task or executor.
    pub(super) async fn wait_for(&self, name: &Name) -> Result<Ended, Status> {
        if let Some(known) = self.inside.get(name) {
            return Ok(Ended::of(known.wait().await));
        }
        let root = self.root(name).await?;
        let root = root.ok_or_else(|| not_found(name))?;
        let exit = self.machine.wait(&root).await;
        Ok(exit.into())
    }

    /// Sends a signal to a container.
    pub(super) async fn kill_one(&self, name: &Name, signal: Option<i32>) -> Result<(), Status> {
        let number = signal.unwrap_or(Signal::SIGKILL as i32);
        let signal = Signal::try_from(number);
        let signal = signal.map_err(|_| {
            Status::invalid_argument(format!("there is no signal {number} on this machine"))
        })?;
        let gone = || {
            let text = "cannot be found (or is already killed)";
            Status::not_found(format!("Container '{name}' {text}"))
        };
        if let Some(known) = self.inside.get(name) {
            let State::Running(_, control) = known.state() else {
                return Err(gone());
            };
            return control
                .signal(signal)
                .map_err(|error| Status::internal(format!("cannot signal {name}: {error}")));
        }
        let root = self.root(name).await?.ok_or_else(gone)?;
        match signal {
            Signal::SIGKILL => self.machine.clone().kill(root).await,
            Signal::SIGTERM => self.machine.terminate(&root),
            _ => {
                return Err(Status::invalid_argument(
                    "the container of a task takes SIGTERM and SIGKILL: for another, signal its \
                     program in a session",
                ));
            }
        }
        Ok(())
    }

    /// Forgets a container that has ended. One that nobody knows is forgotten already.
    pub(super) async fn remove_one(&self, name: &Name) -> Result<(), Status> {
        let running = || Status::internal(format!("Container {name} has not terminated yet"));
        if !self.inside.remove(name) {
            return Err(running());
        }
        match self.root(name).await? {
            Some(_) => Err(running()),
            None => Ok(()),
        }
    }

    /// A container of a task or executor, by its name.
    async fn root(&self, name: &Name) -> Result<Option<ContainerId>, Status> {
        let wanted = name.clone();
        let look = move |agent: &Agent| agent.sandbox_of_container(wanted.ids()).is_some();
        let is_there = self.look(look).await?;
        Ok(name.own().filter(|_| is_there).cloned())
    }

    /// A container that can be attached to.
    pub(super) async fn attachable(&self, name: &Name) -> Result<Target, Status> {
        match self.inside.get(name) {
            Some(known) if known.attachable => Ok(Target::Inside(known)),
            Some(_) => Err(disabled()),
            None => {
                let root = self.root(name).await?;
                root.map(Target::Task).ok_or_else(|| not_found(name))
            }
        }
    }
}

/// What is attached to.
#[derive(Debug)]
pub(super) enum Target {
    /// A container inside of another.
    Inside(Known),
    /// The terminal of a task's own container.
    Task(ContainerId),
}

/// There is no console to a container.
pub(super) fn disabled() -> Status {
    let text = "I/O switchboard server was disabled for this container";
    Status::internal(format!("{text}: it has no terminal and is no session"))
}

pub(super) fn not_found(name: &Name) -> Status {
    Status::not_found(format!("Container {name} cannot be found"))
}

/// A name of a call that was checked.
pub(super) fn name(id: &v1::ContainerId) -> Result<Name, Status> {
    Name::read(id).map_err(Status::invalid_argument)
}

fn refuse(name: &Name, taken: inside::Taken) -> Status {
    match taken {
        inside::Taken::Exists => {
            Status::already_exists(format!("there is a container {name} already"))
        }
        inside::Taken::Full => Status::resource_exhausted(
            "as many containers run inside of others as can: end one first".to_owned(),
        ),
    }
}

fn refusal(error: &LaunchError) -> Status {
    match error {
        LaunchError::TooManySessions { .. } => Status::resource_exhausted(error.to_string()),
        _ => Status::invalid_argument(error.to_string()),
    }
}

async fn folder(sandbox: PathBuf, name: Name) -> Result<(PathBuf, Log), Status> {
    let made = spawn_blocking(move || inside::make(&sandbox, &name)).await;
    let made = made.map_err(|error| Status::internal(error.to_string()))?;
    made.map_err(|error| Status::internal(format!("Failed to create sandbox: {error}")))
}

/// The runtime's view of what is asked for. It shares what the other container has; what would be
/// its own is refused.
fn spec(root: ContainerId, order: &Order) -> Result<SessionSpec, Status> {
    let container = order.container.clone().unwrap_or_default();
    let refused = |what: &str| {
        Err(Status::invalid_argument(format!(
            "container.{what} is not taken: the container shares what that has which it is in"
        )))
    };
    if container.docker.is_some() || container.mesos.is_some_and(|it| it.image.is_some()) {
        return refused("image");
    }
    if !container.volumes.is_empty() {
        return refused("volumes");
    }
    if !container.network_infos.is_empty() {
        return refused("network_infos");
    }
    let command = order.command.clone();
    let command = command.ok_or_else(|| Status::invalid_argument("command is not set"))?;
    sessions::spec(root, command, container.tty_info, None)
}

/// Sets a program's output going.
async fn attend(
    session: Session,
    log: Option<Log>,
    attachable: bool,
) -> Result<(Console, Launched), Status> {
    let Session {
        mut input,
        output,
        control,
    } = session;
    if !attachable {
        // Nobody can give it input.
        let _ = input.end().await;
    }
    let console = Console::new(input);
    let is_session = log.is_none();
    let pieces = match is_session {
        true => console.read(true),
        // Nobody reads these.
        false => Ok(mpsc::channel(1).1),
    };
    let pieces = pieces.map_err(|error| Status::resource_exhausted(error.to_string()))?;
    tokio::spawn(inside::relay(output, control.clone(), console.clone(), log));
    let launched = Launched {
        pieces,
        control: Some(control),
    };
    Ok((console, launched))
}

/// A program that could not be run has said why, as a shell would have.
fn last_words(words: String, log: Option<Log>) -> Launched {
    let piece = (SessionStream::Error, words.into_bytes());
    let (told, pieces) = mpsc::channel(1);
    if let Some(mut log) = log
        && let Err(error) = log.write(&piece)
    {
        tracing::warn!(%error, "cannot write down why a container's program was not run");
    }
    // There is room.
    let _ = told.try_send(piece);
    Launched {
        pieces,
        control: None,
    }
}

/// How a container has ended, as Mesos tells it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) exit_status: Option<i32>,
    pub(super) state: Option<i32>,
    pub(super) reason: Option<i32>,
    pub(super) limitation: Option<v1::TaskResourceLimitation>,
    pub(super) message: Option<String>,
}

impl Ended {
    /// As wait(2) has it.
    fn of(status: ExitStatus) -> Self {
        let exit_status = match status {
            ExitStatus::Code(code) => Some((code & 0xff) << 8),
            ExitStatus::Signal(signal) => Some(signal & 0x7f),
            ExitStatus::Unknown => None,
        };
        Self {
            exit_status,
            ..Self::default()
        }
    }
}

impl From<tepui_agent_core::Exit> for Ended {
    fn from(exit: tepui_agent_core::Exit) -> Self {
        use tepui_agent_core::ExitStatus as Of;
        let status = match exit.status {
            Of::Code(code) => ExitStatus::Code(code),
            Of::Signal(signal) => ExitStatus::Signal(signal),
            Of::Unknown => ExitStatus::Unknown,
        };
        let ended = Self::of(status);
        let Some(limitation) = exit.limitation else {
            return ended;
        };
        Self {
            state: Some(v1::TaskState::TaskFailed.into()),
            reason: Some(limitation.reason().into()),
            limitation: Some(limitation.told()),
            message: Some(limitation.message),
            ..ended
        }
    }
}
