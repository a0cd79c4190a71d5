//! What survives: restarts, failing disks, a second master on the same folder.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tepui_edge::Listener;
use tepui_model::Time;
use tepui_proto::v1::{self, master::call};
use tepui_store::{Fault, MemoryStore};
use tonic::Code;

use super::{AgentClient, FrameworkClient, clients, master, options, refused, soon, start};
use crate::{Error, Options, Server, registry};

#[tokio::test]
async fn a_framework_keeps_its_id_over_a_restart_of_the_master() {
    let (dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("a")).await;
    let id = framework.id();
    server.stop().await.unwrap();
    assert_eq!(framework.end().await.unwrap().code(), Code::Unavailable);

    let server = start(dir.path()).await;
    let info = v1::FrameworkInfo {
        id: Some(id.clone()),
        ..clients::framework("a")
    };
    let framework = FrameworkClient::subscribed(server.address(), info).await;
    assert_eq!(framework.id(), id);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_keeps_its_id_over_a_restart_of_the_master() {
    let (dir, server) = master().await;
    let agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let id = agent.id.clone();
    server.stop().await.unwrap();
    assert_eq!(agent.end().await.unwrap().code(), Code::Unavailable);

    let server = start(dir.path()).await;
    let mut register = clients::agent("host");
    register.agent.as_mut().unwrap().id = Some(id.clone());
    assert_eq!(
        AgentClient::registered(server.address(), register).await.id,
        id
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_failover_deadline_is_the_same_after_restarts_of_the_master() {
    let (dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("a")).await;
    server.stop().await.unwrap();
    drop(framework);
    assert_eq!(deadline(dir.path()), None);

    // The framework does not come back: this master gives it a deadline, and the next one keeps it.
    start_and_stop(dir.path()).await;
    let first = deadline(dir.path()).unwrap();
    start_and_stop(dir.path()).await;
    assert_eq!(deadline(dir.path()), Some(first));
}

async fn start_and_stop(work_dir: &Path) {
    let server = start(work_dir).await;
    // An answer means that the core has begun.
    let mut operator = clients::operator(server.address()).await;
    operator
        .call(clients::ask(call::Type::GetFrameworks))
        .await
        .unwrap();
    server.stop().await.unwrap();
}

/// When the only framework in the registry ends unless it comes back.
fn deadline(work_dir: &Path) -> Option<Time> {
    let store = registry::open(work_dir).unwrap();
    let recovered = registry::recover(&store, work_dir).unwrap();
    assert_eq!(recovered.frameworks.len(), 1);
    recovered.frameworks[0].deadline
}

#[tokio::test]
async fn a_second_master_on_the_same_folder_is_refused() {
    let (dir, server) = master().await;
    let text = refused(options(dir.path())).await.to_string();
    assert!(text.contains("--work-dir"), "{text}");
    assert!(
        text.contains(&format!("in use by process {}", std::process::id())),
        "{text}"
    );
    server.stop().await.unwrap();
    start(dir.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_refused_and_leaves_the_folder_alone() {
    let (_dir, server) = master().await;
    let other = tempfile::tempdir().unwrap();
    let options = Options {
        listen: server.address(),
        ..options(&other.path().join("master"))
    };
    let text = refused(options).await.to_string();
    assert!(
        text.contains(&server.address().to_string()) && text.contains("--listen"),
        "{text}"
    );
    assert!(!other.path().join("master").exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_work_dir_that_cannot_be_used_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refused(options(&file.path().join("master"))).await;
    assert!(matches!(error, Error::Registry { .. }), "{error}");
    assert!(error.to_string().contains("--work-dir"), "{error}");
}

#[tokio::test]
async fn what_is_not_durable_is_not_told_and_the_master_stops() {
    let store = MemoryStore::new();
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let listener = Listener::bind(options.listen).await.unwrap();
    let mut server = Server::start_with(options, listener, Arc::new(store.clone()))
        .await
        .unwrap();
    store.inject(|_| Some(Fault::Lose));
    let framework = FrameworkClient::connect(server.address()).await;
    framework
        .say(clients::subscribe(clients::framework("early")))
        .await;
    assert_eq!(framework.end().await.unwrap().code(), Code::Unavailable);
    assert!(matches!(soon(server.failure()).await, Error::Commit(_)));
    let _ = server.stop().await;
}

#[tokio::test]
async fn changes_that_wait_for_a_slow_disk_share_a_flush_and_none_is_lost() {
    const FRAMEWORKS: usize = 20;
    const MOST_FLUSHES: usize = 8;
    let store = MemoryStore::new();
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let listener = Listener::bind(options.listen).await.unwrap();
    let server = Server::start_with(options, listener, Arc::new(store.clone()))
        .await
        .unwrap();
    let flushes = Arc::new(AtomicUsize::new(0));
    let count = flushes.clone();
    store.inject(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(100));
        None
    });
    let subscribe = |n: usize| {
        let info = clients::framework(&format!("f{n}"));
        tokio::spawn(FrameworkClient::subscribed(server.address(), info))
    };
    let mut frameworks = Vec::new();
    for joining in (0..FRAMEWORKS).map(subscribe).collect::<Vec<_>>() {
        frameworks.push(joining.await.unwrap());
    }
    let ids: BTreeSet<_> = frameworks
        .iter()
        .map(|framework| framework.id().value)
        .collect();
    assert_eq!(ids.len(), FRAMEWORKS);
    let recovered = registry::recover(&store, dir.path()).unwrap();
    assert_eq!(recovered.frameworks.len(), FRAMEWORKS);
    assert!(
        flushes.load(Ordering::Relaxed) <= MOST_FLUSHES,
        "{flushes:?} flushes"
    );
    server.stop().await.unwrap();
}
