//! A container's life: create it, start `true` in it, reap, remove. Ours and runc's in turn, so
//! that both meet the same machine, on the same root: a folder with a static busybox.
//!
//! Both have their own pid, mount, uts and ipc namespaces and limits for cpu, memory and
//! processes. Needs root and busybox; says so where they are missing.

mod beside;
pub(crate) mod runc;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tepui_containers::{Bytes, Limits, Program, RootSpec, Runtime, Spec};
use tepui_model::{ContainerId, Quantity};

pub(crate) use self::beside::{Beside, in_turn};
use crate::{Settings, report::Report};

/// Times of whole lives.
#[derive(Debug, Default)]
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
    let Some(beside) = Beside::prepare("tepui-bench", &["/bin/true"], report)? else {
        return Ok(());
    };
    let (cold, samples) = beside.measure(rounds)?;
    let line = report
        .line()
        .with_percentiles("cold", &cold.whole)
        .with_percentiles("start", &samples.started)
        .with_percentiles("end", &samples.ended)
        .with_percentiles("whole", &samples.whole);
    beside.compare(line, &cold.runc, &samples.runc, &samples.whole);
    Ok(())
}

async fn rounds(beside: &Beside) -> Result<(Samples, Samples), String> {
    in_turn(async |number, samples: &mut Samples| {
        let (id, sandbox) = beside.place(&format!("{number}"))?;
        let name = id.to_string();
        one(&beside.runtime, spec(id, &sandbox, &beside.root()), samples).await?;
        if let Some(bundle) = &beside.runc {
            samples.runc.push(bundle.run(&name)?);
        }
        Ok(())
    })
    .await
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

/// A container that runs `true` in this root.
pub(crate) fn spec(id: ContainerId, sandbox: &Path, root: &Path) -> Spec {
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
    spec.root = Some(RootSpec::Folder {
        path: root.to_owned(),
        read_only: true,
    });
    spec.hostname = Some("container".to_owned());
    spec
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
