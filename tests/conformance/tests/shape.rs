//! The shape of answers: all that is in Mesos' is in ours, at the same place and of the same kind.
//! What it is held against are answers that a real Mesos gave.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use tepui_cluster_tests::can_isolate;
use tepui_conformance::{scene::Scene, shape::Shape};

/// What is not in our answers: whose, what, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("master-state", "flags.", "the flags are other ones"),
    ("agent-state", "flags.", "the flags are other ones"),
];

/// How long the last of it may take to be seen everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answers of Mesos by name.
fn samples() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/tests/data/samples");
    let read = |entry: fs::DirEntry| {
        let path = entry.path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let answer = serde_json::from_slice(&fs::read(path).unwrap());
        (name, answer.unwrap())
    };
    let files = fs::read_dir(folder).unwrap();
    files.map(|entry| read(entry.unwrap())).collect()
}

fn is_excepted(name: &str, path: &str) -> bool {
    let mut exceptions = EXCEPTIONS.iter();
    let excepted = exceptions.any(|(of, what, _)| *of == name && path.starts_with(what));
    // Without cgroups nothing is measured.
    let measured = name == "agent-containers" && path.starts_with("[].statistics");
    excepted || (measured && !can_isolate())
}

/// What is in Mesos' answers and not in ours, but for the exceptions.
async fn missing(scene: &Scene, samples: &BTreeMap<String, Value>) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, theirs) in samples {
        let Some(ours) = scene.answer(name).await else {
            missing.push(format!("{name}: no JSON"));
            continue;
        };
        for (path, kind) in Shape::of(theirs).without(&Shape::of(&ours)) {
            if !is_excepted(name, &path) {
                missing.push(format!("{name}: {path} is no {kind}"));
            }
        }
    }
    missing
}

#[tokio::test]
async fn answers_have_the_shape_of_mesos() {
    let samples = samples();
    assert_eq!(samples.len(), 15);
    let scene = Scene::set().await;
    let started = Instant::now();
    loop {
        let missing = missing(&scene, &samples).await;
        if missing.is_empty() {
            break;
        }
        let text = missing.join("\n");
        assert!(started.elapsed() < PATIENCE, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (name, path, why) in EXCEPTIONS {
        let ours = Shape::of(&scene.answer(name).await.unwrap());
        let mut missing = Shape::of(&samples[name]).without(&ours).into_iter();
        let needed = missing.any(|(missing, _)| missing.starts_with(path));
        assert!(
            needed,
            "{name} has all of {path}, which was not because {why}"
        );
    }
}
