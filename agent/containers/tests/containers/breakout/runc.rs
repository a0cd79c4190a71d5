//! The same attempts against runc, with its own default walls: what it holds, a check of ours may
//! ask for; and where a check passes there, it is a fair one.

use std::{fs, path::Path, process::Command};

use crate::{
    machine::Machine,
    roots::{busybox, rooted},
};

/// Attempts in busybox' shell, which hold behind runc's walls and ours.
const ATTEMPTS: [(&str, &str); 14] = [
    (
        "c02_files",
        "ls /proc/self/fd | grep -v -E '^[0123]$' && echo BROKEN",
    ),
    (
        "c07_kcore",
        "test ! -e /proc/kcore || test -c /proc/kcore || echo BROKEN",
    ),
    ("c07_keys", "grep -q . /proc/keys && echo BROKEN"),
    ("c07_timers", "grep -q . /proc/timer_list && echo BROKEN"),
    (
        "c07_firmware",
        "ls /sys/firmware | grep -q . && echo BROKEN",
    ),
    ("c08_sys", "(: >> /proc/sys/vm/swappiness) && echo BROKEN"),
    (
        "c09_core",
        "(: >> /proc/sys/kernel/core_pattern) && echo BROKEN",
    ),
    ("c09_sysrq", "(: >> /proc/sysrq-trigger) && echo BROKEN"),
    (
        "c09_sysfs",
        "(: >> /sys/kernel/mm/transparent_hugepage/enabled) && echo BROKEN",
    ),
    (
        "c10_cgroup",
        "mkdir /m; mount -t cgroup -o memory none /m && echo BROKEN",
    ),
    (
        "c13_mount",
        "mkdir /t; mount -t tmpfs none /t && echo BROKEN",
    ),
    ("c12_mknod", "mknod /disk b 8 0 && cat /disk && echo BROKEN"),
    (
        "c18_nnp",
        "grep -q 'NoNewPrivs:.1' /proc/self/status || echo BROKEN",
    ),
    (
        "c18_ambient",
        "grep -q 'CapAmb:.*[1-9a-f]' /proc/self/status && echo BROKEN",
    ),
];

/// Runs a line in a container of runc's, with the configuration that `runc spec` writes.
fn in_runc(folder: &Path, root: &Path, name: &str, line: &str) -> String {
    let bundle = folder.join("bundle").join(name);
    fs::create_dir_all(&bundle).unwrap();
    let written = Command::new("runc")
        .arg("spec")
        .current_dir(&bundle)
        .status();
    assert!(written.unwrap().success());
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/bin/sh", "-c", line]);
    config["root"] = serde_json::json!({"path": root, "readonly": false});
    fs::write(&path, config.to_string()).unwrap();
    let id = format!("tepui-{}-{name}", std::process::id());
    let output = Command::new("runc")
        .args(["run", "--bundle"])
        .args([bundle.to_str().unwrap(), &id])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_runc_holds_we_hold() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let Some(root) = busybox(machine.folder.path()) else {
        return;
    };
    let has_runc = Command::new("runc").arg("--version").output().is_ok();
    if !has_runc {
        eprintln!("runc is not installed: its half of the check is not run");
    }
    for (name, attempt) in ATTEMPTS {
        let line = format!("{{ {attempt}; }} 2>/dev/null; echo ran");
        if has_runc {
            let out = in_runc(machine.folder.path(), &root, name, &line);
            assert_eq!(out.lines().last(), Some("ran"), "{name} with runc: {out}");
            assert!(!out.contains("BROKEN"), "{name} with runc: {out}");
            for made in ["m", "t", "disk"] {
                let _ =
                    fs::remove_dir(root.join(made)).or_else(|_| fs::remove_file(root.join(made)));
            }
        }
        let outcome = machine.run(rooted(&machine, name, &root, &line)).await;
        assert_eq!(
            outcome.out.lines().last(),
            Some("ran"),
            "{name}: {outcome:?}"
        );
        assert!(!outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
    }
}
