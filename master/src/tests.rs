//! The whole server: a real listener, a real registry on disk, clients that play agent and
//! framework.

mod clients;
mod durability;
mod hostile;
mod http;
mod operators;
mod raw;
mod roads;

use std::{path::Path, time::Duration};

use tempfile::TempDir;

use crate::{Error, Options, Server};
use clients::{AgentClient, FrameworkClient};

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(work_dir: &Path) -> Options {
    Options {
        listen: ([127, 0, 0, 1], 0).into(),
        work_dir: work_dir.to_owned(),
        ..Options::default()
    }
}

async fn start(work_dir: &Path) -> Server {
    Server::start(options(work_dir)).await.unwrap()
}

/// A master in a folder of its own.
async fn master() -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    (dir, server)
}

/// What a test waits for, but not for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it takes too long")
}

async fn refused(options: Options) -> Error {
    match Server::start(options).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}
