//! Brings to the framework what tasks left in their sandboxes: results, and reports of failures.

use std::sync::Arc;

use tepui_sdk::{
    Node, SandboxFile,
    model::{FrameworkId, TaskId},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};

use super::results::Results;
use crate::{
    core::{Event, Site},
    download::download,
    ids::Attempt,
    limits::{COLLECTS, INBOX, REPORT_BYTES, REPORT_TIMEOUT},
    plan::{REPORT_FILE, RESULT_FILE, Report},
};

/// Starts collecting, and hands out what came of it as events for the core.
#[derive(Debug)]
pub(super) struct Collector {
    results: Results,
    /// How many may be under way.
    slots: Arc<Semaphore>,
    done: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
}

impl Collector {
    /// Nothing is under way.
    pub(super) fn new(results: Results) -> Self {
        let (done, events) = mpsc::channel(INBOX);
        Self {
            results,
            slots: Arc::new(Semaphore::new(COLLECTS)),
            done,
            events,
        }
    }

    /// The next thing that is done; waits while there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // Never: a sender is kept here.
            None => std::future::pending().await,
        }
    }

    /// Brings the result of a task here.
    pub(super) fn collect(&self, framework: FrameworkId, attempt: Attempt, site: Site) {
        let results = self.results.clone();
        self.spawn(async move {
            let result = bring(&results, framework, &attempt, &site).await;
            if let Err(error) = &result {
                tracing::warn!(task = %attempt, agent = %site.agent, error, "cannot collect");
            }
            Event::Collected { attempt, result }
        });
    }

    /// Reads the report of a task that failed, if it left one.
    pub(super) fn inspect(&self, framework: FrameworkId, attempt: Attempt, site: Site) {
        self.spawn(async move {
            let report = match timeout(REPORT_TIMEOUT, report(framework, &attempt, &site)).await {
                Ok(Ok(report)) => Some(report),
                Ok(Err(error)) => {
                    tracing::info!(task = %attempt, error, "a failed task left no report");
                    None
                }
                Err(_) => None,
            };
            Event::Inspected { attempt, report }
        });
    }

    fn spawn(&self, work: impl Future<Output = Event> + Send + 'static) {
        let (slots, done) = (self.slots.clone(), self.done.clone());
        tokio::spawn(async move {
            // The semaphore is never closed; without a slot the work would only be more at once.
            let slot = slots.acquire_owned().await.ok();
            let event = work.await;
            drop(slot);
            // The framework may have ended meanwhile.
            let _ = done.send(event).await;
        });
    }
}

async fn bring(
    results: &Results,
    framework: FrameworkId,
    attempt: &Attempt,
    site: &Site,
) -> Result<(), String> {
    let partition = attempt.place.partition;
    let draft = results
        .draft(&attempt.job, partition)
        .map_err(|error| error.to_string())?;
    let file = sandbox_file(framework, attempt, RESULT_FILE)?;
    download(&site.address, &file, &draft)
        .await
        .map_err(|error| error.to_string())?;
    let (results, job) = (results.clone(), attempt.job.clone());
    let accepted = spawn_blocking(move || results.accept(&job, partition, &draft)).await;
    accepted
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

async fn report(framework: FrameworkId, attempt: &Attempt, site: &Site) -> Result<Report, String> {
    let file = sandbox_file(framework, attempt, REPORT_FILE)?;
    let node = Node::connect(&site.address)
        .await
        .map_err(|error| error.to_string())?;
    let bytes = node
        .read_whole(&file, REPORT_BYTES)
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// A file of a task's sandbox.
pub(super) fn sandbox_file(
    framework_id: FrameworkId,
    attempt: &Attempt,
    path: &str,
) -> Result<SandboxFile, String> {
    let task_id = TaskId::new(attempt.to_string()).map_err(|error| error.to_string())?;
    Ok(SandboxFile {
        framework_id,
        task_id,
        path: path.to_owned(),
        offset: 0,
    })
}
