//! What every server serves beside its own services: health, reflection, and plain HTTP.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    middleware::map_request,
    response::{IntoResponse, Response},
};
use tonic::{Status, service::Routes};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tonic_reflection::server::{Builder, Error};

use crate::letters;

/// Everything that is served on one port.
#[derive(Debug)]
pub struct Site {
    /// The gRPC services of one's own.
    pub services: Routes,
    /// The files that describe them, encoded.
    pub descriptors: &'static [u8],
    /// Who says over gRPC how they are.
    pub health: HealthReporter,
    /// The HTTP routes of one's own.
    pub plain: Router,
    /// What is said over HTTP where there is nothing: one line that helps.
    pub elsewhere: &'static str,
}

impl Site {
    /// The routes of all of it.
    ///
    /// # Errors
    /// When the descriptors cannot be read, which is a mistake of the program.
    pub fn routes(self) -> Result<Routes, Error> {
        let describe = || {
            Builder::configure()
                .register_encoded_file_descriptor_set(self.descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let health = HealthService::from_health_reporter(self.health);
        let services = self
            .services
            .add_service(HealthServer::new(health))
            .add_service(describe().build_v1()?)
            .add_service(describe().build_v1alpha()?);
        let text = self.elsewhere;
        let elsewhere = async move |headers: HeaderMap| elsewhere(&headers, text);
        // The gRPC router comes with a fallback of its own, and there can only be one.
        let grpc = services.into_axum_router().reset_fallback();
        let grpc = grpc.layer(map_request(letters::take_turns));
        Ok(Routes::from(grpc.merge(self.plain).fallback(elsewhere)).prepare())
    }
}

/// What no route takes: a gRPC client hears so in its own language.
fn elsewhere(headers: &HeaderMap, text: &'static str) -> Response {
    const GRPC: &[u8] = b"application/grpc";
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(GRPC))
    {
        return Status::unimplemented("there is no such service or method").into_http();
    }
    (StatusCode::NOT_FOUND, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_in_the_language_of_who_asks() {
        let asked = |kind: &'static str| {
            let headers = [(CONTENT_TYPE, kind.parse().unwrap())];
            elsewhere(&HeaderMap::from_iter(headers), "nothing\n")
        };
        assert_eq!(asked("text/html").status(), StatusCode::NOT_FOUND);
        let grpc = asked("application/grpc+proto");
        assert_eq!(grpc.status(), StatusCode::OK);
        assert_eq!(grpc.headers()["grpc-status"], "12");
    }
}
