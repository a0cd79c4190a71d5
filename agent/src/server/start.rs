//! How an agent starts: it takes the work dir, finds what an earlier one left, and goes on with it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tepui_agent_core::{
    Agent, Config, Effect, Effects, FoundContainer, Recovered,
};
use tepui_containers as containers;
use tepui_containers::Runtime;
use tepui_model::AgentInfo;
use tepui_proto::{services::AgentMessage, v1};
use tepui_store::Store;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tonic_health::server::HealthReporter;
use uuid::Uuid;

use super::Server;
use crate::{
    Error, Options, checkpoints,
    clock::Clock,
    collector::Collector,
    committer, detect,
    driver::{Driver, Front, Work},
    error::broken,
    limits,
    link::{Backoff, Link, Outbox},
    listener,
    machine::{Containers, Machine, Users},
    node,
    work_dir::WorkDir,
};

/// Starts an agent on the real runtime.
pub(super) async fn start(options: Options) -> Result<Server, Error> {
    options.validate()?;
    let listener = listener::bind(options.listen).await?;
    let path = options.work_dir.clone();
    let work_dir = blocking(move || WorkDir::claim(&path)).await?;
    let runtime = Runtime::probe(runtime_options(&options, &work_dir))?;
    start_with(options, listener, work_dir, runtime).await
}

fn runtime_options(options: &Options, work_dir: &WorkDir) -> containers::Options {
    let runtime_dir = options.runtime_dir.clone().unwrap_or_else(|| work_dir.runtime());
    let cgroup_root = options.cgroup_root.clone().unwrap_or_else(|| work_dir.cgroup_root());
    containers::Options {
        isolation: options.isolation,
        pids_limit: options.pids_limit,
        init: options.init.clone(),
        ..containers::Options::new(runtime_dir, cgroup_root)
    }
}

/// Starts an agent on containers that stand already.
pub(crate) async fn start_with<C: Containers>(
    options: Options,
    listener: TcpListener,
    work_dir: WorkDir,
    containers: C,
) -> Result<Server, Error> {
    let unusable = |source| Error::Listen { address: options.listen, source };
    let address = listener.local_addr().map_err(unusable)?;
    let config = config(&options, &work_dir, address)?;
    tracing::info!(%address, work_dir = %work_dir.path().display(),
        resources = %config.info.resources, "the agent starts");
    let store = open(&work_dir).await?;
    let (front, inputs) = Front::new();
    let machine = Machine::new(containers.clone(), front.clone(), Users::new(options.switch_user));
    let clock = Clock::start();
    let found = containers.recover().await;
    let mut fx = Effects::new();
    let agent = recover(config, &store, &work_dir, found.clone(), &clock, &mut fx).await?;

    let (works, pending) = mpsc::channel(limits::BATCHES_IN_LINE);
    let outbox = Outbox::default();
    let (act, left) = actions(machine.clone(), outbox.clone());
    let committed = committer::spawn(store, pending, act).map_err(|error| broken("disk", &error))?;
    let mut first = Work::default();
    first.add(&mut fx);
    // There is room: nothing else was sent.
    let _ = works.send(first).await;
    for container in found {
        tokio::spawn(machine.clone().watch(container.id));
    }
    let (stop, stopped) = oneshot::channel();
    let driver = tokio::spawn(Driver::new(agent, clock, inputs, works).run(stopped));

    let backoff = Backoff::new(options.registration_backoff_factor);
    let masters = options.master.clone();
    let link = Link { masters, front: front.clone(), outbox, backoff };
    let collector = Collector {
        sandboxes: work_dir.sandboxes(),
        delay: options.gc_delay,
        headroom: options.gc_disk_headroom,
    };
    let background = vec![
        tokio::spawn(link.keep()).abort_handle(),
        tokio::spawn(collector.run(front.clone())).abort_handle(),
    ];
    let health = HealthReporter::new();
    let node = node::Node::new(front.clone(), machine, work_dir.sandboxes(), options.flags());
    let routes = node::routes(node, &health).await?;
    let (close, closed) = oneshot::channel();
    let serving = tokio::spawn(listener::serve(listener, routes, closed));
    Ok(Server {
        address,
        front,
        health,
        stop,
        close,
        driver,
        committed,
        left,
        serving,
        background,
        work_dir,
    })
}

/// What the core is told about this agent.
fn config(options: &Options, work_dir: &WorkDir, address: SocketAddr) -> Result<Config, Error> {
    let wire = v1::AgentInfo {
        hostname: options.name(address),
        port: Some(i32::from(address.port())),
        resources: detect::resources(&options.resources, work_dir.path())?.to_proto(None),
        attributes: options.parse_attributes()?.to_proto(),
        ..v1::AgentInfo::default()
    };
    let info = AgentInfo::try_from(wire).map_err(|error| broken("description", &error))?;
    let boot_id = tepui_sys::boot_id().map_err(|error| broken("view of the machine", &error))?;
    let seed = Uuid::new_v4().as_u128();
    let specific = !address.ip().is_unspecified();
    let executable: Option<PathBuf> = std::env::current_exe().ok();
    Ok(Config {
        endpoint: format!("{}:{}", info.hostname, info.port),
        executable,
        ip: specific.then(|| address.ip().to_string()),
        boot_id,
        ..Config::new(info, work_dir.path(), seed)
    })
}

async fn open(work_dir: &WorkDir) -> Result<Arc<dyn Store>, Error> {
    let (path, root) = (work_dir.checkpoints(), work_dir.path().to_owned());
    let store = blocking(move || {
        checkpoints::open(&path).map_err(|source| Error::Checkpoints { work_dir: root, source })
    });
    Ok(Arc::new(store.await?))
}

/// Makes the core from the checkpoints and the containers that were found.
async fn recover(
    config: Config,
    store: &Arc<dyn Store>,
    work_dir: &WorkDir,
    containers: Vec<FoundContainer>,
    clock: &Clock,
    fx: &mut Effects,
) -> Result<Agent, Error> {
    let (store, root) = (store.clone(), work_dir.path().to_owned());
    let records = blocking(move || {
        checkpoints::load(&*store).map_err(|source| Error::Checkpoints { work_dir: root, source })
    });
    let recovered = Recovered { records: records.await?, containers };
    Ok(Agent::new(config, recovered, clock.now(), fx)?)
}

/// What is done about effects, on the committer's thread; and the word that the agent has left.
fn actions<C: Containers>(
    machine: Machine<C>,
    outbox: Outbox,
) -> (impl FnMut(Effect) + Send + 'static, oneshot::Receiver<()>) {
    let (sender, left) = oneshot::channel();
    let mut sender = Some(sender);
    let handle = Handle::current();
    let act = move |effect| match effect {
        // Part of the batch that is durable by now.
        Effect::Persist(_) => {}
        Effect::Send { link, report } => outbox.send(link, AgentMessage::from(&report)),
        Effect::Disconnect { link, reason } => outbox.end(link, reason),
        Effect::Launch(plan) => drop(handle.spawn(machine.clone().launch(*plan))),
        Effect::Terminate { container } => machine.terminate(&container),
        Effect::Kill { container } => drop(handle.spawn(machine.clone().kill(container))),
        Effect::Remove { container } => drop(handle.spawn(machine.clone().remove(container))),
        // Who waited for it may be stopping the agent already.
        Effect::Left => drop(sender.take().map(|sender| sender.send(()))),
        Effect::Note(note) if note.is_warning() => tracing::warn!("{note}"),
        Effect::Note(note) => tracing::info!("{note}"),
    };
    (act, left)
}

/// Does blocking work off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done: Result<_, _> = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(broken("start", &error)))
}
