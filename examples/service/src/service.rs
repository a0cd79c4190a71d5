//! The framework's gRPC API, reflection, health and a word for browsers, on one listener.

use std::{pin::Pin, sync::Arc};

use axum::{Router, routing::get};
use futures_util::{Stream, stream};
use tepui_sdk::edge::{HealthReporter, Listener, Serving, Site};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Error,
    api::{self, service_server},
    core::Refusal,
    limits,
    requests::{self, Requests},
    spec::{App, AppName},
};

type Answer<T> = Result<Response<T>, Status>;

/// Serves the API.
pub(crate) async fn serve(listener: Listener, api: Api) -> Result<Serving, Error> {
    let health = HealthReporter::new();
    health
        .set_serving::<service_server::ServiceServer<Api>>()
        .await;
    let service = service_server::ServiceServer::new(api)
        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
    let site = Site {
        services: Routes::new(service),
        descriptors: api::DESCRIPTORS,
        health,
        plain: Router::new()
            .route(
                "/",
                get(async || "Tepui's service framework. Ask `tepui service ls`.\n"),
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
pub(crate) struct Api {
    requests: Requests,
    changed: broadcast::Sender<AppName>,
    watchers: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(requests: Requests, changed: broadcast::Sender<AppName>) -> Self {
        Self {
            requests,
            changed,
            watchers: Arc::new(Semaphore::new(limits::WATCHERS)),
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(requests::Reply<T>) -> requests::Request,
    ) -> Result<T, Status> {
        match self.requests.ask(request).await {
            Some(answer) => answer.map_err(status_of),
            None => Err(Status::unavailable(
                "the service framework is shutting down",
            )),
        }
    }

    async fn status_of(&self, name: &str) -> Result<api::AppStatus, Status> {
        let name = name.to_owned();
        self.ask(|reply| requests::Request::Status { name, reply })
            .await
    }
}

fn status_of(refusal: Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NoSuchApp(_) => Status::not_found(text),
        Refusal::Twice(_) | Refusal::TooManyReplicas { .. } => Status::invalid_argument(text),
        Refusal::TooManyApps => Status::resource_exhausted(text),
    }
}

#[tonic::async_trait]
impl service_server::Service for Api {
    async fn deploy(&self, request: Request<api::DeployRequest>) -> Answer<api::DeployResponse> {
        let apps = request.into_inner().apps.into_iter().map(App::try_from);
        let apps: Vec<App> = apps
            .collect::<Result<_, _>>()
            .map_err(|e| Status::invalid_argument(e.to_string()))?;
        let apps = self
            .ask(|reply| requests::Request::Deploy { apps, reply })
            .await?;
        Ok(Response::new(api::DeployResponse { apps }))
    }

    async fn list(&self, _request: Request<api::ListRequest>) -> Answer<api::ListResponse> {
        let apps = self.ask(|reply| requests::Request::List { reply }).await?;
        Ok(Response::new(api::ListResponse { apps }))
    }

    type StatusStream = Pin<Box<dyn Stream<Item = Result<api::StatusResponse, Status>> + Send>>;

    async fn status(&self, request: Request<api::StatusRequest>) -> Answer<Self::StatusStream> {
        let api::StatusRequest { name, watch } = request.into_inner();
        // Before the first look, so that no change falls between.
        let changes = self.changed.subscribe();
        let first = self.status_of(&name).await?;
        if !watch {
            let only = stream::iter([Ok(api::StatusResponse { app: Some(first) })]);
            return Ok(Response::new(Box::pin(only)));
        }
        let permit = self.watchers.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "{} clients watch already: try again later",
                limits::WATCHERS
            );
            Status::resource_exhausted(text)
        })?;
        let watch = Watch {
            api: self.clone(),
            name,
            changes,
            next: Some(first.clone()),
            last: first,
            _permit: permit,
        };
        let stream = stream::unfold(watch, async |mut watch| Some((watch.next().await?, watch)));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn scale(&self, request: Request<api::ScaleRequest>) -> Answer<api::ScaleResponse> {
        let api::ScaleRequest { name, replicas } = request.into_inner();
        let scale = |reply| requests::Request::Scale {
            name,
            replicas,
            reply,
        };
        let app = Some(self.ask(scale).await?);
        Ok(Response::new(api::ScaleResponse { app }))
    }

    async fn remove(&self, request: Request<api::RemoveRequest>) -> Answer<api::RemoveResponse> {
        let name = request.into_inner().name;
        self.ask(|reply| requests::Request::Remove { name, reply })
            .await?;
        Ok(Response::new(api::RemoveResponse {}))
    }
}

/// One client that watches one app.
struct Watch {
    api: Api,
    name: String,
    changes: broadcast::Receiver<AppName>,
    next: Option<api::AppStatus>,
    last: api::AppStatus,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// The app when it looks different from before; `None` when it is removed.
    async fn next(&mut self) -> Option<Result<api::StatusResponse, Status>> {
        if let Some(first) = self.next.take() {
            return Some(Ok(api::StatusResponse { app: Some(first) }));
        }
        loop {
            match self.changes.recv().await {
                Ok(name) if name.as_str() != self.name => continue,
                // Too many changes to be told of each: look whether ours was among them.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
            match self.api.status_of(&self.name).await {
                Ok(status) if status == self.last => {}
                Ok(status) => {
                    self.last.clone_from(&status);
                    return Some(Ok(api::StatusResponse { app: Some(status) }));
                }
                Err(status) if status.code() == tonic::Code::NotFound => return None,
                Err(status) => return Some(Err(status)),
            }
        }
    }
}
