//! Exec: a program in the container of a task that runs, for one client.

use std::path::PathBuf;

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
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::{Status, Streaming};

use super::{Node, ids};
use crate::{limits, machine::Containers};

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
        let session = self.start(start).await?;
        let (told, stream) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
        tokio::spawn(attend(session, input, told));
        Ok(stream)
    }

    async fn start(&self, start: SessionStart) -> Result<Session, Status> {
        let (framework, task) = ids(start.framework_id.as_ref(), start.task_id.as_ref())?;
        let key = TaskKey { framework, task };
        let wanted = key.clone();
        let container = self
            .look(move |agent| agent.running_container(&wanted).cloned())
            .await?;
        let container = container.ok_or_else(|| {
            Status::not_found(format!("no task {key} runs on this agent: see `tepui ps`"))
        })?;
        let spec = spec(container, start)?;
        let opened = self.machine.open_session(spec).await;
        opened.map_err(|error| refusal(&error))
    }
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

fn spec(container: ContainerId, start: SessionStart) -> Result<SessionSpec, Status> {
    let command = start
        .command
        .ok_or_else(|| Status::invalid_argument("command is not set"))?;
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
    let folder = start.working_directory;
    Ok(SessionSpec {
        container,
        environment: variables(&command)?,
        program: program(command)?,
        working_dir: (!folder.is_empty()).then(|| PathBuf::from(folder)),
        terminal: start
            .tty_info
            .map(|tty| tty.window_size.map_or(USUAL_SIZE, size)),
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

fn size(size: v1::tty_info::WindowSize) -> WindowSize {
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
        session_input::What::Start(_) => None,
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
async fn show(mut output: Output, control: &SessionControl, told: &Told) {
    let late = async {
        control.wait().await;
        sleep(limits::SESSION_OUTPUT_WITHIN).await;
    };
    tokio::pin!(late);
    loop {
        let next = tokio::select! {
            next = output.next() => next,
            () = &mut late => None,
        };
        let Some((stream, bytes)) = next else { break };
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
    let ended = session_output::What::Ended(SessionEnded { how: Some(how) });
    // A client that has gone need not hear of it.
    let _ = told.send(Ok(SessionOutput { what: Some(ended) })).await;
}

fn piece(kind: process_io::data::Type, bytes: Vec<u8>) -> SessionOutput {
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

    fn start(command: v1::CommandInfo) -> SessionStart {
        SessionStart {
            command: Some(command),
            ..SessionStart::default()
        }
    }

    fn command(value: &str) -> v1::CommandInfo {
        v1::CommandInfo {
            value: Some(value.to_owned()),
            ..v1::CommandInfo::default()
        }
    }

    fn spec_of(command: v1::CommandInfo) -> Result<SessionSpec, Status> {
        spec(ContainerId::new("c").unwrap(), start(command))
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
        let nothing = spec(ContainerId::new("c").unwrap(), SessionStart::default());
        assert_eq!(nothing.unwrap_err().message(), "command is not set");
    }
}
