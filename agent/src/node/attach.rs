//! Streams of what programs in containers read and write, over HTTP (Mesos: NST-03 to NST-05).

use std::{convert::Infallible, io};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tepui_agent_core::ContainerName;
use tepui_containers::{
    LaunchError, SessionControl, SessionInput, SessionStream, Signal, TerminalInput,
    TerminalOutput, WindowSize,
};
use tepui_edge::http::{Media, Refusal};
use tepui_model::ContainerId;
use tepui_proto::{
    recordio,
    v1::{
        self,
        agent::{
            Call, ProcessIo,
            call::{AttachContainerInput, Type, attach_container_input},
            process_io,
        },
    },
};
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{
    Node,
    check::check,
    form::{Form, RECORDS, unsupported},
    inside::{Order, Target, disabled, name, not_found},
    operator::{invalid, not_streamed, refusal, refused_launch},
    sessions::size,
};
use crate::{
    inside::{Piece, State},
    limits,
    machine::Containers,
};

/// LAUNCH_NESTED_CONTAINER_SESSION: the answer is what the program writes, and the program ends
/// with it.
pub(super) async fn session<C: Containers>(
    node: &Node<C>,
    call: Call,
    wanted: Form,
) -> Result<Response, Refusal> {
    let session = call.launch_nested_container_session.unwrap_or_default();
    let order = Order {
        name: name(&session.container_id).map_err(|status| refusal(&status))?,
        command: session.command,
        container: session.container,
    };
    match node.open_session(order).await {
        Ok(opened) => Ok(stream(wanted, opened.pieces, opened.control.map(Leash))),
        Err(status) => refused_launch(Type::LaunchNestedContainerSession, &status),
    }
}

/// ATTACH_CONTAINER_OUTPUT: the answer is what a program writes from now on.
pub(super) async fn output<C: Containers>(
    node: &Node<C>,
    call: &Call,
    wanted: Form,
) -> Result<Response, Refusal> {
    let attach = call.attach_container_output.as_ref();
    let id = attach.map(|it| it.container_id.clone()).unwrap_or_default();
    let (target, name) = target(node, &id).await?;
    let pieces = match target {
        Target::Container(container) => terminal(node, &container)?,
        Target::Session(known) => {
            let State::Running(console, _) = known.state() else {
                return Err(refusal(&not_found(&name)));
            };
            let pieces = console.read(false);
            pieces.map_err(|error| refusal(&Status::resource_exhausted(error.to_string())))?
        }
    };
    Ok(stream(wanted, pieces, None))
}

/// What a container's own program writes to its terminal from now on.
fn terminal<C: Containers>(
    node: &Node<C>,
    container: &ContainerId,
) -> Result<mpsc::Receiver<Piece>, Refusal> {
    let (mut output, input) = node.machine.attach(container).map_err(no_terminal)?;
    let (told, pieces) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = output.next() => next,
                () = told.closed() => None,
            };
            let Some(bytes) = next else { break };
            if told.send((SessionStream::Output, bytes)).await.is_err() {
                break;
            }
        }
        // Until now: to leave would end both directions.
        drop(input);
    });
    Ok(pieces)
}

fn no_terminal(error: LaunchError) -> Refusal {
    match error {
        LaunchError::NoTerminal(_) => refusal(&disabled()),
        error => refusal(&Status::not_found(error.to_string())),
    }
}

