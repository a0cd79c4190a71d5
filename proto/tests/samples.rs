//! Answers of a real Mesos master read as our messages, and print as they came.

use std::{fs, path::Path};

use serde_json::Value;
use tepui_proto::{decode, v1::master};

#[test]
fn what_mesos_answers_is_read_and_printed_without_a_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/samples");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        let answer: master::Response = decode::json(&text).unwrap_or_else(|error| {
            panic!("{}: {error}", path.display());
        });
        let printed = serde_json::to_value(&answer).unwrap();
        let mut expected: Value = serde_json::from_slice(&text).unwrap();
        without_old_field(&mut expected);
        assert!(printed == expected, "{}", path.display());
        read += 1;
    }
    assert_eq!(read, 7);
}

/// Mesos prints a field of agents that is left of its old messages: the v1 ones do not have it.
fn without_old_field(answer: &mut Value) {
    match answer {
        Value::Object(map) => {
            if let Some(Value::Object(agent)) = map.get_mut("agent_info") {
                agent.remove("checkpoint");
            }
            map.values_mut().for_each(without_old_field);
        }
        Value::Array(list) => list.iter_mut().for_each(without_old_field),
        _ => {}
    }
}
