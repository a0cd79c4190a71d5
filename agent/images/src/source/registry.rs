//! Registries: OCI's and docker's second protocol.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::{Uri, header::HeaderValue};

use super::{
    challenge::{Challenge, token},
    http::{Answer, Http, Question},
    reach::Reach,
};
use crate::{
    Digest, Endpoint, Error, Reference,
    credentials::Basic,
    limits::{MAX_DOCUMENT_BYTES, MAX_RETRY_PAUSE, MAX_TOKEN_BYTES},
    manifest::{ACCEPTED, Descriptor},
    retry::Retry,
};

/// Blobs may be of any kind.
const ANY: &str = "*/*";

/// One repository in a registry.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    http: Http,
    endpoint: Endpoint,
    repository: String,
    /// The image, for people.
    image: String,
    basic: Option<Basic>,
    authorization: Arc<Mutex<Option<HeaderValue>>>,
}

impl Registry {
    pub(super) fn new(
        http: Http,
        endpoint: Endpoint,
        reference: &Reference,
        basic: Option<Basic>,
    ) -> Self {
        Self {
            repository: endpoint.repository(&reference.repository),
            image: reference.to_string(),
            authorization: Arc::default(),
            http,
            endpoint,
            basic,
        }
    }

    /// What the registry has under a tag or a digest, and what its digest is.
    pub(super) async fn manifest(&self, version: &str) -> Result<(Vec<u8>, Digest), Error> {
        let mut retry = Retry::default();
        loop {
            match self.manifest_once(version).await {
                Err(error) if retry.again(&error).await => {}
                done => return done,
            }
        }
    }

    async fn manifest_once(&self, version: &str) -> Result<(Vec<u8>, Digest), Error> {
        let wanted: Option<Digest> = version.parse().ok();
        let path = format!("/v2/{}/manifests/{version}", self.repository);
        let answer = self.ask(&path, ACCEPTED).await?;
        let said = answer.header("docker-content-digest");
        let said = said.and_then(|digest| digest.parse().ok());
        let bytes = answer.whole(MAX_DOCUMENT_BYTES).await?;
        let digest = Digest::of(&bytes);
        // A registry may not know other digests, but what it says of this one must be true.
        for expected in wanted.iter().chain(&said) {
            verify("the manifest", expected, &digest)?;
        }
        Ok((bytes, digest))
    }

    /// A short blob.
    pub(super) async fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let mut retry = Retry::default();
        loop {
            match self.document_once(blob).await {
                Err(error) if retry.again(&error).await => {}
                done => return done,
            }
        }
    }

    async fn document_once(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let answer = self.blob(&blob.digest).await?;
        let bytes = answer.whole(MAX_DOCUMENT_BYTES).await?;
        verify("the configuration", &blob.digest, &Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// A blob, piece by piece.
    pub(super) async fn blob(&self, digest: &Digest) -> Result<Answer, Error> {
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        self.ask(&path, ANY).await
    }

    async fn ask(&self, path: &str, accept: &'static str) -> Result<Answer, Error> {
        let uri = self.endpoint.uri(path);
        let uri = uri.map_err(|error| Error::refusal(self.endpoint.to_string(), error))?;
        let answer = self.ask_as(uri.clone(), accept).await?;
        if answer.status() != hyper::StatusCode::UNAUTHORIZED {
            return self.good(answer).await;
        }
        self.introduce(&answer).await?;
        let answer = self.ask_as(uri, accept).await?;
        self.good(answer).await
    }

    async fn ask_as(&self, uri: Uri, accept: &'static str) -> Result<Answer, Error> {
        let authorization = self.authorization.lock();
        let authorization = authorization
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let question = Question {
            uri,
            accept,
            authorization,
            reach: self.reach(),
        };
        self.http.ask(question).await
    }

    fn reach(&self) -> Reach {
        if self.endpoint.is_near() {
            Reach::Near
        } else {
            Reach::Far
        }
    }

    /// An answer that is one, or what is wrong.
    async fn good(&self, answer: Answer) -> Result<Answer, Error> {
        let (place, image) = (answer.place.clone(), self.image.clone());
        match answer.status().as_u16() {
            200 => Ok(answer),
            404 => Err(Error::NotFound { image, place }),
            code @ (401 | 403) => {
                let problem = format!("it answers {code}");
                Err(Error::Unauthorized {
                    image,
                    place,
                    problem,
                })
            }
            code @ (408 | 429 | 500..) => {
                let after = answer
                    .header("retry-after")
                    .and_then(|after| after.parse().ok());
                if let Some(after) = after.map(std::time::Duration::from_secs) {
                    tokio::time::sleep(after.min(MAX_RETRY_PAUSE)).await;
                }
                Err(Error::registry(place, format!("it answers {code}")))
            }
            code => Err(Error::refusal(place, format!("it answers {code}"))),
        }
    }

    /// Says who asks, in the way that the registry wants.
    async fn introduce(&self, answer: &Answer) -> Result<(), Error> {
        let unauthorized = |problem: &str| Error::Unauthorized {
            image: self.image.clone(),
            place: answer.place.clone(),
            problem: problem.to_owned(),
        };
        let challenge = answer.header("www-authenticate").and_then(Challenge::read);
        let header = match challenge {
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository));
                let uri = Challenge::address(&realm, service.as_deref(), &scope);
                let uri = uri.ok_or_else(|| unauthorized("its token server has no address"))?;
                format!("Bearer {}", self.token(&answer.place, uri).await?)
            }
            Some(Challenge::Basic) => match &self.basic {
                Some(basic) => basic.header().to_owned(),
                None => return Err(unauthorized("it wants a name and a password")),
            },
            None => return Err(unauthorized("it says in no known way who may")),
        };
        let header = HeaderValue::try_from(header);
        let mut header = header.map_err(|_| unauthorized("its token cannot be sent"))?;
        header.set_sensitive(true);
        *self
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(())
    }

    /// Asks the server that hands out tokens. It may be another one than the registry.
    async fn token(&self, from: &str, uri: Uri) -> Result<String, Error> {
        let plain = from.starts_with("http://");
        super::reach::check(from, &uri, self.reach(), plain)?;
        let basic = self
            .basic
            .as_ref()
            .map(|basic| HeaderValue::try_from(basic.header()));
        let question = Question {
            uri,
            accept: "application/json",
            authorization: basic.transpose().unwrap_or(None),
            reach: self.reach(),
        };
        let answer = self.http.ask(question).await?;
        let answer = self.good(answer).await?;
        let place = answer.place.clone();
        let bytes = answer.whole(MAX_TOKEN_BYTES).await?;
        token(&bytes).ok_or_else(|| Error::refusal(place, "its answer has no token"))
    }
}

fn verify(what: &str, expected: &Digest, found: &Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: what.to_owned(),
        expected: expected.clone(),
        found: found.clone(),
    })
}
