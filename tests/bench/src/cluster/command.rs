//! `tepui run -- true` as a person waits for it: from the start of the process to its end.

use std::time::{Duration, Instant};

use tepui_cluster_tests::Cluster;

use crate::{Settings, report::Report};

const RUNS: usize = 30;

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let cluster = Cluster::start(1);
    one(&cluster)?;
    let times = (0..RUNS).map(|_| one(&cluster));
    let times = times.collect::<Result<Vec<_>, _>>()?;
    report
        .line()
        .with("command", "true")
        .with("runs", times.len())
        .with_percentiles("whole", &times);
    Ok(())
}

fn one(cluster: &Cluster) -> Result<Duration, String> {
    let began = Instant::now();
    let ran = cluster.tepui(&["run", "--", "true"]);
    let took = began.elapsed();
    match ran.code {
        Some(0) => Ok(took),
        _ => Err(format!("{ran:?}")),
    }
}
