//! Plain HTTP beside gRPC, on the same port.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tonic::{Status, service::Routes};

use crate::driver::Front;

/// Adds the HTTP routes to the gRPC ones.
pub(super) fn add(routes: Routes, front: Front) -> Routes {
    let plain = Router::new()
        .route("/health", get(health))
        .with_state(front);
    // The gRPC router comes with a fallback of its own, and there can only be one.
    let grpc = routes.into_axum_router().reset_fallback();
    Routes::from(grpc.merge(plain).fallback(elsewhere))
}

/// 200 when the core answers. The master being away is no illness of the agent.
async fn health(State(front): State<Front>) -> Response {
    match front.look(|_| ()).await {
        Some(()) => StatusCode::OK.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping\n").into_response(),
    }
}

/// What no route takes: a gRPC client hears so in its own language.
async fn elsewhere(headers: HeaderMap) -> Response {
    const GRPC: &[u8] = b"application/grpc";
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(GRPC))
    {
        return Status::unimplemented("there is no such service or method").into_http();
    }
    let text = "There is nothing here; /health says how the agent is.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
