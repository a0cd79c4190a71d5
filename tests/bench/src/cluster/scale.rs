//! A real master with more agents and tasks than fit a machine: the agents are a fleet, the
//! framework goes through the SDK, all over gRPC.
//!
//! `accept`: tasks that became running per second, from the first ACCEPT on. The bench plays all
//! agents and the framework on the same processors; what the master itself took is beside it.
//! `memory`: what the master holds. `state-json` and `state-protobuf`: all of it, asked for over
//! HTTP, and how long other calls wait meanwhile. `restart`: it is killed and started again; how
//! long until all agents are back with their tasks, and until offers flow.
//!
//! The master keeps tasks in memory only, since its agents know them; what it writes down is each
//! agent, before the agent hears of it.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use tepui_cluster_tests::{Cluster, Part};
use tepui_sdk::{
    Driver, Event, Events,
    model::{Filters, Offer, OfferId, Resources, Role, TaskState},
    v1,
};
use tokio::sync::{Semaphore, oneshot};

use super::{
    fleet::Fleet,
    framework::{Framework, Heard, block_on, expect_no_failure, task, text},
    state,
};
use crate::{Settings, report::Report};

const AGENT: &str = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]";
const TASKS: usize = 100_000;
/// Agents while tasks are counted, and while the master is restarted.
const AGENTS: usize = 10_000;
const AGENTS_OF_RESTART: usize = 20_000;
/// Tasks that were launched and are not running yet, at most: a framework that launches without
/// listening is cut off.
const IN_FLIGHT: usize = 5_000;
/// How long one connection of the framework may be away.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let part = |whole: usize| whole / settings.divide as usize;
    let tasks = part(TASKS);
    accept(report, part(AGENTS), tasks)?;
    restart(report, part(AGENTS_OF_RESTART), tasks)
}

fn accept(report: &mut Report, agents: usize, tasks: usize) -> Result<(), String> {
    let cluster = Cluster::start(0);
    let empty = Usage::of(&cluster.master)?;
    block_on(async {
        let fleet = start(&cluster, agents).await?;
        let with_agents = Usage::of(&cluster.master)?;
        let mut framework = Framework::connect(cluster.master.address())?;
        let took = fill(&mut framework, agents, tasks).await?;
        let with_tasks = Usage::of(&cluster.master)?;
        let busy = with_tasks.processor.saturating_sub(with_agents.processor);
        let rate = |span: Duration| format!("{:.0}", tasks as f64 / span.as_secs_f64());
        report
            .part("accept")
            .with("agents", agents)
            .with("tasks", tasks)
            .with("seconds", format!("{:.3}", took.as_secs_f64()))
            .with("per_second", rate(took))
            .with("per_master_cpu_second", rate(busy));
        let each = |more: u64, less: u64, count: usize| {
            format!("{:.2}", more.saturating_sub(less) as f64 / count as f64)
        };
        report
            .part("memory")
            .with("agents", agents)
            .with("tasks", tasks)
            .with("resident_mb", with_tasks.kilobytes / 1024)
            .with("empty_mb", empty.kilobytes / 1024)
            .with(
                "kb_per_agent",
                each(with_agents.kilobytes, empty.kilobytes, agents),
            )
            .with(
                "kb_per_task",
                each(with_tasks.kilobytes, with_agents.kilobytes, tasks),
            );
        // The fleet and the framework stay connected meanwhile.
        let asked =
            tokio::task::block_in_place(|| state::measure(cluster.master.address(), report));
        drop((fleet, framework));
        asked
    })
}

fn restart(report: &mut Report, agents: usize, tasks: usize) -> Result<(), String> {
    let mut cluster = Cluster::start(0);
    block_on(async {
        let fleet = start(&cluster, agents).await?;
        let mut framework = Framework::connect(cluster.master.address())?;
        fill(&mut framework, agents, tasks).await?;
        let (offered, first_offer) = oneshot::channel();
        let listening = tokio::spawn(listen(framework, offered));
        cluster.master.kill_hard();
        fleet.await_none().await?;
        let began = Instant::now();
        tokio::task::block_in_place(|| cluster.master.start_again());
        let started = began.elapsed();
        fleet.await_all().await?;
        let back = began.elapsed();
        let offered = tokio::time::timeout(PATIENCE, first_offer).await;
        let offered = offered.map_err(text)?.map_err(text)? - began;
        listening.abort();
        let seconds = |span: Duration| format!("{:.3}", span.as_secs_f64());
        report
            .part("restart")
            .with("agents", agents)
            .with("tasks", tasks)
            .with("listening_s", seconds(started))
            .with("first_offer_s", seconds(offered))
            .with("all_back_s", seconds(back))
            .with("resident_mb", Usage::of(&cluster.master)?.kilobytes / 1024);
        Ok(())
    })
}

