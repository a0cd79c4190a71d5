//! Programs in the containers of tasks that run: what `tepui exec` is made of.

use tepui_model::{FrameworkId, TaskId};
use tepui_proto::{
    services::{
        AttachStart, SessionInput, SessionOutput, SessionStart, session_ended::How, session_input,
        session_output,
    },
    v1::{
        self,
        agent::{ProcessIo, process_io},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::Node;
use crate::{Error, limits};

/// A program to run beside a task, in its container and with its rights.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecRequest {
    /// Whose task.
    pub framework_id: FrameworkId,
    /// Which task. It must be running.
    pub task_id: TaskId,
    /// The program; its variables are added to the task's.
    pub command: v1::CommandInfo,
    /// The rows and columns of the program's terminal, if it is to have one.
    pub terminal: Option<(u16, u16)>,
    /// Where the program starts; where the task did, if none.
    pub working_directory: Option<String>,
}

/// What becomes of a program in a task's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEvent {
    /// It wrote to standard output, or to its terminal.
    Output(Vec<u8>),
    /// It wrote to standard error.
    Error(Vec<u8>),
    /// It exited with this code. Nothing comes after that.
    Exited(i32),
    /// It was ended by this signal. Nothing comes after that.
    Signaled(i32),
}

/// A program in a task's container. When both halves are dropped, it is killed.
#[derive(Debug)]
pub struct Exec {
    /// What goes to it.
    pub input: ExecInput,
    /// What comes from it.
    pub output: ExecOutput,
}

/// What goes to a program. A cheap clone; when the last one is dropped, the program's input ends.
#[derive(Debug, Clone)]
pub struct ExecInput(mpsc::Sender<SessionInput>);

/// What comes from a program. When it is dropped, the program is killed.
#[derive(Debug)]
pub struct ExecOutput {
    address: String,
    stream: Streaming<SessionOutput>,
}

impl Node {
    /// Runs a program in the container of a task that runs.
    ///
    /// # Errors
    /// [`Error::Refused`] when no such task runs, or the program cannot be run.
    pub async fn exec(&self, request: ExecRequest) -> Result<Exec, Error> {
        let size = |(rows, columns): (u16, u16)| v1::TtyInfo {
            window_size: Some(window(rows, columns)),
        };
        let start = SessionStart {
            framework_id: Some((&request.framework_id).into()),
            task_id: Some((&request.task_id).into()),
            command: Some(request.command),
            tty_info: request.terminal.map(size),
            working_directory: request.working_directory.unwrap_or_default(),
        };
        let (input, messages) = talk(session_input::What::Start(start)).await?;
        let answer = self.client.clone().exec(messages).await;
        self.talking(input, answer)
    }

    /// Goes to the terminal of a task's own program: to type there, or only to look. The task goes
    /// on when the halves are dropped; signals are not passed on.
    ///
    /// # Errors
    /// [`Error::Refused`] when no such task runs, it has no terminal, or somebody else types there.
    pub async fn attach(
        &self,
        framework: &FrameworkId,
        task: &TaskId,
        read_only: bool,
    ) -> Result<Exec, Error> {
        let start = AttachStart {
            framework_id: Some(framework.into()),
            task_id: Some(task.into()),
            read_only,
        };
        let (input, messages) = talk(session_input::What::Attach(start)).await?;
        let answer = self.client.clone().attach(messages).await;
        self.talking(input, answer)
    }

    fn talking(
        &self,
        input: ExecInput,
        answer: Result<tonic::Response<Streaming<SessionOutput>>, tonic::Status>,
    ) -> Result<Exec, Error> {
        let stream = answer.map_err(|status| self.refusal(status))?.into_inner();
        let address = self.address.clone();
        let output = ExecOutput { address, stream };
        Ok(Exec { input, output })
    }
}

/// The way to a program, with the first message on it.
async fn talk(
    first: session_input::What,
) -> Result<(ExecInput, ReceiverStream<SessionInput>), Error> {
    let (sender, messages) = mpsc::channel(limits::EXEC_MESSAGES);
    let input = ExecInput(sender);
    input.send(first).await?;
    Ok((input, ReceiverStream::new(messages)))
}

impl ExecInput {
    /// Gives the program bytes to read.
    ///
    /// # Errors
    /// [`Error::Closed`] when the program is over.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(limits::EXEC_PIECE_BYTES) {
            self.data(piece.to_vec()).await?;
        }
        Ok(())
    }

    /// Says that no more bytes will come.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn end(&self) -> Result<(), Error> {
        self.data(Vec::new()).await
    }

    /// Tells the program's terminal its size.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn resize(&self, rows: u16, columns: u16) -> Result<(), Error> {
        let tty_info = Some(v1::TtyInfo {
            window_size: Some(window(rows, columns)),
        });
        let control = process_io::Control {
            r#type: Some(process_io::control::Type::TtyInfo.into()),
            tty_info,
            heartbeat: None,
        };
        let io = ProcessIo {
            r#type: Some(process_io::Type::Control.into()),
            data: None,
            control: Some(control),
        };
        self.send(session_input::What::ProcessIo(io)).await
    }

    /// Sends the program a signal, by its number.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn signal(&self, number: i32) -> Result<(), Error> {
        self.send(session_input::What::Signal(number)).await
    }

    async fn data(&self, bytes: Vec<u8>) -> Result<(), Error> {
        let data = process_io::Data {
            r#type: Some(process_io::data::Type::Stdin.into()),
            data: Some(bytes),
        };
        let io = ProcessIo {
            r#type: Some(process_io::Type::Data.into()),
            data: Some(data),
            control: None,
        };
        self.send(session_input::What::ProcessIo(io)).await
    }

    async fn send(&self, what: session_input::What) -> Result<(), Error> {
        let message = SessionInput { what: Some(what) };
        self.0.send(message).await.map_err(|_| Error::Closed)
    }
}

impl ExecOutput {
    /// What becomes of the program next; `None` after its end. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks: then the program is killed.
    pub async fn next(&mut self) -> Result<Option<ExecEvent>, Error> {
        loop {
            let message = self.stream.message().await;
            let message = message.map_err(|status| Error::from_status(&self.address, status))?;
            let Some(message) = message else {
                return Ok(None);
            };
            if let Some(event) = message.what.and_then(understand) {
                return Ok(Some(event));
            }
        }
    }
}

/// What a message says; none for what only a newer agent sends.
fn understand(what: session_output::What) -> Option<ExecEvent> {
    match what {
        session_output::What::ProcessIo(io) => {
            let data = io.data?;
            let kind = data.r#type();
            let bytes = data.data.unwrap_or_default();
            match kind {
                process_io::data::Type::Stdout => Some(ExecEvent::Output(bytes)),
                process_io::data::Type::Stderr => Some(ExecEvent::Error(bytes)),
                _ => None,
            }
        }
        session_output::What::Ended(ended) => match ended.how? {
            How::ExitCode(code) => Some(ExecEvent::Exited(code)),
            How::Signal(signal) => Some(ExecEvent::Signaled(signal)),
        },
    }
}

fn window(rows: u16, columns: u16) -> v1::tty_info::WindowSize {
    v1::tty_info::WindowSize {
        rows: rows.into(),
        columns: columns.into(),
    }
}
