//! Whether offers come later when a thousand operators watch: the time from REVIVE to the offers of
//! all agents without them, with them, and while each of them hears of changes besides.
//!
//! The watchers are in this process, which reads all that they are told, on the processors that the
//! master is on: what changes cost with them is not the master's alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    Profile,
    model::{Filters, Resources, Role},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    fleet::Fleet,
    framework::{Framework, Heard, block_on, text},
};
use crate::{Settings, report::Report};

const AGENT: &str = "cpus:4;mem:4096;disk:4096";
const AGENTS: usize = 1_000;
const WATCHERS: usize = 1_000;
/// Offers of all agents that are waited for, each time.
const ROUNDS: usize = 60;
/// Between two frameworks that come and go: each is four events to every watcher.
const CHANGE_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let cluster = Cluster::start(0);
    block_on(measure(cluster.master.address(), report))
}

async fn measure(master: &str, report: &mut Report) -> Result<(), String> {
    let resources = Resources::parse(AGENT, &Role::default()).map_err(text)?;
    let fleet = Fleet::start(master, AGENTS, &resources.to_proto(None))?;
    fleet.await_all().await?;
    let mut framework = Framework::connect(master)?;
    framework.offers_of_all().await?;
    let quiet = framework.rounds().await?;
    let changing = tokio::spawn(change(master.to_owned()));
    let changed = framework.rounds().await?;
    changing.abort();
    let watchers = Watchers::start(master).await?;
    let watched = framework.rounds().await?;
    let changing = tokio::spawn(change(master.to_owned()));
    let both = framework.rounds().await?;
    changing.abort();
    let ratio = |with: &[Duration], without: &[Duration]| {
        format!(
            "{:.2}",
            median(with).as_secs_f64() / median(without).as_secs_f64()
        )
    };
    report
        .line()
        .with("agents", AGENTS)
        .with("watchers", WATCHERS)
        .with("bytes_heard", watchers.bytes.load(Ordering::Relaxed))
        .with("ratio_quiet", ratio(&watched, &quiet))
        .with("ratio_changing", ratio(&both, &changed))
        .with_percentiles("quiet", &quiet)
        .with_percentiles("watched", &watched)
        .with_percentiles("changing", &changed)
        .with_percentiles("watched_changing", &both);
    drop(fleet);
    Ok(())
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl Framework {
    /// Hears offers of all agents, and declines them.
    async fn offers_of_all(&mut self) -> Result<(), String> {
        let mut offers = Vec::new();
        while offers.len() < AGENTS {
            if let Heard::Offers(more) = self.next().await? {
                offers.extend(more.into_iter().map(|offer| offer.id));
            }
        }
        self.driver.suppress(&[]).await;
        self.driver.decline(offers, Filters::NONE).await;
        Ok(())
    }

    /// How long the offers take each time that they are asked for.
    async fn rounds(&mut self) -> Result<Vec<Duration>, String> {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            self.driver.revive(&[]).await;
            self.offers_of_all().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }
}

/// Lets frameworks come and go that want nothing.
async fn change(master: String) -> Result<(), String> {
    loop {
        let mut profile = Profile::new("passer-by");
        profile.wire().roles = vec!["nobody".to_owned()];
        let options = tepui_sdk::Options::new(&master, profile).map_err(text)?;
        let (driver, mut events) = tepui_sdk::connect(options);
        driver.suppress(&[]).await;
        let subscribed = events.next().await.ok_or("the session ended")?;
        subscribed.map_err(text)?;
        driver.teardown().await;
        while events.next().await.is_some() {}
        sleep(CHANGE_EVERY).await;
    }
}

/// Operators that watch, until this is dropped.
struct Watchers {
    bytes: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Watchers {
    /// When this is over, all have heard what stands.
    async fn start(master: &str) -> Result<Self, String> {
        let bytes = Arc::new(AtomicUsize::new(0));
        let began = Arc::new(Semaphore::new(0));
        let mut tasks = JoinSet::new();
        for number in 1..=WATCHERS {
            let stream = timeout(PATIENCE, subscribe(master));
            let stream = stream.await.map_err(text)?.map_err(text)?;
            tasks.spawn(read(stream, Arc::clone(&bytes), Arc::clone(&began)));
            let all = timeout(PATIENCE, began.acquire_many(number as u32));
            // Given back when it is dropped.
            drop(all.await.map_err(text)?.map_err(text)?);
        }
        Ok(Self {
            bytes,
            _tasks: tasks,
        })
    }
}

/// A stream of which the beginning has been read.
async fn subscribe(master: &str) -> std::io::Result<TcpStream> {
    let body = r#"{"type":"SUBSCRIBE"}"#;
    let request = format!(
        "POST /api/v1 HTTP/1.1\r\nHost: {master}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut stream = TcpStream::connect(master).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    match &start {
        b"HTTP/1.1 200" => Ok(stream),
        other => Err(std::io::Error::other(String::from_utf8_lossy(other))),
    }
}

/// Reads for ever. A heartbeat says that the first event, which is large, is over.
async fn read(mut stream: TcpStream, bytes: Arc<AtomicUsize>, began: Arc<Semaphore>) {
    const SIGN: &[u8] = b"HEARTBEAT";
    let (mut buffer, mut has_begun) = (vec![0; 16 << 10], false);
    let mut kept = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer[kept..]).await {
        bytes.fetch_add(count, Ordering::Relaxed);
        if has_begun {
            continue;
        }
        let end = kept + count;
        has_begun = buffer[..end].windows(SIGN.len()).any(|it| it == SIGN);
        if has_begun {
            began.add_permits(1);
        }
        // The sign may come in two parts.
        kept = if has_begun { 0 } else { end.min(SIGN.len()) };
        buffer.copy_within(end - kept..end, 0);
    }
}
