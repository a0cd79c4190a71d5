//! A container's life: create it, start `true` in it, reap, remove. Ours and runc's in turn, so
//! that both meet the same machine.
//!
//! Both have their own pid, mount, uts and ipc namespaces and limits for cpu, memory and
//! processes. Needs root; says so where it is missing.

pub(crate) mod runc;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tepui_containers::{Bytes, InitProgram, Limits, Options, Program, Runtime, Spec};
use tepui_model::{ContainerId, Quantity};

use self::runc::Bundle;
use crate::{Settings, report::Report};

const ROUNDS: usize = 50;
/// Rounds before those that count, while everything is cold.
const WARM_UP: usize = 3;

/// Times of whole lives.
#[derive(Default)]
struct Samples {
    /// Until the program runs.
    started: Vec<Duration>,
    /// Until its end is known.
    ended: Vec<Duration>,
    /// Until nothing is left.
    whole: Vec<Duration>,
    runc: Vec<Duration>,
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    if !tepui_cluster_tests::can_isolate() {
        report.line().with("left_out", "needs-root");
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(text)?;
    let runc = Bundle::make(&folder.path().join("bundle"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(text)?;
    let samples = runtime.block_on(measure(folder.path(), runc.as_ref()))?;
    let line = report
        .line()
        .with("rounds", ROUNDS)
        .with_percentiles("start", &samples.started)
        .with_percentiles("end", &samples.ended)
        .with_percentiles("whole", &samples.whole);
    let Some(runc) = runc else {
        line.with("runc", "absent");
        return Ok(());
    };
    line.with("runc", runc.version())
        .with_percentiles("runc_whole", &samples.runc)
        .with("runc_ratio_p50", ratio(samples.runc, samples.whole));
    Ok(())
}

async fn measure(folder: &Path, runc: Option<&Bundle>) -> Result<Samples, String> {
    let mut options = Options::new(folder.join("run"), "tepui-bench");
    options.init = InitProgram::Path(tepui_cluster_tests::program());
    let runtime = Runtime::probe(options).map_err(text)?;
    let mut samples = Samples::default();
    for number in 0..WARM_UP + ROUNDS {
        if number == WARM_UP {
            samples = Samples::default();
        }
        let name = format!("bench-{}-{number}", std::process::id());
        let sandbox = folder.join(&name);
        std::fs::create_dir(&sandbox).map_err(text)?;
        let id = ContainerId::new(&name).map_err(text)?;
        one(&runtime, spec(id, &sandbox), &mut samples).await?;
        if let Some(bundle) = runc {
            samples.runc.push(bundle.run(&name)?);
        }
    }
    Ok(samples)
}

async fn one(runtime: &Runtime, spec: Spec, samples: &mut Samples) -> Result<(), String> {
    let id = spec.id.clone();
    let began = Instant::now();
    runtime.launch(spec).await.map_err(text)?;
    samples.started.push(began.elapsed());
    runtime.wait(&id).await;
    samples.ended.push(began.elapsed());
    runtime.remove(&id).await.map_err(text)?;
    samples.whole.push(began.elapsed());
    Ok(())
}

pub(crate) fn spec(id: ContainerId, sandbox: &Path) -> Spec {
    let program = Program::Exec {
        path: "/bin/true".to_owned(),
        arguments: Vec::new(),
    };
    let limits = Limits {
        cpu_shares: Quantity::from_units(1),
        cpu_limit: Some(Quantity::from_units(1)),
        low_cpu_priority: false,
        memory: Bytes(64 << 20),
        memory_limit: None,
        pids: None,
    };
    let mut spec = Spec::new(id, sandbox, program, limits);
    spec.hostname = Some("container".to_owned());
    spec
}

/// How many times longer the first take, by the median.
pub(crate) fn ratio(mut longer: Vec<Duration>, mut shorter: Vec<Duration>) -> String {
    longer.sort_unstable();
    shorter.sort_unstable();
    let median = |times: &[Duration]| times.get(times.len() / 2).map(Duration::as_secs_f64);
    let ratio = median(&longer).zip(median(&shorter)).map(|(a, b)| a / b);
    format!("{:.1}", ratio.unwrap_or_default())
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
