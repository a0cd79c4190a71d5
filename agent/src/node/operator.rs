//! `/api/v1`: the calls of operators over HTTP. What they do is what gRPC does.

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use tepui_edge::http::{Refusal, body, call::answer};
use tepui_proto::v1::agent::{Call, call::Type};
use tonic::{Code, Status};

use super::{
    Node, attach,
    check::check,
    form::{Form, unacceptable, unsupported},
};
use crate::machine::Containers;

/// Any call.
pub(super) async fn call<C: Containers>(
    State(node): State<Node<C>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, content) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Refusal::method("POST", &parts.method));
    }
    let (form, wanted) = (
        Form::of_body(&parts.headers)?,
        Form::of_answer(&parts.headers)?,
    );
    let media = match form {
        Form::One(media) => media,
        Form::Records(media) => return attach::input(&node, content, media, wanted).await,
    };
    let content = body::read(&parts.headers, content).await?;
    let call: Call = media.decode(&content)?;
    check(&call).map_err(|problem| invalid(&problem))?;
    match (call.r#type(), wanted) {
        (Type::AttachContainerInput, _) => Err(unsupported(
            "Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call",
        )),
        (Type::AttachContainerOutput, wanted) => attach::output(&node, &call, wanted).await,
        (Type::LaunchNestedContainerSession, wanted) => attach::session(&node, call, wanted).await,
        (kind, Form::Records(_)) => Err(not_streamed(kind)),
        (Type::Unknown, _) => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "")),
        (kind, Form::One(media)) => match node.answer(call).await {
            // It only did something.
            Ok(answered) if answered.r#type.is_none() => Ok(StatusCode::OK.into_response()),
            Ok(answered) => Ok(answer(parts.headers, media, Box::new(answered)).await),
            Err(status) => refused_launch(kind, &status),
        },
    }
}

/// No stream of records comes of such a call.
pub(super) fn not_streamed(kind: Type) -> Refusal {
    let name = kind.as_str_name();
    unacceptable(format!(
        "Streaming response is not supported for {name} call"
    ))
}

/// That a container was launched before is no error (Mesos: NST-01).
pub(super) fn refused_launch(kind: Type, status: &Status) -> Result<Response, Refusal> {
    #[allow(deprecated, reason = "Mesos' clients use the older call")]
    let launches = matches!(
        kind,
        Type::LaunchContainer | Type::LaunchNestedContainer | Type::LaunchNestedContainerSession
    );
    match status.code() {
        Code::AlreadyExists if launches => Ok(StatusCode::ACCEPTED.into_response()),
        _ => Err(refusal(status)),
    }
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

pub(super) fn invalid(problem: &str) -> Refusal {
    Refusal::bad_request(format!("Failed to validate agent::Call: {problem}"))
}
