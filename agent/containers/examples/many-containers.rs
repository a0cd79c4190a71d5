//! Measures how long many containers take that run at the same time, and what they cost.
//! Needs root.
//!
//! `cargo run --release -p tepui-containers --example many-containers -- [COUNT]`

use std::{error::Error, fs, process::ExitCode, time::Instant};

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
    let count: usize = std::env::args()
        .nth(1)
        .map_or(Ok(1000), |count| count.parse())?;
    let folder = std::env::temp_dir().join(format!("many-containers-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let runtime = Runtime::probe(Options::new(folder.join("run"), "many-containers"))?;
    let ids = (0..count).map(|number| ContainerId::new(format!("c{number}")));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    for id in &ids {
        fs::create_dir(folder.join(id.as_str()))?;
    }
    let free = available_memory()?;
    let began = Instant::now();
    let launches = ids.iter().map(|id| {
        let (runtime, spec) = (runtime.clone(), spec(id, folder.join(id.as_str())));
        tokio::spawn(async move { runtime.launch(spec).await })
    });
    for launch in launches.collect::<Vec<_>>() {
        launch.await??;
    }
    println!("{count} containers started in {:.2?}", began.elapsed());
    let used = free.saturating_sub(available_memory()?);
    println!(
        "{} KB of the machine's memory per container",
        used / 1024 / count as u64
    );
    let began = Instant::now();
    let ends = ids.iter().map(|id| {
        let (runtime, id) = (runtime.clone(), id.clone());
        tokio::spawn(async move {
            runtime.kill(&id).await?;
            runtime.remove(&id).await
        })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await??;
    }
    println!("all killed and removed in {:.2?}", began.elapsed());
    Ok(fs::remove_dir_all(folder)?)
}

fn available_memory() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .unwrap_or("0");
    Ok(kilobytes.parse::<u64>()? * 1024)
}

fn spec(id: &ContainerId, sandbox: std::path::PathBuf) -> Spec {
    let arguments = vec!["sleep".to_owned(), "1000".to_owned()];
    Spec {
        id: id.clone(),
        sandbox,
        program: Program::Exec {
            path: "/bin/sleep".to_owned(),
            arguments,
        },
        environment: Vec::new(),
        user: None,
        hostname: None,
        volumes: Vec::new(),
        limits: Limits {
            cpu_shares: Quantity::from_millis(10),
            cpu_limit: None,
            memory: Bytes(32 << 20),
            memory_limit: None,
            pids: None,
        },
    }
}
