//! Agents that only speak: each is a stream to a real master, takes every task that it is told to
//! run for running at once, and keeps it in memory. For clusters that are larger than a machine.

mod agent;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tepui_proto::v1;
use tokio::{task::JoinSet, time::sleep};
use tonic::transport::Endpoint;

use self::agent::Agent;
use super::framework::text;

/// Agents that share a connection, as streams of it.
const AGENTS_PER_CONNECTION: usize = 500;
/// How long all may take to register.
const PATIENCE: Duration = Duration::from_secs(120);

/// Agents, until this is dropped.
#[derive(Debug)]
pub(super) struct Fleet {
    size: usize,
    /// How many are registered at this moment.
    registered: Arc<AtomicUsize>,
    _agents: JoinSet<()>,
}

impl Fleet {
    /// Starts agents of these resources. To be called within a runtime.
    pub(super) fn start(
        master: &str,
        size: usize,
        resources: &[v1::Resource],
    ) -> Result<Self, String> {
        let registered = Arc::new(AtomicUsize::new(0));
        let mut agents = JoinSet::new();
        let mut shared = None;
        for number in 0..size {
            if number % AGENTS_PER_CONNECTION == 0 {
                let endpoint = Endpoint::from_shared(format!("http://{master}")).map_err(text)?;
                shared = Some(endpoint.tcp_nodelay(true).connect_lazy());
            }
            let Some(channel) = shared.clone() else {
                continue;
            };
            let agent = Agent::new(number, resources.to_vec(), Arc::clone(&registered));
            agents.spawn(agent.keep(channel));
        }
        Ok(Self {
            size,
            registered,
            _agents: agents,
        })
    }

    /// Waits until all are registered.
    pub(super) async fn await_all(&self) -> Result<(), String> {
        self.await_count(|count| count == self.size).await
    }

    /// Waits until all have seen the end of their master.
    pub(super) async fn await_none(&self) -> Result<(), String> {
        self.await_count(|count| count == 0).await
    }

    async fn await_count(&self, enough: impl Fn(usize) -> bool) -> Result<(), String> {
        let began = Instant::now();
        while !enough(self.registered.load(Ordering::Relaxed)) {
            if began.elapsed() > PATIENCE {
                let count = self.registered.load(Ordering::Relaxed);
                return Err(format!("{count} of {} agents are registered", self.size));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}
