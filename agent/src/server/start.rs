//! How an agent starts: it finds what an earlier one left, and goes on with it.

use std::{convert::Infallible, sync::Arc};

use tepui_agent_core::{Agent, Config, Effect, Effects, FoundContainer, Recovered};
use tepui_edge::{Clock, HealthReporter};
use tepui_fetcher::Fetcher;
use tepui_images::Images;
use tepui_proto::services::AgentMessage;
use tepui_store::{Error as StoreError, Store};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinHandle},
};

use super::{Ground, Server};
use crate::{
    Error, Options, checkpoints,
    collector::Collector,
    committer,
    driver::{Driver, Front, Input, Work},
    error::broken,
    executors::{Executors, Streams},
    limits,
    link::{Backoff, Link, Outbox},
    machine::{Containers, Machine, Provider, Users, images},
    node,
    secrets::Secrets,
    work_dir::WorkDir,
};

/// Starts an agent whose containers these are.
pub(crate) async fn start<C: Containers>(ground: Ground, containers: C) -> Result<Server, Error> {
    let Ground {
        options,
        listener,
        domain_socket,
        address,
        work_dir,
        config,
    } = ground;
    tracing::info!(%address, work_dir = %work_dir.path().display(),
        resources = %config.info.resources, "the agent starts");
    let (front, inputs) = Front::new();
    let users = Users::new(options.rights.switch_user);
    let images = open_images(&options, &work_dir).await?;
    let tokens = options.executors.tokens()?;
    let machine = Machine::new(
        containers.clone(),
        front.clone(),
        users,
        (
            Provider::new(images),
            Secrets::new(options.walls.secret_dir.clone()),
            open_fetcher(&options, &work_dir).await?,
        ),
        tokens.clone(),
        options.logs.rooms(),
    );
    let outbox = Outbox::default();
    let found = containers.recover().await;
    let streams = Streams::default();
    let ways = (&outbox, &streams);
    keep_images(machine.images(), &found).await?;
    let core = start_core(config, inputs, &work_dir, found, &machine, ways).await?;

    // Before the link is opened, so that no offer is made without them.
    front.tell(images::present(machine.images())).await;
    let stores = (machine.images().clone(), machine.fetcher().clone());
    let background = background(&options, &work_dir, &front, outbox, stores);
    let health = HealthReporter::new();
    let node = node::Node::new(
        front.clone(),
        machine,
        options.master.clone(),
        work_dir.sandboxes(),
        options.flags(),
    );
    let executors = Executors::new(front.clone(), streams.clone(), tokens);
    let domain = domain_socket.map(|socket| {
        let routes = node::executor_routes(executors.clone());
        socket.serve(routes, limits::CONNECTIONS)
    });
    let routes = node::routes(node, executors, &health).await?;
    let serving = listener.serve(routes, limits::CONNECTIONS);
    Ok(Server {
        address,
        front,
        health,
        core,
        streams,
        serving,
        domain,
        background,
        containers: None,
        work_dir,
    })
}

/// Opens the store of images.
async fn open_images(options: &Options, work_dir: &WorkDir) -> Result<Images, Error> {
    let unpacker = options.init.path();
    let mut options = options.images.store(work_dir.images())?;
    // Who is not root can confine nobody, and make no containers that have images either.
    options.unpacker = nix::unistd::geteuid().is_root().then_some(unpacker);
    blocking(move || Images::open(options).map_err(Error::Images)).await
}

/// Sets up what fetches files for tasks.
async fn open_fetcher(options: &Options, work_dir: &WorkDir) -> Result<Fetcher, Error> {
    let paths = &options.rights.allowed_host_paths;
    let options = options.fetcher.fetcher(work_dir.fetched(), paths);
    blocking(move || Ok(Fetcher::open(options)?)).await
}

/// Lets go of what containers have that are not there any more.
async fn keep_images(images: &Images, found: &[FoundContainer]) -> Result<(), Error> {
    let known = found.iter().map(|found| found.id.clone()).collect();
    images.retain(known).await.map_err(Error::Images)
}

/// The core at work: the task that owns it, and the thread that writes.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) stop: oneshot::Sender<()>,
    pub(super) driver: JoinHandle<()>,
    pub(super) committed: oneshot::Receiver<Result<(), StoreError>>,
    /// Told that the agent has left the cluster for good.
    pub(super) left: oneshot::Receiver<()>,
    /// Closes when nobody removes what is left of a container any more, and nobody will.
    pub(super) removals: mpsc::Receiver<Infallible>,
}

