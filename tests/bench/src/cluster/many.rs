//! Many tasks at the same time on one agent: 1,000 times `sleep`, each in a container of its own,
//! launched by one ACCEPT and killed at the end. While all run: what memory the agent and one
//! container's init take, and how long it takes to read what all of them use.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    OfferMatcher, Task,
    model::{Filters, TaskState},
};

use super::{
    framework::{Framework, Heard, block_on, expect_no_failure, task, text},
    state,
    tasks::place,
};
use crate::{Settings, report::Report};

const TASKS: usize = 1000;
/// How often the use of all is read.
const SAMPLES: usize = 5;
/// The name of the process that is a container's first.
const INIT: &str = "tepui-init";

/// What is measured of them.
#[derive(Debug, Default)]
struct Measured {
    running: Duration,
    killed: Duration,
    /// Kilobytes that the agent, its launcher not counted, shares with nobody.
    agent: u64,
    /// The same of each init.
    inits: Vec<u64>,
    sampled: Vec<Duration>,
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of("cpus:200;mem:32000;disk:1000;ports:[]", &[]);
    cluster.await_agents(1);
    let measured = block_on(start_and_kill(&cluster))?;
    let seconds = |span: Duration| format!("{:.2}", span.as_secs_f64());
    let line = report
        .line()
        .with("tasks", TASKS)
        .with("running_s", seconds(measured.running))
        .with("killed_s", seconds(measured.killed))
        .with("agent_private_kb", measured.agent)
        .with_percentiles("usage_of_all", &measured.sampled);
    let mut inits = measured.inits;
    inits.sort_unstable();
    if let (Some(median), Some(most)) = (inits.get(inits.len() / 2), inits.last()) {
        line.with("init_private_kb_p50", median)
            .with("init_private_kb_max", most);
    }
    Ok(())
}

/// Starts all, measures them, and kills them.
async fn start_and_kill(cluster: &Cluster) -> Result<Measured, String> {
    let tasks = (0..TASKS).map(|number| task(format!("many-{number}"), &["sleep", "1000"]));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let others = inits()?;
    let mut measured = Measured::default();
    let mut framework = Framework::connect(cluster.master.address())?;
    let mut matcher = OfferMatcher::new(vec![framework.offer().await?]);
    place(&mut matcher, &mut tasks.clone());
    let began = Instant::now();
    framework
        .driver
        .apply(matcher.finish(), Filters::default())
        .await;
    await_all(&mut framework, TaskState::Running).await?;
    measured.running = began.elapsed();
    let agent = cluster.agents.first().ok_or("there is no agent")?;
    for _ in 0..SAMPLES {
        let began = Instant::now();
        state::call(agent.address(), "GET_CONTAINERS", "application/json")?;
        measured.sampled.push(began.elapsed());
    }
    measured.agent = private_kilobytes(agent.pid())?;
    let ours = inits()?;
    let ours = ours.difference(&others).copied();
    measured.inits = ours.map(private_kilobytes).collect::<Result<_, _>>()?;
    let began = Instant::now();
    for id in tasks.iter().map(Task::id) {
        framework.driver.kill(id).await;
    }
    await_all(&mut framework, TaskState::Killed).await?;
    measured.killed = began.elapsed();
    framework.leave().await;
    Ok(measured)
}

/// The inits of all containers on this machine.
fn inits() -> Result<BTreeSet<u32>, String> {
    let processes = fs::read_dir("/proc").map_err(text)?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_init = |process: &u32| {
        fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == INIT)
    };
    Ok(numbers.filter(is_init).collect())
}

/// Kilobytes of memory that are this process's alone.
fn private_kilobytes(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kilobytes.sum())
}

async fn await_all(framework: &mut Framework, wanted: TaskState) -> Result<(), String> {
    let mut reached = 0;
    while reached < TASKS {
        match framework.next().await? {
            Heard::Update(status) if status.state == wanted => reached += 1,
            Heard::Update(status) => expect_no_failure(&status)?,
            Heard::Offers(_) => {}
        }
    }
    Ok(())
}
