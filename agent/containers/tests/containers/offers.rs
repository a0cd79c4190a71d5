//! What this machine has for each isolator.

use std::fs;

use tepui_containers::{InitProgram, Isolator, offers};

use crate::machine::{AGENT, Machine};

#[tokio::test]
async fn every_isolator_that_a_runtime_starts_with_is_said_to_work_and_nothing_is_left() {
    let Some(_machine) = Machine::new() else {
        return;
    };
    let found = offers(&InitProgram::Path(AGENT.into())).unwrap();
    let names: Vec<_> = found.iter().map(|offer| offer.isolator).collect();
    assert_eq!(names, Isolator::ALL);
    // A runtime with all of them was made above.
    assert!(
        found
            .iter()
            .all(|offer| offer.isolator.is_extra() || offer.missing.is_none()),
        "{found:?}"
    );
    let left = format!("tepui-look-{}", std::process::id());
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    for hierarchy in hierarchies {
        assert!(!hierarchy.path().join(&left).exists(), "{hierarchy:?}");
    }
}
