//! Why a request is not served: a status and a text, both Mesos'.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use tepui_master_core::OperatorError;
use tonic::Status;

use crate::front::Unanswered;

/// A request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// The methods that are served, when another was tried.
    allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            allow: None,
        }
    }

    /// 400.
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 405: only these methods are served here.
    pub(super) fn method(allowed: &'static str, used: &axum::http::Method) -> Self {
        Self {
            allow: Some(allowed),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("Expecting one of {{ '{allowed}' }}, but received '{used}'"),
            )
        }
    }
}

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

impl From<Status> for Refusal {
    /// The only reason why an input does not reach the core is that the core is ending.
    fn from(status: Status) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, status.message())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        let mut response = (self.status, self.text).into_response();
        response.headers_mut().insert(CONTENT_TYPE, kind);
        if let Some(allow) = self.allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}
