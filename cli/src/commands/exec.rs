//! `tepui exec`: a program in the container of a task that runs, with our terminal or without.

use std::{
    io::{Read as _, Write as _, stderr, stdin, stdout},
    os::fd::AsFd as _,
    process::ExitCode,
};

use tepui_containers::{RawTerminal, window_size};
use tepui_sdk::{ExecEvent, ExecInput, ExecOutput, ExecRequest, v1};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{arguments::Master, client, failure::Failure};

/// The flags of `tepui exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui exec -it web.1 -- sh")]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// Pass our standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the program a terminal of its own, as large as ours
    #[arg(short, long)]
    tty: bool,
    /// A variable besides those of the task; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Where the program starts [default: where the task did]
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
    /// The task's id, or its beginning
    task: String,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

/// What a program that was ended by a signal exits with, in shells: this and the signal's number.
pub(super) const SIGNALED: i32 = 128;

/// What a terminal has whose size cannot be found out.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// The most bytes of our input that are read at once.
const PIECE_BYTES: usize = 16 * 1024;

fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs the program and gives its exit code.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    if options.tty && window_size(stdin().as_fd()).is_err() {
        return Err(Failure::Usage(
            "-t needs a terminal at our standard input; leave it out in scripts".to_owned(),
        ));
    }
    let operator = client::connect(&options.master.master).await?;
    let task = client::find_task(&operator, &options.task).await?;
    let node = client::node_of(&operator, &task.agent_id).await?;
    let exec = node.exec(request(&options, &task)?).await?;
    // Until the end of it, our terminal only passes on.
    let raw = options.tty.then(|| RawTerminal::new(stdin().as_fd()));
    let raw = raw.transpose()?;
    let input = forward(exec.input, options.interactive, options.tty)?;
    let code = show(exec.output).await;
    input.abort();
    drop(raw);
    code
}

fn request(options: &Options, task: &v1::Task) -> Result<ExecRequest, Failure> {
    let (framework_id, task_id) = client::ids_of(task)?;
    let mut variables = options.env.clone();
    if options.tty && !variables.iter().any(|(key, _)| key == "TERM") {
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned());
        variables.push(("TERM".to_owned(), terminal));
    }
    let variables = variables
        .into_iter()
        .map(|(name, value)| v1::environment::Variable {
            name,
            value: Some(value),
            ..v1::environment::Variable::default()
        });
    let command = v1::CommandInfo {
        shell: Some(false),
        value: options.command.first().cloned(),
        arguments: options.command.clone(),
        environment: Some(v1::Environment {
            variables: variables.collect(),
        }),
        ..v1::CommandInfo::default()
    };
    Ok(ExecRequest {
        framework_id,
        task_id,
        command,
        terminal: options.tty.then(our_size),
        working_directory: options.workdir.clone(),
    })
}

pub(super) fn our_size() -> (u16, u16) {
    match window_size(stdin().as_fd()) {
        Ok(size) if size.rows > 0 && size.columns > 0 => (size.rows, size.columns),
        _ => USUAL_SIZE,
    }
}

/// Passes input, changes of our window and, without a terminal, signals on to the program.
fn forward(
    program: ExecInput,
    interactive: bool,
    tty: bool,
) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let mut resized = signal(SignalKind::window_change())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut pieces = interactive.then(our_input);
    Ok(tokio::spawn(async move {
        if pieces.is_none() && !tty && program.end().await.is_err() {
            return;
        }
        loop {
            let sent = tokio::select! {
                piece = next(&mut pieces) => match piece {
                    Some(bytes) => program.write(&bytes).await,
                    None => {
                        pieces = None;
                        program.end().await
                    }
                },
                _ = resized.recv() => {
                    let (rows, columns) = our_size();
                    program.resize(rows, columns).await
                }
                _ = interrupted.recv() => program.signal(SignalKind::interrupt().as_raw_value()).await,
                _ = terminated.recv() => program.signal(SignalKind::terminate().as_raw_value()).await,
            };
            if sent.is_err() {
                break;
            }
        }
    }))
}

/// The next piece of our input; `None` at its end. Without input, it waits for ever.
pub(super) async fn next(pieces: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match pieces {
        Some(pieces) => pieces.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads our standard input in a thread of its own, which nobody waits for.
pub(super) fn our_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, pieces) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(count) = stdin().read(&mut buffer) {
            if count == 0 || sender.blocking_send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    pieces
}

/// Prints what the program writes; gives its exit code.
async fn show(mut output: ExecOutput) -> Result<ExitCode, Failure> {
    loop {
        let next = output.next().await;
        // It had been started, so this is no refusal: the connection broke.
        let gone = |error| Failure::Unreachable(format!("the program is over with it: {error}"));
        match next.map_err(gone)? {
            Some(ExecEvent::Output(bytes)) => {
                stdout().write_all(&bytes)?;
                stdout().flush()?;
            }
            Some(ExecEvent::Error(bytes)) => stderr().write_all(&bytes)?,
            Some(ExecEvent::Exited(code)) => return Ok(exit_code(code)),
            Some(ExecEvent::Signaled(number)) => return Ok(exit_code(SIGNALED + number)),
            None => {
                let message = "the agent went away, and the program with it";
                return Err(Failure::Failed(message.to_owned()));
            }
        }
    }
}

pub(super) fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
