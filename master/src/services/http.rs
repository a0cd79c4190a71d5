//! Plain HTTP beside gRPC, on the same port.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::front::Front;

/// The HTTP routes.
pub(super) fn routes(front: Front) -> Router {
    Router::new()
        .route("/health", get(health))
        .with_state(front)
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
