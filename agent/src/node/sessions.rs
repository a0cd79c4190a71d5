//! Exec: a program in the container of a task that runs, for one client.

use std::{io, path::PathBuf};

use tepui_agent_core::TaskKey;
use tepui_containers::{
    ExitStatus, LaunchError, Program, Session, SessionControl, SessionOutput as Output,
    SessionSpec, SessionStream, Signal, WindowSize,
};
use tepui_model::ContainerId;
use tepui_proto::{
    services::{
        SessionEnded, SessionInput, SessionOutput, SessionStart, session_ended::How, session_input,
        session_output,
    },
    v1::{
        self,
        agent::{ProcessIo, process_io},
    },
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use super::{Node, ids};
use crate::{inside::Pieces, limits, machine::Containers};

/// What goes to the client.
type Told = mpsc::Sender<Result<SessionOutput, Status>>;

/// The size of a terminal whose client does not say.
const USUAL_SIZE: WindowSize = WindowSize {
    rows: 24,
    columns: 80,
};

impl<C: Containers> Node<C> {
    /// Starts what the client's first message asks for, and goes on with it in the background.
    pub(super) async fn exec_session(
        &self,
        mut input: Streaming<SessionInput>,
    ) -> Result<mpsc::Receiver<Result<SessionOutput, Status>>, Status> {
        let first = timeout(limits::SESSION_START_WITHIN, input.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no `start` came"))??;
        let Some(session_input::What::Start(start)) = first.and_then(|first| first.what) else {
            return Err(Status::invalid_argument(
                "the first message must be `start`",
            ));
        };
        let (told, stream) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
        match self.start(start).await? {
            Ok(session) => {
                tokio::spawn(attend(session, input, told));
            }
            Err((code, words)) => {
                let kind = process_io::data::Type::Stderr;
                let how = How::ExitCode(code);
                for message in [piece(kind, words.into_bytes()), ended(how)] {
                    // There is room.
                    let _ = told.try_send(Ok(message));
                }
            }
        }
        Ok(stream)
    }

    /// Starts the program; or gives the exit code and the words of one that cannot be run.
    async fn start(&self, start: SessionStart) -> Result<Result<Session, (i32, String)>, Status> {
        let (framework, task) = ids(start.framework_id.as_ref(), start.task_id.as_ref())?;
        let key = TaskKey { framework, task };
        let wanted = key.clone();
        let container = self
            .look(move |agent| agent.running_container(&wanted).cloned())
            .await?;
        let container = container.ok_or_else(|| {
            Status::not_found(format!("no task {key} runs on this agent: see `tepui ps`"))
        })?;
        let folder = start.working_directory;
        let folder = (!folder.is_empty()).then(|| PathBuf::from(folder));
        let command = start.command;
        let command = command.ok_or_else(|| Status::invalid_argument("command is not set"))?;
        let spec = spec(container, command, start.tty_info, folder)?;
        match self.machine.open_session(spec).await {
            Ok(session) => Ok(Ok(session)),
            Err(error) => stillborn(&error).map(Err).ok_or_else(|| refusal(&error)),
        }
    }
}

/// What a shell exits with when there is no such program.
const NO_PROGRAM: i32 = 127;

/// What a shell exits with when a file is no program that can be run.
const NOT_RUNNABLE: i32 = 126;

/// The exit code and the last words of a program that cannot be run, as shells have them. None, if
/// it was something else that failed.
pub(super) fn stillborn(error: &LaunchError) -> Option<(i32, String)> {
    let LaunchError::Program { source, .. } = error else {
        return None;
    };
    let code = match source.kind() {
        io::ErrorKind::NotFound => NO_PROGRAM,
        _ => NOT_RUNNABLE,
    };
    Some((code, format!("{error}\n")))
}

/// What a failed start is to the client.
fn refusal(error: &LaunchError) -> Status {
    let message = error.to_string();
    match error {
        LaunchError::NotRunning(_) => Status::not_found(message),
        LaunchError::TooManySessions { .. } => Status::resource_exhausted(message),
        LaunchError::Invalid(_) => Status::invalid_argument(message),
        _ => Status::failed_precondition(message),
    }
}

/// What the runtime is asked for.
pub(super) fn spec(
    container: ContainerId,
    command: v1::CommandInfo,
    terminal: Option<v1::TtyInfo>,
    working_dir: Option<PathBuf>,
) -> Result<SessionSpec, Status> {
    let refused = |field: &str| {
        Err(Status::invalid_argument(format!(
            "command.{field} is not taken: the program has what the task has"
        )))
    };
    if command.user.is_some() {
        return refused("user");
    }
    if !command.uris.is_empty() {
        return refused("uris");
    }
    Ok(SessionSpec {
        container,
        environment: variables(&command)?,
        program: program(command)?,
        working_dir,
        terminal: terminal.map(|tty| tty.window_size.map_or(USUAL_SIZE, size)),
    })
}

fn variables(command: &v1::CommandInfo) -> Result<Vec<(String, String)>, Status> {
    let variables = command.environment.iter().flat_map(|it| &it.variables);
    let pair = |variable: &v1::environment::Variable| match &variable.value {
        Some(value) => Ok((variable.name.clone(), value.clone())),
        None => Err(Status::invalid_argument(format!(
            "the environment variable '{}' has no value",
            variable.name.escape_debug()
        ))),
    };
    variables.map(pair).collect()
}

fn program(command: v1::CommandInfo) -> Result<Program, Status> {
    let value = command.value.clone();
    let value = value.filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| Status::invalid_argument("command.value is not set"))?;
    if command.shell() {
        return Ok(Program::Shell(value));
    }
    Ok(Program::Exec {
        path: value,
        arguments: command.arguments,
    })
}

pub(super) fn size(size: v1::tty_info::WindowSize) -> WindowSize {
    let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    WindowSize {
        rows: number(size.rows),
        columns: number(size.columns),
    }
}

/// Brings input to the program and output to the client, until the program has ended or the client
/// is gone. Then the session is dropped, which ends whatever is left of it.
async fn attend(session: Session, input: Streaming<SessionInput>, told: Told) {
    let Session {
        input: mut far,
        output,
        control,
    } = session;
    let (pieces, mut waiting) = mpsc::channel::<Vec<u8>>(limits::SESSION_INPUTS_IN_LINE);
    let write = async {
        while let Some(piece) = waiting.recv().await {
            let written = match piece.is_empty() {
                true => far.end().await,
                false => far.write(&piece).await,
            };
            if written.is_err() {
                // It reads no more, which is its own affair. What comes is thrown away.
                waiting.close();
            }
        }
        // The end of the client's stream is the end of a pipe; a terminal has its own.
        drop(far);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = listen(input, &control, pieces) => {}
        () = write => {}
        () = show(output, &control, &told) => {}
        () = told.closed() => {}
    }
}

/// Takes what the client says. Returns when the client is gone.
async fn listen(
    mut input: Streaming<SessionInput>,
    control: &SessionControl,
    pieces: mpsc::Sender<Vec<u8>>,
) {
    loop {
        match input.message().await {
            Ok(Some(message)) => {
                if let Some(piece) = obey(message, control) {
                    // A program that reads no more has closed it.
                    let _ = pieces.send(piece).await;
                }
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    drop(pieces);
    std::future::pending().await
}

/// Does what a message says, and gives the input that it brings. What makes no sense is left out:
/// the program goes on.
fn obey(message: SessionInput, control: &SessionControl) -> Option<Vec<u8>> {
    match message.what? {
        session_input::What::Start(_) | session_input::What::Attach(_) => None,
        session_input::What::Signal(number) => {
            let signal = Signal::try_from(number).ok()?;
            if let Err(error) = control.signal(signal) {
                tracing::warn!(%error, "cannot signal the program of a session");
            }
            None
        }
        session_input::What::ProcessIo(io) => {
            let window = io.control.and_then(|control| control.tty_info?.window_size);
            if let Some(window) = window
                && let Err(error) = control.resize(size(window))
            {
                tracing::warn!(%error, "cannot resize the terminal of a session");
            }
            let data = io.data?;
            let is_input = data.r#type() == process_io::data::Type::Stdin;
            is_input.then(|| data.data.unwrap_or_default())
        }
    }
}

/// Shows the client what the program writes, and at last how it ended.
async fn show(output: Output, control: &SessionControl, told: &Told) {
    let mut pieces = Pieces::new(output, control.clone());
    while let Some((stream, bytes)) = pieces.next().await {
        let kind = match stream {
            SessionStream::Output => process_io::data::Type::Stdout,
            SessionStream::Error => process_io::data::Type::Stderr,
        };
        if told.send(Ok(piece(kind, bytes))).await.is_err() {
            return;
        }
    }
    let how = match control.wait().await {
        ExitStatus::Code(code) => How::ExitCode(code),
        ExitStatus::Signal(signal) => How::Signal(signal),
        ExitStatus::Unknown => How::Signal(Signal::SIGKILL as i32),
    };
    // A client that has gone need not hear of it.
    let _ = told.send(Ok(ended(how))).await;
}

pub(super) fn ended(how: How) -> SessionOutput {
    let ended = SessionEnded { how: Some(how) };
    SessionOutput {
        what: Some(session_output::What::Ended(ended)),
    }
}

pub(super) fn piece(kind: process_io::data::Type, bytes: Vec<u8>) -> SessionOutput {
    let data = process_io::Data {
        r#type: Some(kind.into()),
        data: Some(bytes),
    };
    let io = ProcessIo {
        r#type: Some(process_io::Type::Data.into()),
        data: Some(data),
        control: None,
    };
    SessionOutput {
        what: Some(session_output::What::ProcessIo(io)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(value: &str) -> v1::CommandInfo {
        v1::CommandInfo {
            value: Some(value.to_owned()),
            ..v1::CommandInfo::default()
        }
    }

    fn spec_of(command: v1::CommandInfo) -> Result<SessionSpec, Status> {
        spec(ContainerId::new("c").unwrap(), command, None, None)
    }

    #[test]
    fn a_command_is_a_line_or_a_program_as_for_tasks() {
        let line = spec_of(command("echo a")).unwrap();
        assert_eq!(line.program, Program::Shell("echo a".to_owned()));
        assert_eq!((line.terminal, line.working_dir), (None, None));
        let program = v1::CommandInfo {
            shell: Some(false),
            arguments: vec!["ls".to_owned()],
            ..command("ls")
        };
        assert!(matches!(
            spec_of(program).unwrap().program,
            Program::Exec { .. }
        ));
    }

    #[test]
    fn what_a_session_cannot_have_is_refused_by_name() {
        let refused = |command| spec_of(command).unwrap_err().message().to_owned();
        let user = v1::CommandInfo {
            user: Some("root".to_owned()),
            ..command("id")
        };
        assert!(refused(user).starts_with("command.user is not taken"));
        assert_eq!(refused(command("")), "command.value is not set");
    }

    #[test]
    fn a_program_that_cannot_be_run_ends_as_in_a_shell() {
        let failure = |number| LaunchError::Program {
            program: "x".to_owned(),
            source: io::Error::from_raw_os_error(number),
        };
        let code = |number| stillborn(&failure(number)).unwrap().0;
        assert_eq!(code(nix::libc::ENOENT), 127);
        assert_eq!(code(nix::libc::EACCES), 126);
        assert_eq!(code(nix::libc::EISDIR), 126);
        assert_eq!(stillborn(&LaunchError::Timeout), None);
        assert!(stillborn(&failure(2)).unwrap().1.contains("'x'"));
    }
}
