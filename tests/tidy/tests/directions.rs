//! Who may import whom, held over what cargo says of the workspace.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;
use tepui_tidy::root;

/// Each crate and the crates of ours that it may use. The order is that of the architecture: a
/// crate uses only what stands above it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("tepui-proto", &[]),
    ("tepui-model", &["tepui-proto"]),
    ("tepui-allocator", &["tepui-model", "tepui-proto"]),
    (
        "tepui-master-core",
        &["tepui-allocator", "tepui-model", "tepui-proto"],
    ),
    ("tepui-store", &[]),
    ("tepui-edge", &["tepui-model", "tepui-proto"]),
    (
        "tepui-master",
        &[
            "tepui-allocator",
            "tepui-edge",
            "tepui-master-core",
            "tepui-model",
            "tepui-proto",
            "tepui-store",
        ],
    ),
    ("tepui-agent-core", &["tepui-model", "tepui-proto"]),
    ("tepui-sys", &[]),
    ("tepui-containers", &["tepui-model", "tepui-sys"]),
    ("tepui-images", &["tepui-model", "tepui-sys"]),
    ("tepui-fetcher", &["tepui-images"]),
    (
        "tepui-agent",
        &[
            "tepui-agent-core",
            "tepui-containers",
            "tepui-edge",
            "tepui-fetcher",
            "tepui-images",
            "tepui-model",
            "tepui-proto",
            "tepui-store",
            "tepui-sys",
        ],
    ),
    // The test kit runs a framework on the real core, and nothing else of the master.
    (
        "tepui-sdk",
        &[
            "tepui-edge",
            "tepui-master-core",
            "tepui-model",
            "tepui-proto",
            "tepui-store",
        ],
    ),
    ("tepui-libmesos", &["tepui-sdk"]),
    ("tepui-hello", &["tepui-sdk"]),
    ("tepui-primes", &["tepui-sdk"]),
    ("tepui-service", &["tepui-sdk"]),
    ("tepui-batch", &["tepui-sdk"]),
    // A library as well as a test: `tepui simulate` runs its scenarios. It knows no edge.
    (
        "tepui-sim",
        &[
            "tepui-agent-core",
            "tepui-master-core",
            "tepui-model",
            "tepui-proto",
        ],
    ),
    // The binary puts everything together, and speaks to clusters as anybody does: by the SDK.
    (
        "tepui",
        &[
            "tepui-agent",
            "tepui-batch",
            "tepui-containers",
            "tepui-edge",
            "tepui-images",
            "tepui-master",
            "tepui-sdk",
            "tepui-service",
            "tepui-sim",
            "tepui-sys",
        ],
    ),
];

/// Crates that decide and do not act, and so may not reach, even through others, for these.
const PURE: &[&str] = &[
    "tepui-model",
    "tepui-allocator",
    "tepui-master-core",
    "tepui-agent-core",
];
const IMPURE: &[&str] = &[
    "tokio",
    "tonic",
    "hyper",
    "axum",
    "librocksdb-sys",
    "nix",
    "rustix",
    "rand",
    "uuid",
];
const CLOCKS: &[&str] = &[
    "std::time::Instant",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::net",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("cargo {arguments:?} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Our crates and what each uses of ours outside its tests.
fn uses() -> BTreeMap<String, Vec<String>> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata)
        .unwrap_or_else(|error| panic!("cargo printed no JSON: {error}"));
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = |package: &Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let normal = dependencies.filter(|it| it["kind"].is_null());
        normal
            .map(|it| text(&it["name"]))
            .filter(|it| it.starts_with("tepui"))
            .collect()
    };
    packages
        .map(|package| (text(&package["name"]), ours(package)))
        .collect()
}

#[test]
fn a_crate_uses_only_what_the_architecture_allows() {
    let uses = uses();
    for (name, allowed) in MAY_USE {
        let used = uses
            .get(*name)
            .unwrap_or_else(|| panic!("{name} is not in the workspace"));
        let foreign: Vec<_> = used
            .iter()
            .filter(|it| !allowed.contains(&it.as_str()))
            .collect();
        assert!(foreign.is_empty(), "{name} may not use {foreign:?}");
    }
}

#[test]
fn a_pure_crate_reaches_no_edge_even_through_others() {
    for name in PURE {
        let tree = cargo(&[
            "tree", "-p", name, "-e", "normal", "--prefix", "none", "--locked",
        ]);
        let reached: Vec<_> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter(|it| IMPURE.contains(it))
            .collect();
        assert!(reached.is_empty(), "{name} reaches {reached:?}");
    }
}

#[test]
fn a_pure_crate_reads_no_clock_disk_or_socket() {
    let folders = ["model/", "master/allocator/", "master/core/", "agent/core/"];
    let sources = tepui_tidy::sources().expect("the sources can be read");
    let pure = sources
        .iter()
        .filter(|it| folders.iter().any(|folder| it.path.starts_with(folder)));
    let mut found = Vec::new();
    for source in pure.filter(|it| !it.is_test()) {
        let used = CLOCKS.iter().filter(|it| source.product().contains(**it));
        found.extend(used.map(|it| format!("{}: {it}", source.path)));
    }
    assert!(found.is_empty(), "{found:#?}");
}
