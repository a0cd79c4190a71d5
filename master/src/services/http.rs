//! Plain HTTP beside gRPC, on the same port.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tonic::{Status, service::Routes};

use crate::front::Front;

/// Adds the HTTP routes to the gRPC ones.
pub(super) fn add(routes: Routes, front: Front) -> Routes {
    let plain = Router::new()
        .route("/health", get(health))
        .with_state(front);
    // The gRPC router comes with a fallback of its own, and there can only be one.
    let grpc = routes.into_axum_router().reset_fallback();
    Routes::from(grpc.merge(plain).fallback(elsewhere))
}

/// 200 when a question came through the core and the disk in time.
async fn health(State(front): State<Front>) -> Response {
    match front.probe().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(status) => {
            let text = format!("{}\n", status.message());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
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
    let text = "There is nothing here; /health says how the master is.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
