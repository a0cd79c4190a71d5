//! The endpoints without a version that people's tools use.

mod page;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde_json::{Map, Value, json};
use tepui_proto::v1::master::call;

use super::{Site, refusal::Refusal};
use page::Page;

pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Site>)> {
    vec![
        ("/flags", get(flags)),
        ("/health", get(health)),
        ("/redirect", get(redirect)),
        ("/version", get(version)),
    ]
}

/// 200 when a question came through the core and the disk in time.
async fn health(State(site): State<Site>) -> Response {
    match site.front.probe().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(status) => {
            let text = format!("{}\n", status.message());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// To the leading master, which is this one.
async fn redirect(State(site): State<Site>) -> Result<Response, Refusal> {
    let location = HeaderValue::try_from(format!("//{}", site.desk.address()));
    let location = location.map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response())
}

/// What the flags are, with names as Mesos writes them.
async fn flags(page: Page, State(site): State<Site>) -> Response {
    page.show(json!({"flags": flag_map(&site)})).await
}

fn flag_map(site: &Site) -> Map<String, Value> {
    let flags = site.desk.flags().iter();
    let entry = |flag: &tepui_proto::v1::Flag| {
        let value = flag.value.clone().unwrap_or_default();
        (flag.name.replace('-', "_"), Value::from(value))
    };
    flags.map(entry).collect()
}

/// The version, of which some clients take nothing but digits and dots.
async fn version(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let answer = site.desk.read(call::Type::GetVersion).await?;
    let version = answer.get_version.map(|it| it.version_info.version);
    Ok(page.show(json!({"version": version})).await)
}
