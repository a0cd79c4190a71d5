//! The endpoints without a version that operators decide with. Each is a call of the v1 API in
//! another form: a part of it in JSON, or the fields of a form.

use std::collections::HashMap;

use axum::{
    extract::{Path, Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tepui_edge::http::{Page, Refusal, body};
use tepui_proto::{
    decode,
    v1::master::{Call, Response as Answer, call},
};

use super::super::Site;

/// The calls that UPDATE_QUOTA took the place of.
#[expect(deprecated, reason = "the endpoint is as old as they are")]
const SET_QUOTA: call::Type = call::Type::SetQuota;

/// A part of the answer to a read.
async fn show(
    site: Site,
    page: Page,
    kind: call::Type,
    part: impl FnOnce(Answer) -> Value,
) -> Result<Response, Refusal> {
    let answer = site.desk.read(kind).await?;
    Ok(page.show(part(answer)).await)
}

/// Does a call that is given in JSON.
async fn act(site: &Site, call: &Value, done: StatusCode) -> Result<Response, Refusal> {
    let refuse = |error: decode::DecodeError| {
        Refusal::bad_request(format!("Failed to convert JSON into protobuf: {error}"))
    };
    let call: Call = decode::json(call.to_string().as_bytes()).map_err(refuse)?;
    site.desk.call(call).await?;
    Ok(done.into_response())
}

async fn json_of(request: Request) -> Result<Value, Refusal> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(&parts.headers, content).await?;
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    let refuse = |error| Refusal::bad_request(format!("Failed to parse JSON: {error}"));
    serde_json::from_slice(text).map_err(refuse)
}

/// The fields of a form.
async fn form_of(request: Request) -> Result<HashMap<String, String>, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::method("POST", request.method()));
    }
    let (parts, content) = request.into_parts();
    let bytes = body::read(&parts.headers, content).await?;
    let refuse = |_| Refusal::bad_request("Unable to decode query string");
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes).map_err(refuse)?;
    Ok(pairs.into_iter().collect())
}

fn field<'a>(form: &'a HashMap<String, String>, name: &str) -> Result<&'a str, Refusal> {
    let missing =
        || Refusal::bad_request(format!("Missing '{name}' parameter in the request body"));
    form.get(name).map(String::as_str).ok_or_else(missing)
}

pub(super) async fn weights(
    page: Page,
    State(site): State<Site>,
    request: Request,
) -> Result<Response, Refusal> {
    match *request.method() {
        Method::GET => {
            let part = |it: Answer| json!(it.get_weights.unwrap_or_default().weight_infos);
            show(site, page, call::Type::GetWeights, part).await
        }
        Method::PUT => {
            let list = json_of(request).await?;
            let call = json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": list}});
            act(&site, &call, StatusCode::OK).await
        }
        ref other => Err(Refusal::method("GET, PUT", other)),
    }
}

pub(super) async fn quota(
    page: Page,
    State(site): State<Site>,
    request: Request,
) -> Result<Response, Refusal> {
    match *request.method() {
        Method::GET => {
            let part = |it: Answer| json!(it.get_quota.map(|it| it.status));
            show(site, page, call::Type::GetQuota, part).await
        }
        Method::POST => {
            let quota = json_of(request).await?;
            let set = json!({"quota_request": quota});
            let call = json!({"type": SET_QUOTA.as_str_name(), "set_quota": set});
            act(&site, &call, StatusCode::OK).await
        }
        ref other => Err(Refusal::method("GET, POST", other)),
    }
}

/// DELETE /quota/ROLE.
pub(super) async fn quota_of(
    State(site): State<Site>,
    Path(role): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    if request.method() != Method::DELETE {
        return Err(Refusal::method("DELETE", request.method()));
    }
    let call = json!({"type": "REMOVE_QUOTA", "remove_quota": {"role": role}});
    act(&site, &call, StatusCode::OK).await
}

pub(super) async fn schedule(
    page: Page,
    State(site): State<Site>,
    request: Request,
) -> Result<Response, Refusal> {
    match *request.method() {
        Method::GET => {
            let part = |it: Answer| json!(it.get_maintenance_schedule.map(|it| it.schedule));
            show(site, page, call::Type::GetMaintenanceSchedule, part).await
        }
        Method::POST => {
            let schedule = json!({"schedule": json_of(request).await?});
            let kind = "UPDATE_MAINTENANCE_SCHEDULE";
            let call = json!({"type": kind, "update_maintenance_schedule": schedule});
            act(&site, &call, StatusCode::OK).await
        }
        ref other => Err(Refusal::method("GET, POST", other)),
    }
}

pub(super) async fn status(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let part = |it: Answer| json!(it.get_maintenance_status.map(|it| it.status));
    show(site, page, call::Type::GetMaintenanceStatus, part).await
}

/// The call of that name, about a list of machines.
pub(super) fn machines(kind: &'static str) -> MethodRouter<Site> {
    any(
        move |State(site): State<Site>, request: Request| async move {
            if request.method() != Method::POST {
                return Err(Refusal::method("POST", request.method()));
            }
            let machines = json!({"machines": json_of(request).await?});
            let call = json!({"type": kind, kind.to_lowercase(): machines});
            act(&site, &call, StatusCode::OK).await
        },
    )
}

pub(super) async fn teardown(
    State(site): State<Site>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form_of(request).await?;
    let id = json!({"framework_id": {"value": field(&form, "frameworkId")?}});
    act(
        &site,
        &json!({"type": "TEARDOWN", "teardown": id}),
        StatusCode::OK,
    )
    .await
}

/// An operation on an agent's resources, as a form: the call of that name, and the field that lists
/// what it is about.
pub(super) fn operation(kind: &'static str, list: &'static str) -> MethodRouter<Site> {
    any(
        move |State(site): State<Site>, request: Request| async move {
            let form = form_of(request).await?;
            let agent = field(&form, "slaveId")?;
            let resources: Value = parse(field(&form, list)?.as_bytes())?;
            let order = json!({"agent_id": {"value": agent}, list: resources});
            let call = json!({"type": kind, kind.to_lowercase(): order});
            act(&site, &call, StatusCode::ACCEPTED).await
        },
    )
}
