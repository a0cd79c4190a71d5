//! The same containers in runc, or in another runtime that is called as runc is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use crate::{
    root,
    setup::{CAPABILITIES, ENVIRONMENT, HOSTNAME, MEMORY, MILLICPUS, Setup},
    table,
};

/// What is masked, in ours as in runc.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/sys/firmware",
];

/// A runc that is installed.
pub(crate) struct Runc {
    program: &'static str,
    folder: PathBuf,
    profiles: PathBuf,
    count: AtomicU32,
}

/// A container of runc's, not yet started.
pub(crate) struct Bundle {
    program: &'static str,
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    state: PathBuf,
}

impl Runc {
    /// `None`, with a line that says so, where there is none.
    pub(crate) fn find(program: &'static str, folder: &Path, profiles: &Path) -> Option<Self> {
        if Command::new(program).arg("--version").output().is_err() {
            table::say(&format!(
                "{program} is not installed: its half is not run\n"
            ));
            return None;
        }
        Some(Self {
            program,
            folder: folder.join(program),
            profiles: profiles.to_owned(),
            count: AtomicU32::new(0),
        })
    }

    /// Writes a bundle. The arguments are the program's, with its name.
    pub(crate) fn bundle(&self, setup: &Setup, arguments: &[&str]) -> Bundle {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("tepui-conformance-{}-{number}", std::process::id());
        let folder = self.folder.join(&id);
        root::make(&folder.join("root"));
        let config = config(setup, arguments, &self.profiles, &id);
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let state = self.folder.join("state");
        Bundle {
            program: self.program,
            id,
            folder,
            state,
        }
    }
}

impl Bundle {
    /// Calls runc about this container.
    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program);
        command.arg("--root").arg(&self.state).args(arguments);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The runtime's name.
    pub(crate) fn program(&self) -> &str {
        self.program
    }

    /// Runs it to its end, when it removes itself.
    pub(crate) fn run_once(&self) -> Output {
        let folder = self.folder.to_str().unwrap();
        self.call(&["run", "--bundle", folder, &self.id])
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Output {
        let output = self.run_once();
        // One whose start failed may have left something.
        let _ = self.call(&["delete", "--force", &self.id]);
        output
    }

    /// Starts it and does not wait.
    pub(crate) fn start(&self) {
        let out = fs::File::create(self.folder.join("out")).unwrap();
        let mut command = Command::new(self.program);
        command.arg("--root").arg(&self.state);
        command.args(["run", "--detach", "--bundle"]);
        command.arg(&self.folder).arg(&self.id);
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap());
        assert!(command.stderr(out).status().unwrap().success());
    }

    /// What `runc state` says about it.
    pub(crate) fn state(&self) -> Value {
        let output = self.call(&["state", &self.id]);
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Ends it, and removes what is left.
    pub(crate) fn end(&self) {
        let _ = self.call(&["delete", "--force", &self.id]);
    }
}

fn config(setup: &Setup, arguments: &[&str], profiles: &Path, id: &str) -> Value {
    let capabilities: Vec<_> = CAPABILITIES
        .iter()
        .filter(|_| setup.powerful)
        .map(|name| format!("CAP_{name}"))
        .collect();
    let limit = |(_, name, soft, hard): &(_, &str, u64, u64)| json!({"type": name, "soft": soft, "hard": hard});
    let limits: Vec<_> = setup.limits.iter().map(limit).collect();
    let environment = ENVIRONMENT.map(|(name, value)| format!("{name}={value}"));
    let (uid, gid, groups) = &setup.user;
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    let namespaces = namespaces.map(|kind| json!({"type": kind}));
    let mut linux = json!({
        "namespaces": namespaces,
        "maskedPaths": MASKED,
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        "rootfsPropagation": "private",
        "cgroupsPath": format!("/{id}"),
        "resources": {
            "devices": [{"allow": false, "access": "rwm"}],
            "memory": {"limit": MEMORY},
            "cpu": {"quota": MILLICPUS * 100, "period": 100_000},
            "pids": {"limit": setup.pids},
        },
    });
    if let Some(name) = setup.profile {
        let profile = fs::read(profiles.join(format!("{name}.json"))).unwrap();
        linux["seccomp"] = serde_json::from_slice(&profile).unwrap();
    }
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": uid, "gid": gid, "additionalGids": groups},
            "args": arguments,
            "env": environment,
            "cwd": setup.working_dir,
            "capabilities": {"bounding": capabilities, "effective": capabilities,
                "permitted": capabilities, "inheritable": [], "ambient": []},
            "rlimits": limits,
            "noNewPrivileges": true,
        },
        "root": {"path": "root", "readonly": setup.read_only_root},
        "hostname": HOSTNAME,
        "mounts": mounts(setup),
        "linux": linux,
    })
}

fn mounts(setup: &Setup) -> Vec<Value> {
    let kernel = |target: &str, kind: &str, options: &[&str]| {
        let options: Vec<_> = ["nosuid", "noexec"].iter().chain(options).collect();
        json!({"destination": target, "type": kind, "source": kind, "options": options})
    };
    let mut mounts = vec![
        kernel("/proc", "proc", &["nodev"]),
        kernel("/dev", "tmpfs", &["mode=755", "size=65536k"]),
        kernel(
            "/dev/pts",
            "devpts",
            &["newinstance", "ptmxmode=0666", "mode=0620"],
        ),
        kernel("/dev/shm", "tmpfs", &["nodev", "mode=1777"]),
        kernel("/dev/mqueue", "mqueue", &["nodev"]),
        kernel("/sys", "sysfs", &["nodev", "ro"]),
        kernel("/sys/fs/cgroup", "cgroup", &["nodev", "ro"]),
    ];
    for (source, target, read_only) in &setup.volumes {
        let way = if *read_only { "ro" } else { "rw" };
        let options = ["rbind", "nodev", "nosuid", way];
        mounts.push(
            json!({"destination": target, "type": "bind", "source": source,
            "options": options}),
        );
    }
    mounts
}
