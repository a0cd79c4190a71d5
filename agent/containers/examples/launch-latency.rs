//! Measures how long a container takes: create, start `true`, reap, remove. Needs root.
//!
//! `cargo run --release -p tepui-containers --example launch-latency -- [COUNT] [PAUSE_MS]
//! [ISOLATION]`

use std::{
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

use tepui_containers::{Bytes, Limits, Options, Program, Runtime, Spec};
use tepui_model::{ContainerId, Quantity};

fn main() -> ExitCode {
    if let Some(code) = tepui_containers::init_main() {
        return code;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(100), |count| count.parse())?;
    let pause = Duration::from_millis(arguments.next().map_or(Ok(0), |pause| pause.parse())?);
    let folder = std::env::temp_dir().join(format!("launch-latency-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let mut options = Options::new(&folder, "launch-latency");
    if let Some(isolation) = arguments.next() {
        options.isolation = isolation.parse()?;
    }
    let began = Instant::now();
    let runtime = Runtime::probe(options)?;
    println!(
        "probe                    {:>8.2} ms",
        millis(began.elapsed())
    );
    let mut columns = [const { Vec::new() }; 4];
    for number in 0..count {
        let id = ContainerId::new(format!("c{number}"))?;
        let sandbox = folder.join(id.as_str());
        std::fs::create_dir(&sandbox)?;
        let began = Instant::now();
        runtime.launch(spec(&id, sandbox)).await?;
        let started = began.elapsed();
        runtime.wait(&id).await;
        let ended = began.elapsed();
        runtime.remove(&id).await?;
        let removed = began.elapsed();
        for (column, time) in
            columns
                .iter_mut()
                .zip([started, ended - started, removed - ended, removed])
        {
            column.push(time);
        }
        tokio::time::sleep(pause).await;
    }
    for (name, times) in ["create and start", "run and reap", "remove", "all"]
        .into_iter()
        .zip(&mut columns)
    {
        times.sort();
        let at = |share: usize| millis(times[(times.len() - 1) * share / 100]);
        println!(
            "{name:<18} p50 {:>8.2} ms   p90 {:>8.2} ms   p99 {:>8.2} ms",
            at(50),
            at(90),
            at(99)
        );
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn spec(id: &ContainerId, sandbox: std::path::PathBuf) -> Spec {
    Spec {
        id: id.clone(),
        sandbox,
        program: Program::Exec {
            path: "/bin/true".to_owned(),
            arguments: Vec::new(),
        },
        environment: Vec::new(),
        user: None,
        hostname: Some("container".to_owned()),
        volumes: Vec::new(),
        limits: Limits {
            cpu_shares: Quantity::from_units(1),
            cpu_limit: Some(Quantity::from_units(1)),
            memory: Bytes(64 << 20),
            memory_limit: None,
            pids: None,
        },
    }
}
