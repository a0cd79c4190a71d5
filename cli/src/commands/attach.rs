//! `tepui attach`: at the terminal of a task's own program, or, where it has none, at what it
//! writes.

use std::{
    io::{IsTerminal as _, Write as _, stdin, stdout},
    os::fd::AsFd as _,
    process::ExitCode,
};

use tepui_containers::RawTerminal;
use tepui_sdk::{Error, Exec, ExecEvent, ExecInput, Node, v1};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    exec::{SIGNALED, exit_code, next, our_input, our_size},
    logs,
};
use crate::{arguments::Master, client, failure::Failure};

/// The flags of `tepui attach`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: tepui attach web.1   (Ctrl-P Ctrl-Q leaves, and the task goes on)"
)]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// Only look, and do not type
    #[arg(long)]
    no_stdin: bool,
    /// The keys that leave the task to itself
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = Keys::read)]
    detach_keys: Keys,
    /// The task's id, or its beginning
    task: String,
}

/// A sequence of keys that is looked for in what is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Keys(Vec<u8>);

impl Keys {
    /// Reads keys as docker has them: `ctrl-a` to `ctrl-z`, or a character, with commas in between.
    fn read(text: &str) -> Result<Self, String> {
        let key = |text: &str| match text.strip_prefix("ctrl-").map(str::as_bytes) {
            Some([letter @ b'a'..=b'z']) => Ok(letter - b'a' + 1),
            None if text.len() == 1 => Ok(text.as_bytes()[0]),
            _ => Err(format!(
                "'{text}' is no key: write ctrl-p, or one character"
            )),
        };
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Takes in what is typed. Gives what is to be passed on, and whether to leave. Keys that may
    /// become the sequence are kept back until it is known.
    fn look(&self, held: &mut Vec<u8>, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::new();
        for key in typed {
            held.push(*key);
            while !self.0.starts_with(held) {
                passed.push(held.remove(0));
            }
            if *held == self.0 {
                return (passed, true);
            }
        }
        (passed, false)
    }
}

/// Stays at the task's terminal until one of both leaves.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.master.master).await?;
    let task = client::find_task(&operator, &options.task).await?;
    let node = client::node_of(&operator, &task.agent_id).await?;
    let (framework, id) = client::ids_of(&task)?;
    match node.attach(&framework, &id, options.no_stdin).await {
        Ok(attached) => stay(attached, &options).await,
        Err(Error::Refused { message, .. }) if message.contains("has no terminal") => {
            follow(&node, &task).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A task without a terminal is seen by its files.
async fn follow(node: &Node, task: &v1::Task) -> Result<ExitCode, Failure> {
    eprintln!("the task has no terminal: this is what it writes, Ctrl-C leaves");
    let output = logs::copy(node, task, "stdout", true, false)?;
    let error = logs::copy(node, task, "stderr", true, true)?;
    tokio::try_join!(output, error)?;
    Ok(ExitCode::SUCCESS)
}

async fn stay(attached: Exec, options: &Options) -> Result<ExitCode, Failure> {
    let Exec { input, mut output } = attached;
    let types = !options.no_stdin;
    let raw = (types && stdin().is_terminal()).then(|| RawTerminal::new(stdin().as_fd()));
    let raw = raw.transpose()?;
    if raw.is_some() {
        let (rows, columns) = our_size();
        input.resize(rows, columns).await?;
    }
    let typing = type_there(input, types, raw.is_some(), options.detach_keys.clone());
    tokio::pin!(typing);
    let mut left = false;
    loop {
        let event = tokio::select! {
            done = &mut typing, if !left => {
                left = true;
                if done? {
                    drop(raw);
                    eprintln!("\nleft; the task goes on");
                    return Ok(ExitCode::SUCCESS);
                }
                continue;
            }
            event = output.next() => event,
        };
        let gone = |error| Failure::Unreachable(format!("the terminal is out of reach: {error}"));
        match event.map_err(gone)? {
            Some(ExecEvent::Output(bytes) | ExecEvent::Error(bytes)) => {
                stdout().write_all(&bytes)?;
                stdout().flush()?;
            }
            Some(ExecEvent::Exited(code)) => return Ok(exit_code(code)),
            Some(ExecEvent::Signaled(number)) => return Ok(exit_code(SIGNALED + number)),
            None => {
                let message = "the agent went away; the task may go on: attach again";
                return Err(Failure::Failed(message.to_owned()));
            }
        }
    }
}

/// Passes on what is typed and how large our window is. True when the keys to leave were typed, and
/// false at the end of our input.
async fn type_there(
    program: ExecInput,
    types: bool,
    on_terminal: bool,
    keys: Keys,
) -> Result<bool, Failure> {
    let mut resized = signal(SignalKind::window_change())?;
    let mut pieces = types.then(our_input);
    let mut held = Vec::new();
    loop {
        let sent = tokio::select! {
            piece = next(&mut pieces) => match piece {
                Some(bytes) => {
                    let (passed, leave) = keys.look(&mut held, &bytes);
                    program.write(&passed).await?;
                    if leave {
                        return Ok(true);
                    }
                    Ok(())
                }
                None => {
                    pieces = None;
                    program.write(&held).await?;
                    held.clear();
                    program.end().await
                }
            },
            _ = resized.recv(), if on_terminal => {
                let (rows, columns) = our_size();
                program.resize(rows, columns).await
            }
        };
        if sent.is_err() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_to_leave_are_found_wherever_they_are_cut() {
        let keys = Keys::read("ctrl-p,ctrl-q").unwrap();
        assert_eq!(keys.0, [16, 17]);
        let mut held = Vec::new();
        assert_eq!(keys.look(&mut held, b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.look(&mut held, b"\x10"), (b"\x10".to_vec(), false));
        assert_eq!(keys.look(&mut held, b"\x11rest"), (Vec::new(), true));
        let mut held = Vec::new();
        assert_eq!(keys.look(&mut held, b"\x10x"), (b"\x10x".to_vec(), false));
        assert!(held.is_empty());
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        assert_eq!(Keys::read("a,ctrl-z").unwrap().0, [b'a', 26]);
        for wrong in ["", "ctrl-", "ctrl-1", "abc", "ctrl-p,"] {
            assert!(Keys::read(wrong).is_err(), "{wrong}");
        }
    }
}
