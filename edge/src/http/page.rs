//! An answer in JSON to a GET: wrapped for a script when asked (`jsonp`), packed when taken.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use axum::{
    extract::{FromRequestParts, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{gzip, refusal::Refusal};
use crate::span;

/// How an answer is wanted.
#[derive(Debug)]
pub struct Page {
    headers: HeaderMap,
    query: HashMap<String, String>,
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // A query that makes no sense is as none.
        let query = Query::try_from_uri(&parts.uri);
        Ok(Self {
            headers: parts.headers.clone(),
            query: query.map(|Query(query)| query).unwrap_or_default(),
        })
    }
}

impl Page {
    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A parameter that is a duration, as in `2secs`.
    ///
    /// # Errors
    /// With Mesos' text when it is none.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        let wrong = |error| Refusal::bad_request(format!("Invalid {name} '{text}': {error}.\n"));
        span::parse(text).map(Some).map_err(wrong)
    }

    /// The answer. Large ones take a while to write, which other tasks need not feel.
    pub async fn show(self, value: impl Serialize + Send + 'static) -> Response {
        let written = tokio::task::spawn_blocking(move || self.write(&value)).await;
        written.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    fn write(&self, value: &impl Serialize) -> Response {
        // Values that we make have nothing that JSON cannot hold.
        let json = serde_json::to_vec(value).unwrap_or_default();
        let (body, kind) = match self.parameter("jsonp") {
            Some(function) => {
                let body = [function.as_bytes(), b"(", &json, b");"].concat();
                (body, "text/javascript")
            }
            None => (json, "application/json"),
        };
        let mut response = gzip::answer(&self.headers, body);
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
