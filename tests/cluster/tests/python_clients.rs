//! Frameworks and an operator on clients of Mesos that others wrote run unmodified.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::{path::PathBuf, process::Command};

use tepui_cluster_tests::Cluster;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A Python that has the clients. Says why not when they cannot be had.
fn python() -> Option<PathBuf> {
    let made = Command::new(root().join("tools/python-clients.sh")).output();
    let made = made.expect("bash runs");
    if !made.status.success() {
        let text = String::from_utf8_lossy(&made.stderr);
        let last = text.lines().last().unwrap_or_default();
        println!("not done: the Python clients cannot be installed here: {last}");
        return None;
    }
    let path = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    Some(path.into())
}

fn runs(script: &str, master: &str) {
    let Some(python) = python() else {
        return;
    };
    let cluster = Cluster::start(1);
    let script = root().join("tests/conformance/clients").join(script);
    let master = master.replace("MASTER", cluster.master.address());
    let ran = Command::new(python)
        .arg(script)
        .arg(master)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{out}\n{err}");
    println!("{out}");
}

#[test]
fn a_framework_and_an_operator_on_pymesos_run() {
    runs("with_pymesos.py", "MASTER");
}

#[test]
fn a_framework_on_mesoshttp_runs() {
    runs("with_mesoshttp.py", "http://MASTER");
}

#[test]
fn an_executor_on_pymesos_runs() {
    runs("with_pymesos_executor.py", "MASTER");
}
