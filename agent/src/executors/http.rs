//! `/api/v1/executor`: SUBSCRIBE is answered by a stream of events, the other calls come in
//! requests of their own.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use tepui_edge::http::{
    Media, Refusal,
    call::{stream, take},
};
use tepui_proto::v1::executor::{Call, call};

use super::{Executors, Refused, check};

/// Any call.
pub(crate) async fn call(
    State(executors): State<Executors>,
    request: Request,
) -> Result<Response, Refusal> {
    let caller = executors.who(authorization(request.headers()))?;
    let (headers, call): (_, Call) = take(request).await?;
    check::check(&call)?;
    if call.r#type() == call::Type::Subscribe {
        let media = Media::of_answer(&headers)?;
        let (_, events) = executors.subscribe(&caller, call).await?;
        return Ok(stream(media, events));
    }
    executors.take(&caller, call).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Who says that they call.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(AUTHORIZATION).map(HeaderValue::as_bytes)
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        if let Refused::Unauthorized(challenge) = refused {
            return Self::unauthorized(challenge);
        }
        let status = match refused {
            Refused::Invalid(_) => StatusCode::BAD_REQUEST,
            Refused::Forbidden(_) => StatusCode::FORBIDDEN,
            Refused::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Refused::Unknown => StatusCode::NOT_IMPLEMENTED,
            Refused::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.to_string())
    }
}
