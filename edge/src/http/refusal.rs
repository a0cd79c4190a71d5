//! Why a request is not served: a status and a text, both Mesos'.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use tonic::Status;

use crate::limits;

/// A request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong.
    pub text: String,
    /// The methods that are served, when another was tried.
    allow: Option<&'static str>,
    /// How who calls can say who they are.
    challenge: Option<String>,
}

impl Refusal {
    /// With this status and text.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let mut text = text.into();
        // What was asked for stands in it, however long that was.
        let end = text.floor_char_boundary(limits::REFUSAL_BYTES);
        text.truncate(end);
        Self {
            status,
            text,
            allow: None,
            challenge: None,
        }
    }

    /// 401: it is not known who calls; `challenge` says how they can tell.
    #[must_use]
    pub fn unauthorized(challenge: String) -> Self {
        Self {
            challenge: Some(challenge),
            ..Self::new(StatusCode::UNAUTHORIZED, "")
        }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 405: only these methods are served here.
    #[must_use]
    pub fn method(allowed: &'static str, used: &axum::http::Method) -> Self {
        Self {
            allow: Some(allowed),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("Expecting one of {{ '{allowed}' }}, but received '{used}'"),
            )
        }
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
        let challenge = self.challenge.map(HeaderValue::try_from);
        if let Some(Ok(challenge)) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let long = "\u{e9}".repeat(limits::REFUSAL_BYTES);
        assert_eq!(
            Refusal::bad_request(&long).text.len(),
            limits::REFUSAL_BYTES
        );
        let odd = format!("x{long}");
        assert_eq!(
            Refusal::bad_request(&odd).text.len(),
            limits::REFUSAL_BYTES - 1
        );
    }
}
