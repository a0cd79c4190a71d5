//! `/api/v1/executor`: SUBSCRIBE is answered by a stream of events, the other calls come in
//! requests of their own.

use axum::{
    extract::{Request, State},
    http::StatusCode,
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
    let (headers, call): (_, Call) = take(request).await?;
    check::check(&call)?;
    if call.r#type() == call::Type::Subscribe {
        let media = Media::of_answer(&headers)?;
        let (_, events) = executors.subscribe(call).await?;
        return Ok(stream(media, events));
    }
    executors.take(call).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Invalid(_) => StatusCode::BAD_REQUEST,
            Refused::Forbidden(_) => StatusCode::FORBIDDEN,
            Refused::Unknown => StatusCode::NOT_IMPLEMENTED,
            Refused::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.to_string())
    }
}
