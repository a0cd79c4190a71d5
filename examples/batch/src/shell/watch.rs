//! One client that watches one job.

use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tonic::Status;

use super::{requests::Requests, views};
use crate::{api, ids::JobId};

/// See the module.
pub(super) struct Watch {
    requests: Requests,
    changes: broadcast::Receiver<JobId>,
    id: String,
    last: Option<api::Job>,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// `changes` began before anything was looked at.
    pub(super) const fn new(
        requests: Requests,
        changes: broadcast::Receiver<JobId>,
        id: String,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            requests,
            changes,
            id,
            last: None,
            _permit: permit,
        }
    }

    /// The job, when it looks different from before; none after it has ended.
    pub(super) async fn next(&mut self) -> Option<Result<api::WatchResponse, Status>> {
        loop {
            if let Some(last) = &self.last {
                if last.state() != api::JobState::Running {
                    return None;
                }
                self.change().await?;
            }
            let job = match self.requests.look_at(&self.id, views::job).await {
                Ok(job) => job,
                Err(status) => return Some(Err(status)),
            };
            if self.last.as_ref() != Some(&job) {
                self.last = Some(job.clone());
                return Some(Ok(api::WatchResponse { job: Some(job) }));
            }
        }
    }

    /// Waits until the job may have changed; none when the framework ends.
    async fn change(&mut self) -> Option<()> {
        loop {
            match self.changes.recv().await {
                Ok(id) if id.as_str() != self.id => {}
                // Too many changes to be told of each: ours may be among them.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return Some(()),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
