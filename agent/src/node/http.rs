//! Plain HTTP beside gRPC, on the same port.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::driver::Front;

/// The HTTP routes.
pub(super) fn routes(front: Front) -> Router {
    Router::new()
        .route("/health", get(health))
        .with_state(front)
}

/// 200 when the core answers. The master being away is no illness of the agent.
async fn health(State(front): State<Front>) -> Response {
    match front.look(|_| ()).await {
        Some(()) => StatusCode::OK.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping\n").into_response(),
    }
}
