//! `/api/v1`: the calls of operators over HTTP. What they do is what gRPC does.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tepui_edge::http::{
    Media, Refusal,
    call::{answer, take},
};
use tepui_proto::v1::agent::{Call, call};
use tonic::{Code, Status};

use super::Node;
use crate::machine::Containers;

/// Any call.
pub(super) async fn call<C: Containers>(
    State(node): State<Node<C>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (headers, call): (_, Call) = take(request).await?;
    check(&call)?;
    let media = Media::of_answer(&headers)?;
    if call.r#type() == call::Type::Unknown {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, ""));
    }
    let answered = node.answer(call).await.map_err(|status| refusal(&status))?;
    if answered.r#type.is_none() {
        // It only did something.
        return Ok(StatusCode::OK.into_response());
    }
    Ok(answer(headers, media, Box::new(answered)).await)
}

/// How a refusal of gRPC is told over HTTP.
pub(super) fn refusal(status: &Status) -> Refusal {
    let code = match status.code() {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::AlreadyExists => StatusCode::CONFLICT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable | Code::ResourceExhausted => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(code, status.message())
}

fn invalid(problem: &str) -> Refusal {
    Refusal::bad_request(format!("Failed to validate agent::Call: {problem}"))
}

/// Looks whether everything is there that a call of its type must have, in Mesos' words.
fn check(call: &Call) -> Result<(), Refusal> {
    // A type that this version does not know is as none.
    let Some(Ok(kind)) = call.r#type.map(call::Type::try_from) else {
        return Err(invalid("Expecting 'type' to be present"));
    };
    let part = match kind {
        call::Type::GetMetrics => ("get_metrics", call.get_metrics.is_some()),
        call::Type::SetLoggingLevel => ("set_logging_level", call.set_logging_level.is_some()),
        call::Type::ListFiles => ("list_files", call.list_files.is_some()),
        call::Type::ReadFile => ("read_file", call.read_file.is_some()),
        _ => return Ok(()),
    };
    match part {
        (field, false) => Err(invalid(&format!("Expecting '{field}' to be present"))),
        _ => Ok(()),
    }
}
