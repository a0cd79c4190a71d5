//! `/api/v1`: the calls of operators, and the stream of events.

mod pieces;
mod validate;

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use tepui_edge::http::{
    Media, Refusal,
    call::{answer, shared_stream, take},
};
use tepui_master_core::{OperatorError, Snapshot};
use tepui_proto::v1::master::{Call, call};

use super::Site;
use crate::{desk, front::Unanswered, limits};

/// Any call.
pub(super) async fn call(State(site): State<Site>, request: Request) -> Result<Response, Refusal> {
    let (headers, call): (_, Call) = take(request).await?;
    validate::check(&call)?;
    let media = Media::of_answer(&headers)?;
    match call.r#type() {
        call::Type::Unknown => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "")),
        call::Type::Subscribe => subscribe(&site, media).await,
        kind if Snapshot::answers(kind) => pieces::answer(&site, &headers, media, call).await,
        kind => serve(&site, headers, media, kind, call).await,
    }
}

async fn subscribe(site: &Site, media: Media) -> Result<Response, Refusal> {
    let events = site.desk.watch_events().await?;
    let events = events.with_early_heartbeat(Duration::ZERO, limits::HEARTBEAT, desk::heartbeat);
    Ok(shared_stream(media, events))
}

async fn serve(
    site: &Site,
    headers: HeaderMap,
    media: Media,
    kind: call::Type,
    call: Call,
) -> Result<Response, Refusal> {
    match site.desk.call(call).await {
        Ok(Some(message)) => Ok(answer(headers, media, message).await),
        Ok(None) => Ok(done(kind).into_response()),
        Err(unanswered) => Err(refuse(kind, unanswered)),
    }
}

/// An operation on resources is only on its way to the agent.
const fn done(kind: call::Type) -> StatusCode {
    match kind {
        call::Type::ReserveResources
        | call::Type::UnreserveResources
        | call::Type::CreateVolumes
        | call::Type::DestroyVolumes
        | call::Type::GrowVolume
        | call::Type::ShrinkVolume => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    }
}

/// Two kinds of calls have a code of their own for what does not exist.
fn refuse(kind: call::Type, unanswered: Unanswered) -> Refusal {
    let has_code = matches!(
        kind,
        call::Type::MarkAgentGone | call::Type::ListFiles | call::Type::ReadFile
    );
    match unanswered {
        Unanswered::Refused(OperatorError::NotFound(text)) if has_code => {
            Refusal::new(StatusCode::NOT_FOUND, text)
        }
        other => other.into(),
    }
}
