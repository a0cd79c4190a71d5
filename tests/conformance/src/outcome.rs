//! What came of a call, without what differs from one master to the next.

use serde_json::{Map, Value};

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done; with the answer, or the events that followed.
    Done(Value),
    /// It was refused, for this reason.
    Refused(String),
}

/// What a master's answers hold that no other's do: its id, its port and its folder.
pub fn plain(value: Value, id: &str) -> Value {
    const TIMES: [&str; 9] = [
        "elected_time",
        "estimated_drain_start_time",
        "executor_pid",
        "nanoseconds",
        "port",
        "pid",
        "start_time",
        "timestamp",
        "uuid",
    ];
    match value {
        Value::String(text) => Value::String(text.replace(id, "@master")),
        Value::Array(list) => list.into_iter().map(|it| plain(it, id)).collect(),
        Value::Object(map) => {
            // A metric and a flag are compared by name.
            let named = ["metrics", "flags"];
            let show = |(key, value): (String, Value)| {
                if TIMES.contains(&key.as_str()) {
                    (key, Value::Null)
                } else if named.contains(&key.as_str()) {
                    (key, names(&value))
                } else {
                    (key, plain(value, id))
                }
            };
            Value::Object(map.into_iter().map(show).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Timers, which are told of from their first value on: whenever that comes.
const TIMERS: [&str; 2] = [
    "allocator/mesos/allocation_run_ms",
    "registrar/state_store_ms",
];

fn names(list: &Value) -> Value {
    let list = list.as_array().into_iter().flatten();
    let lasting = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        !TIMERS.iter().any(|timer| name.starts_with(timer))
    };
    let names = list.map(|entry| entry["name"].clone());
    names.filter(lasting).collect()
}
