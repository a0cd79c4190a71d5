//! What a container is asked to be, for whichever runtime.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tepui_containers::Resource;

/// A container that both runtimes can be asked for. All have docker's capabilities, no new
/// privileges, a network of their own with nothing in it, and a root of busybox.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Unique among all setups.
    pub(crate) name: &'static str,
    /// User, group and further groups.
    pub(crate) user: (u32, u32, Vec<u32>),
    /// Whether it has docker's capabilities, or none.
    pub(crate) powerful: bool,
    pub(crate) read_only_root: bool,
    pub(crate) working_dir: &'static str,
    /// Resource, its name in OCI's words, soft and hard limit.
    pub(crate) limits: Vec<(Resource, &'static str, u64, u64)>,
    /// The name of a profile.
    pub(crate) profile: Option<&'static str>,
    /// Host's path, path inside, and whether it may only be read.
    pub(crate) volumes: Vec<(PathBuf, &'static str, bool)>,
    /// The most processes.
    pub(crate) pids: u64,
}

pub(crate) const HOSTNAME: &str = "conformance";
pub(crate) const MEMORY: u64 = 64 << 20;
/// Thousandths of a processor.
pub(crate) const MILLICPUS: u64 = 500;
pub(crate) const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/bin"),
    ("HOME", "/"),
    ("GREETING", "hello  \"world\" $HOME"),
    ("EMPTY", ""),
];
/// Docker's set.
pub(crate) const CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SYS_CHROOT",
    "MKNOD",
    "AUDIT_WRITE",
    "SETFCAP",
];

impl Setup {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            user: (0, 0, Vec::new()),
            powerful: true,
            read_only_root: false,
            working_dir: "/srv",
            limits: Vec::new(),
            profile: None,
            volumes: Vec::new(),
            pids: 1000,
        }
    }
}

/// Profiles of system calls: one that refuses some calls in several ways.
pub(crate) fn write_profiles() -> TempDir {
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
            {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"},
            {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13,
             "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("some.json"), profile).unwrap();
    folder
}
