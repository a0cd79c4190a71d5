//! A further program in a container that runs: from the request to its first output, with `echo`;
//! beside `runc exec` of the same, each in turn, so that both meet the same machine.
//!
//! Needs root; says so where it is missing.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tepui_containers::{InitProgram, Options, Program, Runtime, SessionSpec, WindowSize};
use tepui_model::ContainerId;

use crate::{
    Settings,
    containers::{self, runc::Bundle, text},
    report::Report,
};

const ROUNDS: usize = 50;
/// Rounds before those that count, while everything is cold.
const WARM_UP: usize = 3;

/// What runs: it says a word, so that it is known when it has run.
const PROGRAM: [&str; 2] = ["/bin/echo", "here"];

/// Times until a program's first output.
#[derive(Default)]
struct Samples {
    piped: Vec<Duration>,
    on_terminal: Vec<Duration>,
    runc: Vec<Duration>,
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    if !tepui_cluster_tests::can_isolate() {
        report.line().with("left_out", "needs-root");
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(text)?;
    let runc = Bundle::staying(&folder.path().join("bundle"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(text)?;
    let samples = runtime.block_on(measure(folder.path(), runc.as_ref()))?;
    let line = report
        .line()
        .with("rounds", ROUNDS)
        .with_percentiles("output", &samples.piped)
        .with_percentiles("terminal", &samples.on_terminal);
    let Some(runc) = runc else {
        line.with("runc", "absent");
        return Ok(());
    };
    let ratio = containers::ratio(samples.runc.clone(), samples.piped);
    line.with("runc", runc.version())
        .with_percentiles("runc_output", &samples.runc)
        .with("runc_ratio_p50", ratio);
    Ok(())
}

async fn measure(folder: &Path, runc: Option<&Bundle>) -> Result<Samples, String> {
    let mut options = Options::new(folder.join("run"), "tepui-bench-exec");
    options.init = InitProgram::Path(tepui_cluster_tests::program());
    let runtime = Runtime::probe(options).map_err(text)?;
    let name = format!("bench-exec-{}", std::process::id());
    let sandbox = folder.join(&name);
    std::fs::create_dir(&sandbox).map_err(text)?;
    let id = ContainerId::new(&name).map_err(text)?;
    let mut spec = containers::spec(id.clone(), &sandbox);
    spec.program = Program::Shell("exec sleep 1000".to_owned());
    runtime.launch(spec).await.map_err(text)?;
    let theirs = runc.map(|bundle| bundle.start(&name)).transpose()?;
    let samples = rounds(&runtime, &id, runc.is_some().then_some(&name)).await;
    drop(theirs);
    runtime.kill(&id).await.map_err(text)?;
    runtime.remove(&id).await.map_err(text)?;
    samples
}

async fn rounds(
    runtime: &Runtime,
    id: &ContainerId,
    runc: Option<&String>,
) -> Result<Samples, String> {
    let mut samples = Samples::default();
    for number in 0..WARM_UP + ROUNDS {
        if number == WARM_UP {
            samples = Samples::default();
        }
        samples.piped.push(ours(runtime, id, None).await?);
        let size = WindowSize {
            rows: 24,
            columns: 80,
        };
        samples
            .on_terminal
            .push(ours(runtime, id, Some(size)).await?);
        if let Some(name) = runc {
            samples.runc.push(theirs(name)?);
        }
    }
    Ok(samples)
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
