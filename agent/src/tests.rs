//! Tests of the whole agent with a master and containers that do what they are told.

mod containers;
mod http;
mod lives;
#[path = "../tests/common/master.rs"]
mod master;
mod nodes;
mod refusals;

use std::{net::SocketAddr, path::Path, time::Duration};

use tepui_agent_core::{Agent, Exit};
use tokio::time::{sleep, timeout};

use crate::{
    OfferOptions, Options, Server,
    server::{self, Ground},
};

use self::{
    containers::Fake,
    master::{Master, PATIENCE, Session, shell},
};

/// Options for an agent in a folder, with a master and a port of its own.
fn options(folder: &Path, master: SocketAddr) -> Options {
    Options {
        master: master.to_string().parse().unwrap(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        work_dir: folder.to_owned(),
        offer: OfferOptions {
            resources: "cpus:4;mem:1024;disk:1024".to_owned(),
            ..OfferOptions::default()
        },
        registration_backoff_factor: Duration::from_millis(50),
        ..Options::default()
    }
}

async fn start(options: Options, fake: &Fake) -> Server {
    let ground = Ground::take(options).await.unwrap();
    server::start(ground, fake.clone()).await.unwrap()
}

/// A registered agent on fake containers.
struct World {
    folder: tempfile::TempDir,
    fake: Fake,
    master: Master,
    session: Session,
    agent: Server,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::default();
        let mut master = Master::start().await;
        let agent = start(options(folder.path(), master.address), &fake).await;
        let (session, _) = master.registered().await;
        Self {
            folder,
            fake,
            master,
            session,
            agent,
        }
    }

    /// Waits until nothing waits for an acknowledgement, at so many tasks.
    async fn settle(&self, tasks: usize) {
        let settled = move |agent: &Agent| {
            let sent = agent.get_tasks();
            let waits = sent.terminated_tasks.len();
            agent.task_count() == tasks && waits == 0
        };
        while self.agent.front.look(settled).await != Some(true) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the agent and starts another in its place, as after an upgrade.
    async fn restart(self) -> Self {
        let Self {
            folder,
            fake,
            mut master,
            agent,
            ..
        } = self;
        agent.stop().await.unwrap();
        let agent = start(options(folder.path(), master.address), &fake).await;
        let (session, _) = master.registered().await;
        Self {
            folder,
            fake,
            master,
            session,
            agent,
        }
    }

    /// Runs a task until it is reported as running.
    async fn run(&mut self, task: &str) -> tepui_model::ContainerId {
        self.session.run(shell(task, "anything")).await;
        self.session.status().await;
        self.fake.container_of(task)
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Waits until something holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

fn ended() -> Exit {
    Exit::code(0)
}
