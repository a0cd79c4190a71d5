//! Gangs of frameworks of the SDK, over the real binaries: whole, or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tepui_cluster_tests::{Cluster, PATIENCE, eventually};
use tepui_sdk::{
    Asks, Driver, Framework, Options, Outcome, Profile, Subscription, TaskBuilder, async_trait,
    model::{Filters, Offer, Resources, Role, TaskState, TaskStatus},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

/// What one of the frameworks heard: all that all of them heard is in one order.
#[derive(Debug)]
enum Heard {
    /// So many members of its gang in one event.
    Gang(&'static str, usize),
    Update(&'static str, Box<TaskStatus>),
}

/// It asks for one gang of two, and runs it until a file is there.
struct Pair {
    name: &'static str,
    line: String,
    heard: UnboundedSender<Heard>,
}

fn member() -> Resources {
    Resources::parse("cpus:1.5;mem:128", &Role::default()).unwrap()
}

#[async_trait]
impl Framework for Pair {
    async fn subscribed(&mut self, driver: &Driver, _: Subscription) -> Outcome {
        driver
            .request(Asks::new().gang("pair", [(member(), 2)]))
            .await;
        Ok(())
    }

    async fn offers(&mut self, driver: &Driver, offers: Vec<Offer>) -> Outcome {
        let ids = offers.iter().map(|offer| offer.id.clone()).collect();
        if offers
            .iter()
            .any(|it| it.resources.scalars() != member().scalars())
        {
            // Made before the master heard of the gang.
            driver.decline(ids, Filters::NONE).await;
            return Ok(());
        }
        let _ = self.heard.send(Heard::Gang(self.name, offers.len()));
        let tasks = offers.iter().zip(0..).map(|(offer, at)| {
            let task = TaskBuilder::new(format!("{}-{at}", self.name));
            let task = task.cpus(1.5).memory(128.0).shell(&self.line);
            let placed = task.build().unwrap().place(offer, &offer.resources);
            placed
                .expect("an offer is as large as it was asked for")
                .info
        });
        let tasks = tasks.collect();
        driver.accept_all(ids, tasks, Filters::default()).await;
        Ok(())
    }

    async fn update(&mut self, _: &Driver, status: TaskStatus) -> Outcome {
        let _ = self.heard.send(Heard::Update(self.name, Box::new(status)));
        Ok(())
    }
}

async fn next(heard: &mut UnboundedReceiver<Heard>) -> Heard {
    let next = timeout(PATIENCE, heard.recv()).await;
    next.expect("something is heard in time").expect("they run")
}

/// Waits until both members of the next gang run, and gives whose gang it is. Nobody else may hear
/// anything.
async fn gang_runs(heard: &mut UnboundedReceiver<Heard>) -> &'static str {
    let Heard::Gang(who, size) = next(heard).await else {
        panic!("a gang comes first");
    };
    assert_eq!(size, 2, "all of a gang, or nothing");
    let mut running = BTreeSet::new();
    while running.len() < 2 {
        match next(heard).await {
            Heard::Update(of, status) if of == who && !status.state.is_terminal() => {
                if status.state == TaskState::Running {
                    running.insert(status.task_id);
                }
            }
            other => panic!("while the gang of {who} starts: {other:?}"),
        }
    }
    who
}

/// Waits until both members have finished.
async fn gang_ends(who: &str, heard: &mut UnboundedReceiver<Heard>) {
    let mut finished = BTreeSet::new();
    while finished.len() < 2 {
        match next(heard).await {
            Heard::Update(of, status) if of == who && status.state == TaskState::Finished => {
                finished.insert(status.task_id);
            }
            other => panic!("while the gang of {who} ends: {other:?}"),
        }
    }
}

fn file_of(who: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{who}-may-end"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gangs_that_fit_one_at_a_time_run_whole_and_one_after_the_other() {
    let cluster = Cluster::start(2);
    let (sender, mut heard) = unbounded_channel();
    let mut frameworks = JoinSet::new();
    for name in ["first", "second"] {
        let file = file_of(name, cluster.folder());
        let mut pair = Pair {
            name,
            line: format!("until [ -e '{}' ]; do sleep 0.1; done", file.display()),
            heard: sender.clone(),
        };
        let options = Options::new(cluster.master.address(), Profile::new(name)).unwrap();
        frameworks.spawn(async move { tepui_sdk::run(options, &mut pair).await });
    }
    let before = gang_runs(&mut heard).await;
    let after = if before == "first" { "second" } else { "first" };
    // What is left, half a processor on each agent, is too little for a member.
    eventually("the other gang is said to wait", || {
        let why = cluster.tepui(&["explain", "framework", after]);
        why.output.contains("gang 'pair'").then_some(())
    });
    assert_eq!(cluster.await_running(2).len(), 2);
    let more = timeout(Duration::ZERO, heard.recv()).await;
    assert!(more.is_err(), "{more:?}");
    fs::write(file_of(before, cluster.folder()), "").unwrap();
    gang_ends(before, &mut heard).await;
    assert_eq!(gang_runs(&mut heard).await, after);
    assert_eq!(cluster.await_running(2).len(), 2);
    fs::write(file_of(after, cluster.folder()), "").unwrap();
    gang_ends(after, &mut heard).await;
    frameworks.abort_all();
}
