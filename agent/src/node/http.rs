//! Plain HTTP beside gRPC, on the same port.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get},
};

use crate::{
    driver::Front,
    executors::{self, Executors},
};

/// The HTTP routes.
pub(super) fn routes(front: Front, executors: Executors) -> Router {
    let calls = everywhere("/api/v1/executor", &any(executors::call)).with_state(executors);
    Router::new()
        .route("/health", get(health))
        .with_state(front)
        .merge(calls)
}

/// Mesos' endpoints are under the name of its process too, and forgive a slash at the end.
fn everywhere<S: Clone + Send + Sync + 'static>(path: &str, method: &MethodRouter<S>) -> Router<S> {
    let names = [path.to_owned(), format!("/slave(1){path}")];
    let paths = names
        .into_iter()
        .flat_map(|path| [format!("{path}/"), path]);
    paths.fold(Router::new(), |router, path| {
        router.route(&path, method.clone())
    })
}

/// 200 when the core answers. The master being away is no illness of the agent.
async fn health(State(front): State<Front>) -> Response {
    match front.look(|_| ()).await {
        Some(()) => StatusCode::OK.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping\n").into_response(),
    }
}
