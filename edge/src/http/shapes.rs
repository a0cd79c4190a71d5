//! Tasks and attributes as the endpoints without a version show them, made of the answers of the v1
//! API.

use serde_json::{Map, Value, json};
use tepui_proto::v1;

use super::amounts::summed;

/// The text of an id, if there is one.
pub fn id<T>(id: Option<&T>, value: impl Fn(&T) -> &String) -> String {
    id.map(|id| value(id).clone()).unwrap_or_default()
}

/// Attributes by name.
#[must_use]
pub fn attributes(list: &[v1::Attribute]) -> Value {
    let value = |attribute: &v1::Attribute| match attribute {
        v1::Attribute {
            scalar: Some(it), ..
        } => json!(it.value),
        v1::Attribute { text: Some(it), .. } => json!(it.value),
        v1::Attribute {
            ranges: Some(it), ..
        } => {
            let texts = it.range.iter().map(|it| format!("{}-{}", it.begin, it.end));
            json!(format!("[{}]", texts.collect::<Vec<_>>().join(", ")))
        }
        _ => Value::Null,
    };
    let all = list.iter().map(|it| (it.name.clone(), value(it)));
    Value::Object(all.collect())
}

/// The role that what a task takes is allocated to.
#[must_use]
pub fn role_of(task: &v1::Task) -> Option<&str> {
    let first = task.resources.first()?;
    first.allocation_info.as_ref().map(|it| it.role())
}

/// A task.
#[must_use]
pub fn task(task: &v1::Task) -> Value {
    let role = role_of(task);
    let mut map = object(json!({
        "id": task.task_id.value,
        "name": task.name,
        "framework_id": task.framework_id.value,
        "executor_id": id(task.executor_id.as_ref(), |id| &id.value),
        "slave_id": task.agent_id.value,
        "state": task.state().as_str_name(),
        "resources": summed(&task.resources),
        "statuses": task.statuses.iter().map(status).collect::<Vec<_>>(),
    }));
    let parts = [
        ("role", role.map(|it| json!(it))),
        ("user", task.user.as_ref().map(|it| json!(it))),
        ("labels", task.labels.as_ref().map(|it| json!(it.labels))),
        ("discovery", task.discovery.as_ref().map(|it| json!(it))),
        ("container", task.container.as_ref().map(|it| json!(it))),
        (
            "health_check",
            task.health_check.as_ref().map(|it| json!(it)),
        ),
    ];
    let set = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), part?)));
    map.extend(set);
    Value::Object(map)
}

fn status(status: &v1::TaskStatus) -> Value {
    let mut map = object(json!({
        "state": status.state().as_str_name(),
        "timestamp": status.timestamp(),
    }));
    let parts = [
        ("labels", status.labels.as_ref().map(|it| json!(it.labels))),
        (
            "container_status",
            status.container_status.as_ref().map(|it| json!(it)),
        ),
        ("healthy", status.healthy.map(|it| json!(it))),
    ];
    let set = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), part?)));
    map.extend(set);
    Value::Object(map)
}

/// A version and its build, as the first things that a page says.
#[must_use]
pub fn version(version: &str) -> Map<String, Value> {
    object(json!(tepui_model::version_info(version)))
}

/// The members of a value that is known to be an object.
#[must_use]
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
