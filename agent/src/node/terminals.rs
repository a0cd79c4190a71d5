//! Attach: somebody at the terminal of a task's own program, over gRPC.

use tepui_agent_core::TaskKey;
use tepui_containers::{TerminalInput, TerminalOutput};
use tepui_model::ContainerId;
use tepui_proto::{
    services::{AttachStart, SessionInput, SessionOutput, session_ended::How, session_input},
    v1::agent::process_io,
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use super::{
    Node, ids,
    sessions::{ended, piece, size},
};
use crate::{inside::Typing, limits, machine::Containers};

/// What goes to the client.
type Told = mpsc::Sender<Result<SessionOutput, Status>>;

impl<C: Containers> Node<C> {
    /// Goes to the terminal that the client's first message names, and stays there in the
    /// background.
    pub(super) async fn attach_terminal(
        &self,
        mut input: Streaming<SessionInput>,
    ) -> Result<mpsc::Receiver<Result<SessionOutput, Status>>, Status> {
        let first = timeout(limits::SESSION_START_WITHIN, input.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no `attach` came"))??;
        let Some(session_input::What::Attach(start)) = first.and_then(|first| first.what) else {
            return Err(Status::invalid_argument(
                "the first message must be `attach`",
            ));
        };
        let container = self.container_to_attach(&start).await?;
        let typing = match start.read_only {
            true => None,
            false => Some(self.inside.type_at(&container).ok_or_else(|| {
                Status::failed_precondition("somebody else types there: attach to look only")
            })?),
        };
        let attached = self.machine.attach(&container);
        let (output, program) =
            attached.map_err(|error| Status::failed_precondition(error.to_string()))?;
        let (told, stream) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
        let node = self.clone();
        tokio::spawn(async move {
            let listening = listen(input, program, typing);
            let over = tokio::select! {
                () = listening => false,
                () = told.closed() => false,
                over = show(output, &told) => over,
            };
            if over {
                node.tell_end(&container, &told).await;
            }
        });
        Ok(stream)
    }

    async fn container_to_attach(&self, start: &AttachStart) -> Result<ContainerId, Status> {
        let (framework, task) = ids(start.framework_id.as_ref(), start.task_id.as_ref())?;
        let key = TaskKey { framework, task };
        let wanted = key.clone();
        let container = self.look(move |agent| agent.running_container(&wanted).cloned());
        container.await?.ok_or_else(|| {
            Status::not_found(format!("no task {key} runs on this agent: see `tepui ps`"))
        })
    }

    /// Tells how the task ended. One that goes on has cut a client off that did not read.
    async fn tell_end(&self, container: &ContainerId, told: &Told) {
        use tepui_agent_core::ExitStatus;
        let exit = timeout(limits::SESSION_OUTPUT_WITHIN, self.machine.wait(container)).await;
        let last = match exit.map(|exit| exit.status) {
            Ok(ExitStatus::Code(code)) => Ok(ended(How::ExitCode(code))),
            Ok(ExitStatus::Signal(signal)) => Ok(ended(How::Signal(signal))),
            Ok(ExitStatus::Unknown) => Ok(ended(How::Signal(9))),
            Err(_) => Err(Status::resource_exhausted(
                "you did not read what the task wrote",
            )),
        };
        // A client that has gone need not hear of it.
        let _ = told.send(last).await;
    }
}

/// Takes what the client types. Returns when the client is gone.
async fn listen(
    mut input: Streaming<SessionInput>,
    mut program: TerminalInput,
    typing: Option<Typing>,
) {
    while let Ok(Some(message)) = input.message().await {
        let Some(session_input::What::ProcessIo(io)) = message.what else {
            continue;
        };
        if typing.is_none() {
            continue;
        }
        let window = io.control.and_then(|control| control.tty_info?.window_size);
        let data = io
            .data
            .filter(|it| it.r#type() == process_io::data::Type::Stdin);
        let done = async {
            if let Some(window) = window {
                program.resize(size(window)).await?;
            }
            match data.map(|data| data.data.unwrap_or_default()) {
                Some(bytes) if bytes.is_empty() => program.end().await,
                Some(bytes) => program.write(&bytes).await,
                None => Ok(()),
            }
        };
        if done.await.is_err() {
            break;
        }
    }
    // Who has only nothing more to say may still look.
    std::future::pending().await
}

/// Shows the client what is on the terminal; says whether that is over.
async fn show(mut output: TerminalOutput, told: &Told) -> bool {
    while let Some(bytes) = output.next().await {
        let piece = piece(process_io::data::Type::Stdout, bytes);
        if told.send(Ok(piece)).await.is_err() {
            return false;
        }
    }
    true
}
