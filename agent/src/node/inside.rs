//! What calls do to containers by their names: those of tasks and executors, those that calls have
//! launched, and sessions (Mesos: NST-01 to NST-03).

use tepui_agent_core::{Agent, ContainerName as Name, Named};
use tepui_containers::{
    ExitStatus, LaunchError, Session, SessionControl, SessionSpec, SessionStream, Signal,
};
use tepui_model::ContainerId;
use tepui_proto::v1;
use tokio::sync::mpsc;
use tonic::Status;

use super::{
    Node,
    sessions::{self, stillborn},
};
use crate::{
    inside::{self, Console, Known, Piece, Pieces, State, Taken},
    machine::Containers,
};

/// A session that is to be opened.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) name: Name,
    pub(super) command: Option<v1::CommandInfo>,
    pub(super) container: Option<v1::ContainerInfo>,
}

/// A session that was opened, for who stays with it.
#[derive(Debug)]
pub(super) struct Opened {
    /// What its program writes.
    pub(super) pieces: mpsc::Receiver<Piece>,
    /// How it is ended. None: it has ended already.
    pub(super) control: Option<SessionControl>,
}

impl<C: Containers> Node<C> {
    /// Opens a session in a container.
    pub(super) async fn open_session(&self, order: Order) -> Result<Opened, Status> {
        let container = self.container_of_session(&order.name).await?;
        let spec = spec(container, &order)?;
        let reserved = self.inside.reserve(&order.name);
        let reserved = reserved.map_err(|taken| refuse(&order.name, taken))?;
        match self.machine.open_session(spec).await {
            Ok(session) => {
                let (console, opened) = attend(session)?;
                if let Some(control) = &opened.control {
                    reserved.runs(console, control.clone());
                }
                Ok(opened)
            }
            Err(error) => {
                let (code, words) = stillborn(&error).ok_or_else(|| refusal(&error))?;
                reserved.never_ran(ExitStatus::Code(code));
                Ok(last_words(words))
            }
        }
    }

    /// The container that a session is to be opened in. One in a session is in that one's.
    async fn container_of_session(&self, name: &Name) -> Result<ContainerId, Status> {
        let missing = || Status::invalid_argument(format!("'{name}' has no parent"));
        let invalid = |parent: &Name, what: &str| {
            Status::invalid_argument(format!("Parent container {parent} {what}"))
        };
        let mut parent = name.parent().ok_or_else(missing)?;
        if let Some(known) = self.inside.get(&parent)
            && !matches!(known.state(), State::Running(..))
        {
            return Err(invalid(&parent, "is not running"));
        }
        while self.inside.get(&parent).is_some() {
            parent = parent.parent().ok_or_else(missing)?;
        }
        match self.named(&parent).await? {
            Some(named) if named.runs => Ok(named.container),
            Some(_) => Err(invalid(&parent, "is not running")),
            None => Err(invalid(&parent, "does not exist")),
        }
    }

    /// A container of a task or executor, or one that a call has launched, that may run.
    pub(super) async fn named(&self, name: &Name) -> Result<Option<Named>, Status> {
        let name = name.clone();
        self.look(move |agent: &Agent| agent.named(&name)).await
    }

    /// Waits until a container has ended.
    pub(super) async fn wait_for(&self, name: &Name) -> Result<Ended, Status> {
        if let Some(known) = self.inside.get(name) {
            return Ok(Ended::of(known.wait().await));
        }
        if let Some(ended) = self.wait_for_guest(name).await? {
            return Ok(ended);
        }
        let named = self.named(name).await?;
        let container = named.ok_or_else(|| not_found(name))?.container;
        Ok(self.machine.wait(&container).await.into())
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
        let container = self.named(name).await?.ok_or_else(gone)?.container;
        match signal {
            Signal::SIGKILL if self.kill_guest(name).await? => Ok(()),
            Signal::SIGKILL => {
                self.machine.clone().kill(container).await;
                Ok(())
            }
            Signal::SIGTERM => {
                self.machine.terminate(&container);
                Ok(())
            }
            other => self.machine.signal(&container, other).map_err(|error| {
                let text = "SIGTERM, SIGKILL, and those that say what the program wants to take \
                            them for can be sent";
                Status::invalid_argument(format!("cannot send {other} to {name}: {error}; {text}"))
            }),
        }
    }

    /// Forgets a container that has ended. One that nobody knows is forgotten already.
    pub(super) async fn remove_one(&self, name: &Name) -> Result<(), Status> {
        let running = || Status::internal(format!("Container {name} has not terminated yet"));
        if !self.inside.remove(name) {
            return Err(running());
        }
        if self.remove_guest(name).await?.is_err() || self.named(name).await?.is_some() {
            return Err(running());
        }
        Ok(())
    }

    /// A container that can be attached to.
    pub(super) async fn attachable(&self, name: &Name) -> Result<Target, Status> {
        if let Some(known) = self.inside.get(name) {
            return Ok(Target::Session(known));
        }
        let named = self.named(name).await?;
        let named = named.ok_or_else(|| not_found(name))?;
        Ok(Target::Container(named.container))
    }
}

/// What is attached to.
#[derive(Debug)]
pub(super) enum Target {
    /// A session.
    Session(Known),
    /// The terminal of a container's own program.
    Container(ContainerId),
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

fn refuse(name: &Name, taken: Taken) -> Status {
    match taken {
        Taken::Exists => Status::already_exists(format!("there is a container {name} already")),
        Taken::Full => Status::resource_exhausted(
            "as many sessions are open in containers as can be: end one first".to_owned(),
        ),
    }
}

fn refusal(error: &LaunchError) -> Status {
    match error {
        LaunchError::TooManySessions { .. } => Status::resource_exhausted(error.to_string()),
        _ => Status::invalid_argument(error.to_string()),
    }
}

/// The runtime's view of what is asked for. It shares what the container has; what would be its own
/// is refused.
fn spec(root: ContainerId, order: &Order) -> Result<SessionSpec, Status> {
    let container = order.container.clone().unwrap_or_default();
    let refused = |what: &str| {
        Err(Status::invalid_argument(format!(
            "container.{what} is not taken: a session shares what the container has which it is in"
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
fn attend(session: Session) -> Result<(Console, Opened), Status> {
    let console = Console::new(session.input);
    let pieces = console.read(true);
    let pieces = pieces.map_err(|error| Status::resource_exhausted(error.to_string()))?;
    let control = session.control;
    let written = Pieces::new(session.output, control.clone());
    tokio::spawn(inside::relay(written, console.clone()));
    let opened = Opened {
        pieces,
        control: Some(control),
    };
    Ok((console, opened))
}

/// A program that could not be run has said why, as a shell would have.
fn last_words(words: String) -> Opened {
    let (told, pieces) = mpsc::channel(1);
    // There is room.
    let _ = told.try_send((SessionStream::Error, words.into_bytes()));
    Opened {
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
