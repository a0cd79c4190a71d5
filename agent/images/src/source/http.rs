//! HTTP: one question, one answer, with a time for everything.

use std::{path::Path, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};

use super::reach::{self, Reach, Resolver};
use crate::{
    Error,
    limits::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, MAX_REDIRECTS, MIN_BYTES_PER_SECOND},
};

type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// Asks questions in HTTP and HTTPS.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    near: Client<Connector, Empty<Bytes>>,
    far: Client<Connector, Empty<Bytes>>,
    /// How long an answer may be too slow.
    pub(super) stall: Duration,
}

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Where.
    pub(crate) uri: Uri,
    /// What forms of answer are taken.
    pub(crate) accept: &'static str,
    /// Who asks. Only the host that is asked first hears of it.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) reach: Reach,
}

impl Http {
    pub(crate) fn new(stall: Duration, trusted: Option<&Path>) -> Result<Self, Error> {
        let tls = tls(trusted)?;
        let client = |reach| {
            let mut connector = HttpConnector::new_with_resolver(Resolver(reach));
            connector.enforce_http(false);
            connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(connector);
            Client::builder(TokioExecutor::new()).build(connector)
        };
        Ok(Self {
            near: client(Reach::Near),
            far: client(Reach::Far),
            stall,
        })
    }

    /// Asks, and goes where the answer leads.
    pub(crate) async fn ask(&self, mut question: Question) -> Result<Answer, Error> {
        let plain = question.uri.scheme_str() == Some("http");
        let mut from = place(&question.uri);
        for _ in 0..=MAX_REDIRECTS {
            reach::check(&from, &question.uri, question.reach, plain)?;
            let asked = place(&question.uri);
            let response = self.ask_once(&question).await?;
            if !is_elsewhere(response.status()) {
                return Ok(Answer {
                    place: asked,
                    response,
                    pace: Pace::new(self.stall),
                });
            }
            let to = elsewhere(&asked, &question.uri, response.headers())?;
            if to.authority() != question.uri.authority() {
                question.authorization = None;
            }
            (question.uri, from) = (to, asked);
        }
        let text = format!("it leads on after {MAX_REDIRECTS} redirections");
        Err(Error::refusal(from, text))
    }

    async fn ask_once(&self, question: &Question) -> Result<Response<Incoming>, Error> {
        let place = place(&question.uri);
        let mut request = Request::get(&question.uri)
            .header(header::ACCEPT, question.accept)
            .header(
                header::USER_AGENT,
                concat!("tepui/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(authorization) = &question.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new());
        let request = request.map_err(|error| Error::refusal(&place, error))?;
        let client = match question.reach {
            Reach::Near => &self.near,
            Reach::Far => &self.far,
        };
        let limit = ANSWER_TIMEOUT.min(self.stall);
        match timeout(limit, client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Error::registry(place, causes(&error))),
            Err(_) => Err(Error::registry(
                place,
                format!("no answer within {limit:?}"),
            )),
        }
    }
}

/// What this machine trusts, or what `SSL_CERT_FILE` says; and the certificates of a file besides.
fn tls(trusted: Option<&Path>) -> Result<ClientConfig, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::refusal("TLS", error);
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for problem in &found.errors {
        tracing::warn!(%problem, "cannot read some certificates that this machine trusts");
    }
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = trusted {
        let shown = path.display();
        let own = rustls_native_certs::load_certs_from_paths(Some(path), None);
        if let Some(problem) = own.errors.first() {
            return Err(failed(problem));
        }
        let (added, _) = roots.add_parsable_certificates(own.certs);
        if added == 0 {
            return Err(failed(&format!("{shown} has no certificate")));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// An error with what caused it: the outermost says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Whom a question goes to, for people.
fn place(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.authority().map(|it| it.as_str()).unwrap_or_default();
    format!("{scheme}://{host}")
}

const fn is_elsewhere(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

fn elsewhere(place: &str, asked: &Uri, headers: &HeaderMap) -> Result<Uri, Error> {
    let broken = || Error::refusal(place, "it leads to no address");
    let to = headers.get(header::LOCATION).ok_or_else(broken)?;
    let to = to.to_str().map_err(|_| broken())?;
    let whole = match (
        to.starts_with('/') && !to.starts_with("//"),
        asked.authority(),
    ) {
        (true, Some(authority)) => {
            let scheme = asked.scheme_str().unwrap_or_default();
            format!("{scheme}://{authority}{to}")
        }
        _ => to.to_owned(),
    };
    whole.parse().map_err(|_| broken())
}

/// An answer that comes piece by piece.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) place: String,
    pub(super) response: Response<Incoming>,
    pace: Pace,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.response.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    }

    /// The next piece; none at the end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let waiting = Instant::now();
            let frame = timeout(self.pace.left(), self.response.body_mut().frame()).await;
            let data = match frame {
                Err(_) => return Err(self.pace.too_slow(&self.place)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    return Err(Error::registry(&self.place, causes(&error)));
                }
                Ok(Some(Ok(frame))) => frame.into_data(),
            };
            let bytes = data.unwrap_or_default();
            if !self.pace.keeps(waiting.elapsed(), bytes.len() as u64) {
                return Err(self.pace.too_slow(&self.place));
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// All of a short answer.
    pub(super) async fn whole(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > limit {
                let text = format!("its answer has more than {limit} bytes");
                return Err(Error::refusal(self.place, text));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// How fast bytes come. Only the time in which they were waited for counts: a full disk is not the
/// registry's fault.
#[derive(Debug)]
struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    const fn new(window: Duration) -> Self {
        Self {
            window,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn least(&self) -> u64 {
        MIN_BYTES_PER_SECOND.saturating_mul(self.window.as_secs().max(1))
    }

    fn left(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// Notes a piece; false if there was too little for too long.
    fn keeps(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= self.least() {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
        self.waited < self.window
    }

    fn too_slow(&self, place: &str) -> Error {
        Error::TooSlow {
            place: place.to_owned(),
            bytes: self.least(),
            time: self.window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l18_one_byte_a_second_is_too_slow_and_a_slow_disk_is_not() {
        let mut pace = Pace::new(Duration::from_secs(60));
        let mut seconds = 0;
        while pace.keeps(Duration::from_secs(1), 1) {
            seconds += 1;
        }
        assert_eq!(seconds, 59);
        let mut pace = Pace::new(Duration::from_secs(60));
        for _ in 0..1000 {
            assert!(pace.keeps(Duration::from_secs(1), 4096));
        }
    }

    #[test]
    fn redirections_are_read_as_addresses_and_paths() {
        let asked: Uri = "http://localhost:5000/v2/a".parse().unwrap();
        let to = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().unwrap());
            elsewhere("x", &asked, &headers).map(|uri| uri.to_string())
        };
        assert_eq!(to("/b?c=d").unwrap(), "http://localhost:5000/b?c=d");
        assert_eq!(to("https://cdn/b").unwrap(), "https://cdn/b");
        assert!(to("https://").is_err());
    }
}
