//! A further program in a container that runs: from the request to its first output, with `echo`;
//! beside `runc exec` of the same, each in turn, so that both meet the same machine.
//!
//! Needs root; says so where it is missing.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tepui_containers::{Program, Runtime, SessionSpec, WindowSize};
use tepui_model::ContainerId;

use crate::{
    Settings,
    containers::{self, Beside, in_turn, text},
    report::Report,
};

/// What runs: it says a word, so that it is known when it has run.
const PROGRAM: [&str; 2] = ["/bin/echo", "here"];
const SIZE: WindowSize = WindowSize {
    rows: 24,
    columns: 80,
};

/// Times until a program's first output.
#[derive(Debug, Default)]
struct Samples {
    piped: Vec<Duration>,
    on_terminal: Vec<Duration>,
    runc: Vec<Duration>,
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let staying = ["/bin/sleep", "1000"];
    let Some(beside) = Beside::prepare("tepui-bench-exec", &staying, report)? else {
        return Ok(());
    };
    let (cold, samples) = beside.measure(measure)?;
    let line = report
        .line()
        .with_percentiles("output", &samples.piped)
        .with_percentiles("terminal", &samples.on_terminal);
    beside.compare(line, &cold.runc, &samples.runc, &samples.piped);
    Ok(())
}

async fn measure(beside: &Beside) -> Result<(Samples, Samples), String> {
    let (id, sandbox) = beside.place("exec")?;
    let name = id.to_string();
    let mut spec = containers::spec(id.clone(), &sandbox, &beside.root());
    spec.program = Program::Shell("exec sleep 1000".to_owned());
    beside.runtime.launch(spec).await.map_err(text)?;
    let theirs = beside.runc.as_ref().map(|bundle| bundle.start(&name));
    let theirs = theirs.transpose()?;
    let samples = in_turn(async |_, samples: &mut Samples| {
        let runtime = &beside.runtime;
        samples.piped.push(ours(runtime, &id, None).await?);
        samples
            .on_terminal
            .push(ours(runtime, &id, Some(SIZE)).await?);
        if theirs.is_some() {
            samples.runc.push(self::theirs(&name)?);
        }
        Ok(())
    })
    .await;
    drop(theirs);
    beside.runtime.kill(&id).await.map_err(text)?;
    beside.runtime.remove(&id).await.map_err(text)?;
    samples
}

async fn ours(
    runtime: &Runtime,
    id: &ContainerId,
    terminal: Option<WindowSize>,
) -> Result<Duration, String> {
    let began = Instant::now();
    let spec = SessionSpec {
        container: id.clone(),
        program: Program::Exec {
            path: PROGRAM[0].to_owned(),
            arguments: PROGRAM.map(str::to_owned).into(),
        },
        environment: Vec::new(),
        working_dir: None,
        terminal,
    };
    let mut session = runtime.open_session(spec).await.map_err(text)?;
    let first = session.output.next().await;
    let took = began.elapsed();
    first.ok_or("the program wrote nothing")?;
    session.control.wait().await;
    Ok(took)
}

fn theirs(name: &str) -> Result<Duration, String> {
    let began = Instant::now();
    let mut child = Command::new("runc")
        .args(["exec", name])
        .args(PROGRAM)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut first = [0; 4];
    let output = child.stdout.as_mut().ok_or("runc has no output")?;
    output.read_exact(&mut first).map_err(text)?;
    let took = began.elapsed();
    child.wait().map_err(text)?;
    Ok(took)
}
