//! `/api/v1/scheduler`: SUBSCRIBE is answered by a stream of events, the other calls come in
//! requests of their own and name the stream that they belong to.

mod validate;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use tepui_edge::http::{
    Media, Refusal,
    call::{stream, take},
};
use tepui_master_core::{Action, ConnectionId, Event, OperatorCall, SchedulerCall, wire};
use tepui_model::FrameworkId;
use tepui_proto::v1::scheduler::{Call, call};
use uuid::Uuid;

use super::Site;
use crate::{
    driver::Input,
    limits,
    services::{frameworks::Frameworks, streams::serve_first},
    sessions::{Road, Session},
};

const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");

/// Any call.
pub(super) async fn call(State(site): State<Site>, request: Request) -> Result<Response, Refusal> {
    let (headers, mut call): (_, Call) = take(request).await?;
    validate::check(&call)?;
    if call.r#type() == call::Type::Subscribe {
        // An empty id means none.
        call.framework_id = call.framework_id.filter(|id| !id.value.is_empty());
        return subscribe(&site, &headers, call);
    }
    if call.r#type() == call::Type::ReconcileOperations {
        Media::of_answer(&headers)?;
    }
    let known = |id| FrameworkId::try_from(id).ok();
    let framework = call.framework_id.as_ref().and_then(known);
    let framework = framework.ok_or_else(unknown_framework)?;
    let connection = connection_of(&site, &framework, &headers).await?;
    if call.r#type() == call::Type::Unknown {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, ""));
    }
    let call = SchedulerCall::try_from(call);
    let call = call.map_err(|error| validate::invalid(&error.to_string()))?;
    act(&site, framework, connection, call).await
}

fn subscribe(site: &Site, headers: &HeaderMap, call: Call) -> Result<Response, Refusal> {
    let media = Media::of_answer(headers)?;
    if headers.contains_key(STREAM_ID) {
        let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
        return Err(Refusal::bad_request(text));
    }
    let id = Uuid::new_v4().to_string();
    let header = HeaderValue::try_from(&id);
    let header = header.map_err(|error| Refusal::bad_request(error.to_string()))?;
    let road = Road::Http(Arc::from(id));
    let events = serve_first::<Frameworks>(&site.front, road, call);
    // Who reads line by line sees a record when the next one begins.
    let events =
        events.with_early_heartbeat(Duration::ZERO, limits::HEARTBEAT, wire::heartbeat_event);
    let mut response = stream(media, events);
    response.headers_mut().insert(STREAM_ID, header);
    Ok(response)
}

/// The stream that a call belongs to.
async fn connection_of(
    site: &Site,
    framework: &FrameworkId,
    headers: &HeaderMap,
) -> Result<ConnectionId, Refusal> {
    let Some(Session { connection, road }) = site.front.sessions().of(framework) else {
        let find = OperatorCall::FindFramework(framework.clone());
        site.front.ask(find).await?;
        return Err(forbidden("Framework is not subscribed"));
    };
    let Road::Http(current) = road else {
        return Err(forbidden("Framework is not connected via HTTP"));
    };
    let Some(named) = headers.get(STREAM_ID) else {
        let text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
        return Err(Refusal::bad_request(text));
    };
    if named.as_bytes() != current.as_bytes() {
        let shown = &named.as_bytes()[..named.len().min(limits::STREAM_ID_BYTES)];
        return Err(Refusal::bad_request(format!(
            "The stream ID '{}' included in this request didn't match the stream ID currently \
             associated with framework ID {framework}",
            String::from_utf8_lossy(shown),
        )));
    }
    Ok(connection)
}

async fn act(
    site: &Site,
    framework_id: FrameworkId,
    connection: ConnectionId,
    call: SchedulerCall,
) -> Result<Response, Refusal> {
    if let Action::UpdateFramework(update) = call.action {
        let update = OperatorCall::UpdateFramework {
            framework_id,
            update,
        };
        site.front.ask(update).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let event = Event::Call { connection, call };
    site.front.send(Input::Event(event)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn unknown_framework() -> Refusal {
    Refusal::bad_request("Framework cannot be found")
}

fn forbidden(text: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, text)
}
