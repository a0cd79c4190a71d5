//! Answers of a real Mesos master read as our messages, and print as they came.

use std::{fs, path::Path};

use serde_json::Value;
use tepui_proto::{decode, v1::master};

#[test]
fn what_mesos_answers_is_read_and_printed_without_a_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/samples");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // The others are pages without a version.
        if !entry.file_name().to_string_lossy().starts_with("op-") {
            continue;
        }
        let path = entry.path();
        let text = fs::read(&path).unwrap();
        let answer: master::Response = decode::json(&text).unwrap_or_else(|error| {
            panic!("{}: {error}", path.display());
        });
        let printed = serde_json::to_value(&answer).unwrap();
        let expected: Value = serde_json::from_slice(&text).unwrap();
        assert!(printed == expected, "{}", path.display());
        read += 1;
    }
    assert_eq!(read, 7);
}
