//! The framework under test, and what its tests ask of it.

use std::time::Duration;

use tempfile::TempDir;
use tepui_batch::{
    Error, Options, Server,
    api::{self, JobState},
    check::Verdict,
    client::{Client, ClientError},
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tonic::Code;

use super::master::Master;

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The framework, running.
pub(crate) struct Framework {
    pub(crate) client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), Error>>,
}

impl Framework {
    pub(crate) async fn start(master: &Master, work_dir: &TempDir) -> Self {
        let options = Options {
            master: master.address.clone(),
            work_dir: work_dir.path().to_owned(),
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let client = Client::connect(&server.address().to_string())
            .await
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            client,
            stop,
            running,
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        timeout(PATIENCE, self.running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn submit(&mut self, file: &str) -> String {
        self.client.submit(file).await.unwrap().id
    }

    /// Watches the job until `enough`.
    pub(crate) async fn until(
        &mut self,
        job: &str,
        enough: impl Fn(&api::Job) -> bool,
    ) -> api::Job {
        let mut watch = self.client.watch(job).await.unwrap();
        let wait = async {
            loop {
                let seen = watch
                    .message()
                    .await
                    .unwrap()
                    .expect("it goes on")
                    .job
                    .unwrap();
                if enough(&seen) {
                    return seen;
                }
                let running = seen.state() == JobState::Running;
                assert!(running, "{:?}: {}", seen.state(), seen.reason);
            }
        };
        timeout(PATIENCE, wait).await.expect("in time")
    }

    pub(crate) async fn succeeds(&mut self, job: &str) -> api::Job {
        self.until(job, |job| job.state() == JobState::Succeeded)
            .await
    }

    pub(crate) async fn verify(&mut self, job: &str) -> Verdict {
        let verdict = self.client.verify(job).await.unwrap();
        assert!(verdict.agrees(), "{:?}", verdict.differences);
        verdict
    }

    pub(crate) async fn result(&mut self, job: &str) -> String {
        let mut pieces = self.client.result(job).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = pieces.message().await.unwrap() {
            text.extend(piece.data);
        }
        String::from_utf8(text).unwrap()
    }

    pub(crate) async fn refusal(&mut self, job: &str) -> (Code, String) {
        match self.client.result(job).await.unwrap_err() {
            ClientError::Refused { code, message } => (code, message),
            other => panic!("{other}"),
        }
    }
}
