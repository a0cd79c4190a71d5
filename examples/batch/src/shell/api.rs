//! The framework's gRPC API, reflection, health and a word for browsers, on one listener.

use std::{pin::Pin, sync::Arc};

use axum::{Router, routing::get};
use futures_util::{Stream, stream};
use tepui_sdk::edge::{HealthReporter, Listener, Serving, Site};
use tokio::{
    sync::{Semaphore, broadcast},
    task::spawn_blocking,
};
use tonic::{Request, Response, Status, service::Routes};

use super::{
    logs::{self, Logs},
    requests::{Requests, Submission},
    results::{Pieces, Results},
    views,
    watch::Watch,
};
use crate::{
    Error,
    api::{self, batch_server},
    core::{Job, JobState},
    ids::JobId,
    input, limits,
    plan::Source,
    spec,
};

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves the API.
pub(super) async fn serve(listener: Listener, api: Api) -> Result<Serving, Error> {
    let health = HealthReporter::new();
    health.set_serving::<batch_server::BatchServer<Api>>().await;
    let service =
        batch_server::BatchServer::new(api).max_decoding_message_size(limits::API_MESSAGE_BYTES);
    let site = Site {
        services: Routes::new(service),
        descriptors: api::DESCRIPTORS,
        health,
        plain: Router::new()
            .route(
                "/",
                get(async || "Tepui's batch framework. Ask `tepui batch ls`.\n"),
            )
            .route("/health", get(async || "ok\n")),
        elsewhere: "There is nothing here; / says whom to ask.\n",
    };
    let routes = site.routes();
    let routes = routes.map_err(|error| Error::Internal(format!("reflection: {error}")))?;
    Ok(listener.serve(routes, limits::CONNECTIONS))
}

/// The API: what it asks goes to the framework's one loop.
#[derive(Debug, Clone)]
pub(super) struct Api {
    requests: Requests,
    changed: broadcast::Sender<JobId>,
    results: Results,
    watchers: Arc<Semaphore>,
}

impl Api {
    pub(super) fn new(
        requests: Requests,
        changed: broadcast::Sender<JobId>,
        results: Results,
    ) -> Self {
        let watchers = Arc::new(Semaphore::new(limits::WATCHERS));
        Self {
            requests,
            changed,
            results,
            watchers,
        }
    }
}

#[tonic::async_trait]
impl batch_server::Batch for Api {
    async fn submit(&self, request: Request<api::SubmitRequest>) -> Answer<api::SubmitResponse> {
        let file = request.into_inner().file;
        // It looks at every file of the input.
        let submission = spawn_blocking(move || submission(&file)).await;
        let submission = submission.map_err(|error| Status::internal(error.to_string()))??;
        let id = self.requests.submit(submission).await?;
        let job = Some(self.requests.look_at(id.as_str(), views::job).await?);
        Ok(Response::new(api::SubmitResponse { job }))
    }

    async fn list(&self, _request: Request<api::ListRequest>) -> Answer<api::ListResponse> {
        let jobs = self
            .requests
            .look(|core| core.jobs().map(views::job).collect())
            .await?;
        Ok(Response::new(api::ListResponse { jobs }))
    }

    async fn status(&self, request: Request<api::StatusRequest>) -> Answer<api::StatusResponse> {
        let id = request.into_inner().job_id;
        let job = Some(self.requests.look_at(&id, views::job_with_tasks).await?);
        Ok(Response::new(api::StatusResponse { job }))
    }

    type WatchStream = Answers<api::WatchResponse>;

    async fn watch(&self, request: Request<api::WatchRequest>) -> Answer<Self::WatchStream> {
        let id = request.into_inner().job_id;
        // Before the first look, so that no change falls between.
        let changes = self.changed.subscribe();
        self.requests.look_at(&id, |_| ()).await?;
        let permit = self.watchers.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "{} clients watch already: try again later",
                limits::WATCHERS
            );
            Status::resource_exhausted(text)
        })?;
        let watch = Watch::new(self.requests.clone(), changes, id, permit);
        let stream = stream::unfold(watch, async |mut watch| Some((watch.next().await?, watch)));
        Ok(Response::new(Box::pin(stream)))
    }

    type LogsStream = Answers<api::LogsResponse>;

    async fn logs(&self, request: Request<api::LogsRequest>) -> Answer<Self::LogsStream> {
        let request = request.into_inner();
        if request.follow && (request.stage.is_none() || request.partition.is_none()) {
            return Err(Status::invalid_argument(
                "name one task to follow: stage and partition",
            ));
        }
        let framework = self.requests.look(|core| core.framework().cloned()).await?;
        let of = request.clone();
        let id = request.job_id.clone();
        let tasks = self
            .requests
            .look_at(&id, move |job| logs::wanted(job, &of))
            .await?;
        let Some(framework) = framework else {
            return Err(Status::unavailable("the framework is not subscribed yet"));
        };
        let logs = Logs::of(framework, tasks, &request);
        let stream = stream::unfold(logs, async |mut logs| Some((Ok(logs.next().await?), logs)));
        Ok(Response::new(Box::pin(stream)))
    }

    type ResultStream = Answers<api::ResultResponse>;

    async fn result(&self, request: Request<api::ResultRequest>) -> Answer<Self::ResultStream> {
        let id = request.into_inner().job_id;
        let results = self.results.clone();
        let look = move |job: &Job| (job.state, results.files(job));
        let (state, files) = self.requests.look_at(&id, look).await?;
        if state != JobState::Succeeded {
            let text = format!("job {id} has no result: it is {}", state.name());
            return Err(Status::failed_precondition(text));
        }
        let stream = stream::try_unfold(Pieces::of(files), async |mut pieces| {
            let piece = pieces
                .next()
                .await
                .map_err(|error| Status::data_loss(error.to_string()))?;
            Ok(piece.map(|data| (api::ResultResponse { data }, pieces)))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    type InputsStream = Answers<api::InputsResponse>;

    async fn inputs(&self, request: Request<api::InputsRequest>) -> Answer<Self::InputsStream> {
        let id = request.into_inner().job_id;
        let sources = self
            .requests
            .look_at(&id, |job| job.sources.clone())
            .await?;
        let part = |source: Source| match source {
            Source::Files(files) => api::InputsResponse {
                files,
                lines: Vec::new(),
            },
            Source::Lines(lines) => api::InputsResponse {
                files: String::new(),
                lines,
            },
            // Only later stages have it.
            Source::Shuffle(_) => api::InputsResponse::default(),
        };
        let stream = stream::iter(sources.into_iter().map(move |source| Ok(part(source))));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn cancel(&self, request: Request<api::CancelRequest>) -> Answer<api::CancelResponse> {
        let id = request.into_inner().job_id;
        self.requests.cancel(JobId::from(id.as_str())).await?;
        let job = Some(self.requests.look_at(&id, views::job).await?);
        Ok(Response::new(api::CancelResponse { job }))
    }
}

/// Reads a job file and finds its input. Blocks.
fn submission(file: &str) -> Result<Submission, Status> {
    let spec = spec::Job::parse(file).map_err(|e| Status::invalid_argument(e.to_string()))?;
    let (sources, extent) =
        input::sources(&spec).map_err(|e| Status::invalid_argument(e.to_string()))?;
    Ok(Submission {
        spec,
        sources,
        extent,
    })
}
