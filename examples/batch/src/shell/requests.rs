//! What the API asks of the framework's one loop.

use std::fmt;

use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::{
    core::{CancelError, Core, Extent, Job, SubmitError},
    ids::JobId,
    plan::Source,
    spec,
};

/// Where the answer goes. A client that is gone does not wait for it.
type Reply<T> = oneshot::Sender<T>;

/// A question that changes nothing.
type Question = Box<dyn FnOnce(&Core) + Send>;

/// A job to begin.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) spec: spec::Job,
    pub(super) sources: Vec<Source>,
    pub(super) extent: Extent,
}

pub(super) enum Request {
    Submit(Box<Submission>, Reply<Result<JobId, SubmitError>>),
    Cancel(JobId, Reply<Result<(), CancelError>>),
    Look(Question),
}

/// Sends requests to the loop.
#[derive(Debug, Clone)]
pub(super) struct Requests(pub(super) mpsc::Sender<Request>);

impl Requests {
    /// Begins a job; it is on disk when this returns.
    pub(super) async fn submit(&self, submission: Submission) -> Result<JobId, Status> {
        let submission = Box::new(submission);
        let answer = self.ask(|reply| Request::Submit(submission, reply)).await?;
        answer.map_err(|error| match error {
            SubmitError::TooMany => Status::resource_exhausted(error.to_string()),
            SubmitError::Plan(_) => Status::invalid_argument(error.to_string()),
        })
    }

    /// Ends a job.
    pub(super) async fn cancel(&self, job: JobId) -> Result<(), Status> {
        let answer = self.ask(|reply| Request::Cancel(job, reply)).await?;
        answer.map_err(|error| match error {
            CancelError::Unknown(_) => Status::not_found(error.to_string()),
            CancelError::Ended(_) => Status::failed_precondition(error.to_string()),
        })
    }

    /// Looks at all there is.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Status> {
        self.ask(|reply: Reply<T>| {
            Request::Look(Box::new(move |core| drop(reply.send(look(core)))))
        })
        .await
    }

    /// Looks at one job.
    pub(super) async fn look_at<T: Send + 'static>(
        &self,
        id: &str,
        look: impl FnOnce(&Job) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let job = JobId::from(id);
        let found = self.look(move |core| core.job(&job).map(look)).await?;
        found.ok_or_else(|| Status::not_found(CancelError::Unknown(JobId::from(id)).to_string()))
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Status> {
        let ended = || Status::unavailable("the batch framework is shutting down");
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(submission, _) => submission.fmt(f),
            Self::Cancel(job, _) => f.debug_tuple("Cancel").field(job).finish(),
            Self::Look(_) => f.write_str("Look"),
        }
    }
}