pub(super) async fn start(cluster: &Cluster, agents: usize) -> Result<Fleet, String> {
    let resources = Resources::parse(AGENT, &Role::default()).map_err(text)?;
    let fleet = Fleet::start(cluster.master.address(), agents, &resources.to_proto(None))?;
    fleet.await_all().await?;
    Ok(fleet)
}

/// One ACCEPT.
type Launch = (OfferId, Vec<v1::TaskInfo>);

/// Launches all tasks, as many on each agent, and waits until they run: how long that took from the
/// first ACCEPT on.
pub(super) async fn fill(
    framework: &mut Framework,
    agents: usize,
    tasks: usize,
) -> Result<Duration, String> {
    let launches = prepare(&every_offer(framework, agents).await?, tasks)?;
    framework.driver.suppress(&[]).await;
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let began = Instant::now();
    let launching = tokio::spawn(launch(
        framework.driver.clone(),
        launches,
        Arc::clone(&room),
    ));
    let mut running = 0;
    while running < tasks {
        match framework.next().await? {
            // An answer to a reconciliation has no uuid, and is not counted twice.
            Heard::Update(status) if status.uuid.is_none() => {}
            Heard::Update(status) if status.state == TaskState::Running => {
                running += 1;
                room.add_permits(1);
            }
            Heard::Update(status) => expect_no_failure(&status)?,
            Heard::Offers(_) => {}
        }
    }
    let took = began.elapsed();
    launching.await.map_err(text)?;
    Ok(took)
}

async fn every_offer(framework: &mut Framework, agents: usize) -> Result<Vec<Offer>, String> {
    let mut all = Vec::new();
    while all.len() < agents {
        if let Heard::Offers(offers) = framework.next().await? {
            all.extend(offers);
        }
    }
    Ok(all)
}

fn prepare(offers: &[Offer], tasks: usize) -> Result<Vec<Launch>, String> {
    let mut numbers = 0..tasks;
    let per_agent = tasks.div_ceil(offers.len());
    let mut launches = Vec::new();
    for offer in offers {
        let mut tasks = Vec::new();
        for number in numbers.by_ref().take(per_agent) {
            let task = task(format!("scale-{number}"), &["true"])?;
            tasks.push(task.place(offer, &offer.resources).map_err(text)?.info);
        }
        launches.push((offer.id.clone(), tasks));
    }
    Ok(launches)
}

async fn launch(driver: Driver, launches: Vec<Launch>, room: Arc<Semaphore>) {
    for (offer, tasks) in launches {
        // Never closed.
        if let Ok(permits) = room.acquire_many(tasks.len() as u32).await {
            permits.forget();
        }
        driver.accept(vec![offer], tasks, Filters::NONE).await;
    }
}

/// Tells when the first offer comes after the connection broke, and stays: all tasks of a framework
/// that leaves are ended.
async fn listen(mut framework: Framework, offered: oneshot::Sender<Instant>) -> Result<(), String> {
    let Framework { driver, events } = &mut framework;
    until(events, |event| matches!(event, Event::Disconnected(_))).await?;
    driver.revive(&[]).await;
    until(events, |event| matches!(event, Event::Offers(_))).await?;
    // Who asked may have given up.
    let _ = offered.send(Instant::now());
    until(events, |_| false).await
}

async fn until(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Result<(), String> {
    loop {
        let event = events.next().await.ok_or("the session ended")?;
        if wanted(&event.map_err(text)?) {
            return Ok(());
        }
    }
}

/// What a process has taken of the machine.
struct Usage {
    kilobytes: u64,
    processor: Duration,
}

impl Usage {
    fn of(part: &Part) -> Result<Self, String> {
        let pid = part.pid();
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(text)?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = number(resident.and_then(|text| text.trim().strip_suffix("kB")));
        let schedule = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(text)?;
        let after_name = schedule.rsplit(')').next().unwrap_or_default();
        let mut fields = after_name.split_whitespace().skip(11);
        let ticks = number(fields.next()).zip(number(fields.next()));
        // A hundred ticks a second, on every Linux.
        let processor = ticks.map(|(user, system)| Duration::from_millis((user + system) * 10));
        Ok(Self {
            kilobytes: resident.ok_or("no VmRSS")?,
            processor: processor.ok_or("no ticks")?,
        })
    }
}