/// Makes the core from what an earlier agent left, and sets it to work.
async fn start_core<C: Containers>(
    config: Config,
    inputs: mpsc::Receiver<Input>,
    work_dir: &WorkDir,
    found: Vec<FoundContainer>,
    machine: &Machine<C>,
    (outbox, streams): (&Outbox, &Streams),
) -> Result<Core, Error> {
    let clock = Clock::start();
    let mut fx = Effects::new();
    let (store, records) = open(work_dir).await?;
    let recovered = Recovered {
        records,
        containers: found.clone(),
    };
    let agent = Agent::new(config, recovered, clock.now(), &mut fx)?;

    let (works, pending) = mpsc::channel(limits::BATCHES_IN_LINE);
    let (removing, removals) = mpsc::channel(1);
    let (act, left) = actions(machine.clone(), outbox.clone(), streams.clone(), removing);
    let committed =
        committer::spawn(store, pending, act).map_err(|error| broken("disk", &error))?;
    let mut first = Work::default();
    first.add(&mut fx);
    // There is room: nothing else was sent.
    let _ = works.send(first).await;
    for container in found {
        tokio::spawn(machine.clone().take_over(container));
    }
    let (stop, stopped) = oneshot::channel();
    let driver = tokio::spawn(Driver::new(agent, clock, inputs, works).run(stopped));
    Ok(Core {
        stop,
        driver,
        committed,
        left,
        removals,
    })
}

type Records = Vec<(tepui_agent_core::Kind, String, Vec<u8>)>;

/// Opens the checkpoints and reads them.
async fn open(work_dir: &WorkDir) -> Result<(Arc<dyn Store>, Records), Error> {
    let (path, root) = (work_dir.checkpoints(), work_dir.path().to_owned());
    blocking(move || {
        let store = checkpoints::open(&path).and_then(|store| {
            let records = checkpoints::load(&store)?;
            Ok((Arc::new(store) as Arc<dyn Store>, records))
        });
        store.map_err(|source| Error::Checkpoints {
            work_dir: root,
            source,
        })
    })
    .await
}

/// Starts what goes on beside the core until it is told to end.
fn background(
    options: &Options,
    work_dir: &WorkDir,
    front: &Front,
    outbox: Outbox,
    (store, fetcher): (Images, Fetcher),
) -> Vec<AbortHandle> {
    let link = Link {
        masters: options.master.clone(),
        front: front.clone(),
        outbox,
        backoff: Backoff::new(options.registration_backoff_factor),
    };
    let collector = Collector {
        sandboxes: work_dir.sandboxes(),
        delay: options.cleanup.gc_delay,
        headroom: options.cleanup.gc_disk_headroom,
        every: options.cleanup.disk_watch_interval,
    };
    vec![
        tokio::spawn(link.keep()).abort_handle(),
        tokio::spawn(images::tell(store.clone(), front.clone())).abort_handle(),
        tokio::spawn(collector.run(front.clone(), store, fetcher)).abort_handle(),
    ]
}

/// What is done about effects, on the committer's thread; and the word that the agent has left.
fn actions<C: Containers>(
    machine: Machine<C>,
    outbox: Outbox,
    streams: Streams,
    removing: mpsc::Sender<Infallible>,
) -> (impl FnMut(Effect) + Send + 'static, oneshot::Receiver<()>) {
    let (sender, left) = oneshot::channel();
    let mut sender = Some(sender);
    let handle = Handle::current();
    let act = move |effect| match effect {
        // Part of the batch that is durable by now.
        Effect::Persist(_) => {}
        Effect::Send { link, report } => outbox.send(link, AgentMessage::from(&report)),
        Effect::Disconnect { link, reason } => outbox.end(link, reason),
        Effect::Launch(plan) => {
            let abandoned = machine.expect(&plan);
            drop(handle.spawn(machine.clone().launch(*plan, abandoned)));
        }
        Effect::Abandon { container } => machine.abandon(&container),
        Effect::Tell { stream, event } => streams.tell(stream, *event),
        Effect::EndStream { stream } => streams.end(stream),
        Effect::Resize { container, limits } => {
            drop(handle.spawn(machine.clone().resize(container, limits)));
        }
        Effect::Probe(order) => drop(handle.spawn(machine.clone().probe(*order))),
        Effect::Terminate { container } => machine.terminate(&container),
        Effect::Kill { container } => drop(handle.spawn(machine.clone().kill(container))),
        Effect::Remove { container } => {
            let (machine, removing) = (machine.clone(), removing.clone());
            handle.spawn(async move {
                machine.remove(container).await;
                drop(removing);
            });
        }
        Effect::MakeVolume(place) => machine.make_volume(&place),
        Effect::RemoveVolume { removal, place } => {
            drop(machine.remove_volume(&handle, removal, place));
        }
        Effect::ForgetVolume { removal, place } => machine.forget_volume(&removal, &place),
        Effect::Left => drop(handle.spawn(finish(outbox.clone(), sender.take()))),
        Effect::Note(note) if note.is_warning() => tracing::warn!("{note}"),
        Effect::Note(note) => tracing::info!("{note}"),
    };
    (act, left)
}

/// Sees to it that the master hears of the end before the program ends.
async fn finish(outbox: Outbox, left: Option<oneshot::Sender<()>>) {
    outbox.finish().await;
    // Who waited for it may be stopping the agent already.
    let _ = left.map(|left| left.send(()));
}

/// Does blocking work off the runtime's own threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(broken("start", &error)))
}
