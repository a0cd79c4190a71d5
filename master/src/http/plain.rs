//! The endpoints without a version that people's tools use.

mod cluster;
mod deeds;
mod roles;
mod shapes;

use axum::{
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get},
};
use serde_json::{Map, Value, json};
use tepui_edge::{
    http::{Page, Refusal},
    metrics::machine,
};
use tepui_proto::v1::master::call;
use tokio::time::timeout;

use super::Site;
use crate::desk::metrics;

pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Site>)> {
    vec![
        (
            "/create-volumes",
            deeds::operation("CREATE_VOLUMES", "volumes"),
        ),
        (
            "/destroy-volumes",
            deeds::operation("DESTROY_VOLUMES", "volumes"),
        ),
        ("/flags", get(flags)),
        ("/frameworks", get(cluster::frameworks)),
        ("/health", get(health)),
        ("/machine/down", deeds::machines("START_MAINTENANCE")),
        ("/machine/up", deeds::machines("STOP_MAINTENANCE")),
        ("/maintenance/schedule", any(deeds::schedule)),
        ("/maintenance/status", get(deeds::status)),
        ("/metrics", get(prometheus)),
        ("/metrics/snapshot", get(snapshot)),
        ("/quota", any(deeds::quota)),
        ("/quota/{*role}", any(deeds::quota_of)),
        ("/redirect", get(redirect)),
        (
            "/reserve",
            deeds::operation("RESERVE_RESOURCES", "resources"),
        ),
        ("/roles", get(roles::roles)),
        ("/slaves", get(cluster::slaves)),
        ("/state", get(cluster::state)),
        ("/state-summary", get(cluster::summary)),
        ("/tasks", get(cluster::tasks)),
        ("/teardown", any(deeds::teardown)),
        (
            "/unreserve",
            deeds::operation("UNRESERVE_RESOURCES", "resources"),
        ),
        ("/version", get(version)),
        ("/weights", any(deeds::weights)),
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

/// What the flags are.
async fn flags(page: Page, State(site): State<Site>) -> Response {
    page.show(json!({"flags": flag_map(&site)})).await
}

fn flag_map(site: &Site) -> Map<String, Value> {
    let flags = site.desk.flags().iter();
    let entry = |flag: &tepui_proto::v1::Flag| {
        let value = flag.value.clone().unwrap_or_default();
        (flag.name.clone(), Value::from(value))
    };
    flags.map(entry).collect()
}

/// The version, of which some clients take nothing but digits and dots.
async fn version(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let answer = site.desk.read(call::Type::GetVersion).await?;
    let version = answer.get_version.map(|it| it.version_info);
    Ok(page.show(json!(version)).await)
}

/// Mesos' metrics, flat. What does not come within `timeout` is left out.
async fn snapshot(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let metrics = match page.duration("timeout")? {
        Some(within) => timeout(within, site.desk.metrics())
            .await
            .unwrap_or_else(|_| Ok(machine()))?,
        None => site.desk.metrics().await?,
    };
    let map: Map<String, Value> = metrics
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    Ok(page.show(map).await)
}

/// The same for Prometheus.
async fn prometheus(State(site): State<Site>) -> Result<Response, Refusal> {
    const KIND: &str = "text/plain; version=0.0.4";
    let text = metrics::prometheus(&site.desk.metrics().await?);
    Ok(([(CONTENT_TYPE, KIND)], text).into_response())
}
