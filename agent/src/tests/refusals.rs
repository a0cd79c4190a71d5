//! What keeps an agent from starting, said clearly.

use std::net::SocketAddr;

use super::{containers::Fake, master::Master, options, start};
use crate::{Error, Server};

fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(folder.path(), nowhere());
    options.listen = taken.local_addr().unwrap();
    let error = Server::start(options).await.unwrap_err().to_string();
    assert!(
        error.contains(&taken.local_addr().unwrap().to_string()),
        "{error}"
    );
    assert!(error.contains("--listen"), "{error}");
}

#[tokio::test]
async fn a_work_dir_of_a_running_agent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let master = Master::start().await;
    let agent = start(options(folder.path(), master.address), &Fake::default()).await;
    let error = Server::start(options(folder.path(), master.address))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WorkDirInUse { .. }), "{error}");
    agent.stop().await.unwrap();
    start(options(folder.path(), master.address), &Fake::default()).await;
}

#[tokio::test]
async fn malformed_resources_are_refused_and_so_are_too_few_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), nowhere());
    options.offer.resources = "cpus:many".to_owned();
    options.containers.isolation = tepui_containers::Isolation::NONE;
    let error = Server::start(options).await.unwrap_err().to_string();
    assert!(error.starts_with("--resources 'cpus:many'"), "{error}");
}