/// ATTACH_CONTAINER_INPUT: the request is what a program reads. It is answered when it ends, or
/// when the program has.
pub(super) async fn input<C: Containers>(
    node: &Node<C>,
    body: Body,
    media: Media,
    wanted: Form,
) -> Result<Response, Refusal> {
    let mut records = Records::new(body, media);
    let first = timeout(limits::FIRST_RECORD_WITHIN, records.next()).await;
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "The first record did not come");
    let first = first.map_err(late)??;
    let ended = "Received EOF while reading request body";
    let call = first.ok_or_else(|| Refusal::bad_request(ended))?;
    let kind = call.r#type();
    if kind != Type::AttachContainerInput {
        let name = kind.as_str_name();
        return Err(unsupported(format!(
            "Streaming 'Content-Type' {RECORDS} is not supported for {name} call"
        )));
    }
    if let Form::Records(_) = wanted {
        return Err(not_streamed(kind));
    }
    let attach = call.attach_container_input.unwrap_or_default();
    if attach.r#type() != attach_container_input::Type::ContainerId {
        let text = "Expecting 'attach_container_input.type' to be CONTAINER_ID";
        return Err(Refusal::bad_request(text));
    }
    let (target, name) = target(node, &attach.container_id.unwrap_or_default()).await?;
    let text = "Multiple input connections are not allowed";
    let conflict = || Refusal::new(StatusCode::CONFLICT, text);
    match target {
        Target::Session(known) => {
            let State::Running(console, control) = known.state() else {
                return Err(refusal(&not_found(&name)));
            };
            let program = console.write().ok_or_else(conflict)?;
            tokio::select! {
                done = feed(records, Program::Session(program, control)) => done?,
                _ = known.wait() => {}
            }
        }
        Target::Container(container) => {
            let _typing = node.inside.type_at(&container).ok_or_else(conflict)?;
            let (output, program) = node.machine.attach(&container).map_err(no_terminal)?;
            tokio::select! {
                done = feed(records, Program::Terminal(program)) => done?,
                () = over(output) => {}
            }
        }
    }
    Ok(StatusCode::OK.into_response())
}

/// Waits until nobody has a terminal any more.
async fn over(mut output: TerminalOutput) {
    while output.next().await.is_some() {}
}

/// What reads the input.
enum Program {
    Session(OwnedMutexGuard<SessionInput>, SessionControl),
    Terminal(TerminalInput),
}

impl Program {
    async fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Nothing is the end of it.
        match (self, bytes.is_empty()) {
            (Self::Session(program, _), true) => program.end().await,
            (Self::Session(program, _), false) => program.write(bytes).await,
            (Self::Terminal(program), true) => program.end().await,
            (Self::Terminal(program), false) => program.write(bytes).await,
        }
    }

    async fn resize(&mut self, size: WindowSize) -> io::Result<()> {
        match self {
            Self::Session(_, control) => control.resize(size),
            Self::Terminal(program) => program.resize(size).await,
        }
    }
}

async fn target<C: Containers>(
    node: &Node<C>,
    id: &v1::ContainerId,
) -> Result<(Target, ContainerName), Refusal> {
    let name = name(id).map_err(|status| refusal(&status))?;
    let target = node.attachable(&name).await;
    Ok((target.map_err(|status| refusal(&status))?, name))
}

/// Gives a program what a client sends, until that ends.
async fn feed(mut records: Records, mut program: Program) -> Result<(), Refusal> {
    while let Some(call) = records.next().await? {
        let attach = call.attach_container_input.unwrap_or_default();
        let io = process_io(attach)?;
        let window = io.control.and_then(|it| it.tty_info?.window_size);
        if let Some(window) = window
            && let Err(error) = program.resize(size(window)).await
        {
            tracing::warn!(%error, "cannot resize the terminal of a container");
        }
        let Some(data) = io.data else { continue };
        // A program that reads no more has its reasons. What comes is thrown away.
        let _ = program.read(&data.data.unwrap_or_default()).await;
    }
    Ok(())
}

/// The input or the order to a terminal that a record brings.
fn process_io(attach: AttachContainerInput) -> Result<ProcessIo, Refusal> {
    let refuse = |text: &str| Err(Refusal::bad_request(text));
    if attach.r#type() != attach_container_input::Type::ProcessIo {
        return refuse("Expecting 'attach_container_input.type' to be PROCESS_IO");
    }
    let io = attach.process_io.unwrap_or_default();
    match (io.r#type(), &io.data, &io.control) {
        (process_io::Type::Data, Some(data), _)
            if data.r#type() == process_io::data::Type::Stdin =>
        {
            Ok(io)
        }
        (process_io::Type::Data, Some(_), _) => {
            refuse("Expecting 'process_io.data.type' to be STDIN")
        }
        (process_io::Type::Data, None, _) => refuse("Expecting 'process_io.data' to be present"),
        (process_io::Type::Control, _, Some(_)) => Ok(io),
        (process_io::Type::Control, _, None) => {
            refuse("Expecting 'process_io.control' to be present")
        }
        (process_io::Type::Unknown, ..) => refuse("'process_io.type' is unknown"),
    }
}

