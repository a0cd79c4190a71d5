//! The endpoints without a version that people's tools use (Mesos: OPU, SBX-03).

use axum::{
    extract::{RawQuery, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tepui_agent_core::Agent;
use tepui_edge::{
    http::{Page, Refusal},
    metrics::{machine, prometheus},
};
use tepui_proto::v1::{
    self,
    agent::call::{GetContainers, ReadFile},
};
use tokio::time::timeout;

use super::{Node, files, operator::refusal, state, statistics as figures, stopping};
use crate::{limits, machine::Containers};

pub(super) fn routes<C: Containers>() -> Vec<(&'static str, MethodRouter<Node<C>>)> {
    vec![
        ("/containers", get(containers::<C>)),
        ("/files/browse", get(browse::<C>)),
        ("/files/debug", get(debug::<C>)),
        ("/files/download", get(download::<C>)),
        ("/files/read", get(read::<C>)),
        ("/flags", get(flags::<C>)),
        ("/health", get(health::<C>)),
        ("/metrics", get(all_metrics::<C>)),
        ("/metrics/snapshot", get(snapshot::<C>)),
        ("/monitor/statistics", get(statistics::<C>)),
        ("/state", get(whole::<C>)),
        ("/version", get(version)),
    ]
}

/// 200 when the core answers. The master being away is no illness of the agent.
async fn health<C: Containers>(State(node): State<Node<C>>) -> Response {
    match node.front.look(|_| ()).await {
        Some(()) => StatusCode::OK.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping\n").into_response(),
    }
}

/// What the flags are.
async fn flags<C: Containers>(page: Page, State(node): State<Node<C>>) -> Response {
    page.show(json!({"flags": flag_map(&node.flags)})).await
}

fn flag_map(flags: &[v1::Flag]) -> Map<String, Value> {
    let entry = |flag: &v1::Flag| {
        let value = flag.value.clone().unwrap_or_default();
        (flag.name.clone(), Value::from(value))
    };
    flags.iter().map(entry).collect()
}

/// The version, of which some clients take nothing but digits and dots.
async fn version(page: Page) -> Response {
    let version = tepui_model::version_info(env!("CARGO_PKG_VERSION"));
    page.show(json!(version)).await
}

/// Mesos' metrics, flat. What does not come within `timeout` is left out.
async fn snapshot<C: Containers>(
    page: Page,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let metrics = match page.duration("timeout")? {
        Some(within) => timeout(within, node.metrics())
            .await
            .unwrap_or_else(|_| Ok(machine())),
        None => node.metrics().await,
    };
    let metrics = metrics.map_err(|status| refusal(&status))?;
    let flat: Map<String, Value> = metrics
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    Ok(page.show(flat).await)
}

/// The same for Prometheus.
async fn all_metrics<C: Containers>(State(node): State<Node<C>>) -> Result<Response, Refusal> {
    const KIND: &str = "text/plain; version=0.0.4";
    let metrics = node.metrics().await.map_err(|status| refusal(&status))?;
    let counts = |name: &str| {
        let ends = ["finished", "failed", "killed", "lost", "gone"];
        let counted = ends
            .iter()
            .any(|end| name.ends_with(&format!("tasks_{end}")));
        let more = ["_updates", "_messages", "_errors", "_terminated"];
        counted || more.iter().any(|end| name.ends_with(end))
    };
    Ok(([(CONTENT_TYPE, KIND)], prometheus(&metrics, counts)).into_response())
}

/// What runs, and what it uses; with `show_nested=true` and `show_standalone=true`, also what calls
/// have launched.
async fn containers<C: Containers>(
    page: Page,
    RawQuery(query): RawQuery,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let asks = |what| query.split('&').any(|part| part == what);
    let asked = GetContainers {
        show_nested: Some(asks("show_nested=true")),
        show_standalone: Some(asks("show_standalone=true")),
    };
    let found = node
        .measured(asked)
        .await
        .map_err(|status| refusal(&status))?;
    let shown = found.iter().map(|(container, usage)| {
        json!({
            "container_id": container.container_id.value,
            "executor_id": container.executor_id.as_ref().map(|id| &id.value),
            "executor_name": container.executor_name,
            "framework_id": container.framework_id.as_ref().map(|id| &id.value),
            "source": container.executor_id.as_ref().map(|id| &id.value),
            "statistics": container.resource_statistics,
            "pressure": figures::pressure(usage),
            "processors": usage.processors,
            "gpus": usage.gpus,
            "net_cls": usage.net_class,
            "status": container.container_status,
        })
    });
    Ok(page.show(shown.collect::<Vec<_>>()).await)
}

/// What each executor uses; a task that runs alone is one.
async fn statistics<C: Containers>(
    page: Page,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let none = GetContainers::default();
    let found = node
        .measured(none)
        .await
        .map_err(|status| refusal(&status))?;
    let shown = found.iter().map(|(container, usage)| {
        json!({
            "executor_id": container.executor_id.as_ref().map(|id| &id.value),
            "executor_name": container.executor_name,
            "framework_id": container.framework_id.as_ref().map(|id| &id.value),
            "source": container.executor_id.as_ref().map(|id| &id.value),
            "statistics": container.resource_statistics,
            "pressure": figures::pressure(usage),
            "processors": usage.processors,
            "gpus": usage.gpus,
            "net_cls": usage.net_class,
        })
    });
    Ok(page.show(shown.collect::<Vec<_>>()).await)
}

/// Everything.
async fn whole<C: Containers>(
    page: Page,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let mut about = state::About {
        sandboxes: node.sandboxes.clone(),
        started: node.started_at,
        flags: flag_map(&node.flags),
        master: None,
    };
    let masters = node.masters.clone();
    let look = move |agent: &Agent| {
        let address = agent.link_id().map(|link| masters.of(link));
        let host = address.and_then(|it| it.rsplit_once(':'));
        about.master = host.map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
        state::whole(agent, about)
    };
    let shown = node.front.look(look).await;
    let shown = shown.ok_or_else(|| refusal(&stopping()))?;
    Ok(page.show(shown).await)
}

/// A path that a request names; what is wrong without one, in Mesos' words.
fn path(page: &Page) -> Result<String, Refusal> {
    let named = page.parameter("path").filter(|path| !path.is_empty());
    named
        .map(str::to_owned)
        .ok_or_else(|| Refusal::bad_request("Expecting 'path=value' in query.\n"))
}

/// The entries of a folder.
async fn browse<C: Containers>(
    page: Page,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let listed = files::list(&node.sandboxes, path(&page)?).await;
    let listed = listed.map_err(|status| refusal(&status))?;
    let shown: Vec<Value> = listed.file_infos.iter().map(entry).collect();
    Ok(page.show(shown).await)
}

fn entry(info: &v1::FileInfo) -> Value {
    let mtime = info.mtime.as_ref().map_or(0, |time| time.nanoseconds);
    json!({
        "path": info.path,
        "nlink": info.nlink,
        "size": info.size,
        "mtime": mtime as f64 / 1e9,
        "mode": permissions(info.mode()),
        "uid": info.uid,
        "gid": info.gid,
    })
}

/// A mode as `ls` shows it.
fn permissions(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let bits = (0..9).rev().zip("rwxrwxrwx".chars());
    let letters = bits.map(|(bit, letter)| if mode >> bit & 1 == 1 { letter } else { '-' });
    std::iter::once(kind).chain(letters).collect()
}

/// A part of a file, as text.
async fn read<C: Containers>(page: Page, State(node): State<Node<C>>) -> Result<Response, Refusal> {
    let path = path(&page)?;
    let number = |name: &str| -> Result<Option<i64>, Refusal> {
        let Some(text) = page.parameter(name) else {
            return Ok(None);
        };
        let refuse = |_| Refusal::bad_request(format!("Failed to parse {name}: '{text}'.\n"));
        text.parse().map(Some).map_err(refuse)
    };
    let (offset, length) = (number("offset")?.unwrap_or(-1), number("length")?);
    // Nothing is read at no offset: that is how the length of a file is asked for.
    let asks_length = offset < 0;
    let part = ReadFile {
        path,
        offset: u64::try_from(offset).unwrap_or(0),
        length: match asks_length {
            true => Some(0),
            false => length.and_then(|length| u64::try_from(length).ok()),
        },
    };
    let found = files::read(&node.sandboxes, part).await;
    let found = found.map_err(|status| refusal(&status))?;
    let offset = if asks_length {
        i64::try_from(found.size).unwrap_or(i64::MAX)
    } else {
        offset
    };
    let data = String::from_utf8_lossy(&found.data);
    Ok(page.show(json!({"data": data, "offset": offset})).await)
}

/// A whole file.
async fn download<C: Containers>(
    page: Page,
    State(node): State<Node<C>>,
) -> Result<Response, Refusal> {
    let path = path(&page)?;
    let part = |offset: u64| ReadFile {
        path: path.clone(),
        offset,
        length: Some(limits::READ_FILE_BYTES),
    };
    let first = files::read(&node.sandboxes, part(0)).await;
    let size = first.map_err(|status| refusal(&status))?.size;
    let name = path.rsplit('/').next().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|it| !it.is_control() && *it != '"')
        .collect();
    let sandboxes = node.sandboxes.clone();
    let rest = path.clone();
    // What is written meanwhile is not part of it; what is taken away breaks the answer off.
    let body = stream::try_unfold(0u64, move |offset| {
        let (sandboxes, path) = (sandboxes.clone(), rest.clone());
        async move {
            if offset >= size {
                return Ok::<_, std::io::Error>(None);
            }
            let length = Some((size - offset).min(limits::READ_FILE_BYTES));
            let part = ReadFile {
                path,
                offset,
                length,
            };
            let read = files::read(&sandboxes, part).await;
            let read = read.map_err(|status| std::io::Error::other(status.message().to_owned()))?;
            if read.data.is_empty() {
                return Err(std::io::Error::other("the file has become shorter"));
            }
            let next = offset + read.data.len() as u64;
            Ok(Some((read.data, next)))
        }
    });
    let mut response = axum::body::Body::from_stream(body.boxed()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// What paths mean: everything that is shown is below the folder of all sandboxes.
async fn debug<C: Containers>(page: Page, State(node): State<Node<C>>) -> Response {
    let folder = node.sandboxes.display().to_string();
    page.show(json!({folder.clone(): folder})).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_shown_as_ls_shows_it() {
        assert_eq!(permissions(0o100_644), "-rw-r--r--");
        assert_eq!(permissions(0o040_755), "drwxr-xr-x");
        assert_eq!(permissions(0o120_777), "lrwxrwxrwx");
    }
}
