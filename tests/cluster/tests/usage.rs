//! What people type wrongly, and what is in the way when a component starts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::net::TcpListener;

use tempfile::TempDir;
use tepui_cluster_tests::{Cluster, free_address, tepui};

#[test]
fn an_unknown_flag_is_wrong_usage_in_every_command() {
    for command in [
        "master",
        "agent",
        "dev",
        "run",
        "ps",
        "agents",
        "frameworks",
        "roles",
        "offers",
    ] {
        let ran = tepui(&[command, "--no-such-flag"]);
        assert_eq!(ran.code, Some(2), "{command}: {ran:?}");
        assert!(ran.error.contains("--no-such-flag"), "{command}: {ran:?}");
    }
}

#[test]
fn an_unreachable_master_is_told_apart_from_a_failure() {
    let nobody = free_address();
    for command in ["ps", "agents", "offers", "events"] {
        let ran = tepui(&[command, "--master", &nobody]);
        assert_eq!(ran.code, Some(3), "{command}: {ran:?}");
        assert!(ran.error.contains(&nobody), "{command}: {ran:?}");
    }
    assert_eq!(
        tepui(&["run", "--master", &nobody, "--", "true"]).code,
        Some(3)
    );
}

#[test]
fn a_task_that_is_not_there_is_a_failure() {
    let cluster = Cluster::start(0);
    for command in [["kill", "nothing"], ["logs", "nothing"]] {
        let ran = cluster.tepui(&command);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.error.contains("there is no task 'nothing'"), "{ran:?}");
    }
}

#[test]
fn malformed_resources_are_refused_with_the_place() {
    let folder = TempDir::new().unwrap();
    let work_dir = folder.path().display().to_string();
    for text in [
        "cpus",
        "cpus:-1",
        "cpus:x",
        "ports:[2-1]",
        "cpus:1;;mem",
        "mem:1e999",
    ] {
        let ran = tepui(&["agent", "--work-dir", &work_dir, "--resources", text]);
        assert_ne!(ran.code, Some(0), "{text}: {ran:?}");
        assert!(ran.error.contains("resources"), "{text}: {ran:?}");
        assert!(!ran.error.contains("panicked"), "{text}: {ran:?}");
    }
}

#[test]
fn a_port_in_use_is_named_by_master_and_agent() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for component in ["master", "agent"] {
        let folder = TempDir::new().unwrap();
        let work_dir = folder.path().display().to_string();
        let ran = tepui(&[
            component,
            "--listen",
            &address,
            "--work-dir",
            &work_dir,
            &format!(
                "--{}",
                if component == "agent" {
                    "isolation=none"
                } else {
                    "hostname=x"
                }
            ),
        ]);
        assert_eq!(ran.code, Some(1), "{component}: {ran:?}");
        assert!(ran.error.contains(&address), "{component}: {ran:?}");
    }
}

#[test]
fn a_work_dir_has_one_owner() {
    let mut cluster = Cluster::start(1);
    for (component, folder) in [("master", "master"), ("agent", "agent-0")] {
        let work_dir = cluster.folder().join(folder).display().to_string();
        let ran = tepui(&[
            component,
            "--listen",
            &free_address(),
            "--work-dir",
            &work_dir,
        ]);
        assert_eq!(ran.code, Some(1), "{component}: {ran:?}");
        assert!(ran.error.contains(&work_dir), "{component}: {ran:?}");
    }
    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
}

#[test]
fn a_configuration_file_stands_for_flags_and_knows_no_others() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("master.toml");
    std::fs::write(&file, "lissen = \"127.0.0.1:0\"\n").unwrap();
    let ran = tepui(&["master", "--config", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.error.contains("'lissen'"), "{ran:?}");
}

#[test]
fn version_help_and_completions_are_printed() {
    assert!(tepui(&["--version"]).ok().starts_with("tepui "));
    assert!(tepui(&["run", "--help"]).ok().contains("--timeout"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            tepui(&["completions", shell]).ok().contains("tepui"),
            "{shell}"
        );
    }
}
