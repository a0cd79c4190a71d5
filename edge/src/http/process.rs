//! What Mesos' library of processes serves in each of them: how much is logged, and the machine.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde_json::{Map, Value, json};

use super::{Page, Refusal};
use crate::{metrics::machine, verbosity};

/// The routes, for a site of any state.
pub fn routes<S: Clone + Send + Sync + 'static>() -> [(&'static str, MethodRouter<S>); 2] {
    [
        ("/logging/toggle", get(toggle)),
        ("/system/stats.json", get(stats)),
    ]
}

/// Says how much is logged, or changes it for a while: `?level=1&duration=10secs`.
async fn toggle(page: Page) -> Result<Response, Refusal> {
    let missing = |name| Refusal::bad_request(format!("Expecting '{name}=value' in query.\n"));
    let level = page.parameter("level");
    let Some(span) = page.duration("duration")? else {
        return match level {
            None => Ok(format!("{}\n", verbosity::level()).into_response()),
            Some(_) => Err(missing("duration")),
        };
    };
    let level = level.ok_or_else(|| missing("level"))?;
    let wrong = |_| Refusal::bad_request(format!("Invalid level '{level}'.\n"));
    let level = level.parse().map_err(wrong)?;
    let nanoseconds = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    verbosity::set_for(level, nanoseconds)
        .map_err(|text| Refusal::bad_request(format!("{text}.\n")))?;
    Ok(StatusCode::OK.into_response())
}

/// Load, processors and memory.
async fn stats(page: Page) -> Response {
    page.show(Value::Object(figures())).await
}

fn figures() -> Map<String, Value> {
    let named = machine().into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("system/")?.to_owned();
        // What is counted has no fraction.
        Some(match name.starts_with("load_") {
            true => (format!("avg_{name}"), json!(value)),
            false => (name, json!(value as u64)),
        })
    });
    named.collect()
}
