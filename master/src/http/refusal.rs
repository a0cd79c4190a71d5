//! How what the core cannot do is told over HTTP.

use axum::http::StatusCode;
use tepui_edge::http::Refusal;
use tepui_master_core::OperatorError;

use crate::front::Unanswered;

impl From<Unanswered> for Refusal {
    /// Mesos has no code for what does not exist but where it says so.
    fn from(unanswered: Unanswered) -> Self {
        let Unanswered::Refused(error) = unanswered else {
            let text = "The master is stopping";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
        };
        let status = match error {
            OperatorError::Invalid(_) | OperatorError::NotFound(_) => StatusCode::BAD_REQUEST,
            OperatorError::Conflict(_) => StatusCode::CONFLICT,
            OperatorError::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
        };
        Self::new(status, error.to_string())
    }
}
