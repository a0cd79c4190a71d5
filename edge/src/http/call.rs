//! What the endpoints of calls share: a POST whose body is a call in one of two forms, answers in
//! one of two forms, and streams of records.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use prost::Message;
use serde::Serialize;
use tepui_proto::{Described, recordio};

use super::{body, gzip, media::Media, refusal::Refusal};
use crate::{Outgoing, Shared};

/// Takes a call out of a request, in Mesos' order of checks.
pub async fn take<M: Message + Default + Described>(
    request: Request,
) -> Result<(HeaderMap, M), Refusal> {
    let (parts, content) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Refusal::method("POST", &parts.method));
    }
    let media = Media::of_body(&parts.headers)?;
    let content = body::read(&parts.headers, content).await?;
    let call = media.decode(&content)?;
    Ok((parts.headers, call))
}

/// One message as an answer. Large ones take a while to write, which other tasks need not feel.
pub async fn answer<M: Message + Serialize + 'static>(
    headers: HeaderMap,
    media: Media,
    message: Box<M>,
) -> Response {
    let write = move || {
        let mut response = gzip::answer(&headers, media.encode(&*message));
        response.headers_mut().insert(CONTENT_TYPE, media.header());
        response
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or_else(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Messages as they come, each a record and a chunk of its own. A reader that is cut off sees the
/// connection break.
pub fn stream<M: Message + Serialize + 'static>(media: Media, messages: Outgoing<M>) -> Response {
    let records =
        messages.map(move |item| item.map(|message| recordio::encode(&media.encode(&message))));
    of_records(media, Body::from_stream(records))
}

/// The same of messages that go to many.
pub fn shared_stream<M: Message + Serialize + 'static>(
    media: Media,
    messages: Outgoing<Shared<M>>,
) -> Response {
    let records = messages.map(move |item| item.map(|message| message.record(media)));
    of_records(media, Body::from_stream(records))
}

fn of_records(media: Media, body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, media.header());
    response
}