/// The records of a request, as they come.
struct Records {
    body: BodyDataStream,
    decoder: recordio::Decoder,
    media: Media,
}

impl Records {
    fn new(body: Body, media: Media) -> Self {
        Self {
            body: body.into_data_stream(),
            decoder: recordio::Decoder::new(limits::INPUT_RECORD_BYTES),
            media,
        }
    }

    /// The next call; none at the end of the request.
    async fn next(&mut self) -> Result<Option<Call>, Refusal> {
        let broken = |error: recordio::RecordError| Refusal::bad_request(error.to_string());
        loop {
            if let Some(record) = self.decoder.next_record().map_err(broken)? {
                let call: Call = self.media.decode(&record)?;
                check(&call).map_err(|problem| invalid(&problem))?;
                return Ok(Some(call));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.decoder.push(&bytes),
                Some(Err(_)) => return Err(Refusal::bad_request("Failed to read the body")),
                None => return Ok(None),
            }
        }
    }
}

/// Ends a program when nobody holds it any more.
struct Leash(SessionControl);

impl Drop for Leash {
    fn drop(&mut self) {
        // One that has ended needs no signal.
        if let Err(error) = self.0.signal(Signal::SIGKILL) {
            tracing::warn!(%error, "cannot end the program of a client that has gone");
        }
    }
}

/// What a program writes as an answer.
fn stream(wanted: Form, pieces: mpsc::Receiver<Piece>, leash: Option<Leash>) -> Response {
    let media = wanted.media();
    let (told, stream) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
    tokio::spawn(tell(pieces, told, leash));
    let records = ReceiverStream::new(stream)
        .map(move |io: ProcessIo| Ok::<_, Infallible>(recordio::encode(&media.encode(&io))));
    let mut response = Body::from_stream(records).into_response();
    let headers = response.headers_mut();
    match wanted {
        Form::One(media) => {
            headers.insert(CONTENT_TYPE, media.header());
        }
        Form::Records(media) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(RECORDS));
            let inner = HeaderName::from_static("message-content-type");
            headers.insert(inner, media.header());
        }
    }
    response
}

/// Tells a client what a program writes, and that the agent lives, until one of them is gone.
async fn tell(
    mut pieces: mpsc::Receiver<Piece>,
    told: mpsc::Sender<ProcessIo>,
    leash: Option<Leash>,
) {
    // The first comes before anything else. There is room.
    let _ = told.try_send(heartbeat());
    let every = limits::CONSOLE_HEARTBEAT;
    let mut beats = interval_at(Instant::now() + every, every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = tokio::select! {
            _ = beats.tick() => heartbeat(),
            piece = pieces.recv() => match piece {
                Some(piece) => data(piece),
                None => break,
            },
            () = told.closed() => break,
        };
        if told.send(next).await.is_err() {
            break;
        }
    }
    drop(leash);
}

fn data((stream, bytes): Piece) -> ProcessIo {
    let kind = match stream {
        SessionStream::Output => process_io::data::Type::Stdout,
        SessionStream::Error => process_io::data::Type::Stderr,
    };
    ProcessIo {
        r#type: Some(process_io::Type::Data.into()),
        data: Some(process_io::Data {
            r#type: Some(kind.into()),
            data: Some(bytes),
        }),
        control: None,
    }
}

fn heartbeat() -> ProcessIo {
    let every = limits::CONSOLE_HEARTBEAT.as_nanos();
    let interval = v1::DurationInfo {
        nanoseconds: i64::try_from(every).unwrap_or(i64::MAX),
    };
    ProcessIo {
        r#type: Some(process_io::Type::Control.into()),
        data: None,
        control: Some(process_io::Control {
            r#type: Some(process_io::control::Type::Heartbeat.into()),
            tty_info: None,
            heartbeat: Some(process_io::control::Heartbeat {
                interval: Some(interval),
            }),
        }),
    }
}
