//! The root that all containers have: a static busybox under the names of its programs.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
};

const PROGRAMS: [&str; 41] = [
    "sh", "awk", "cat", "chmod", "chown", "chroot", "cut", "date", "dd", "echo", "env", "false",
    "grep", "head", "hostname", "id", "kill", "linux32", "linux64", "ln", "ls", "mkdir", "mknod",
    "mount", "nice", "od", "ping", "pwd", "readlink", "seq", "sleep", "sort", "stat", "sync",
    "tail", "touch", "tr", "true", "umount", "unshare", "wc",
];

pub(crate) fn has_busybox() -> bool {
    Path::new("/bin/busybox").exists()
}

/// A root for one container.
pub(crate) fn make(folder: &Path) -> PathBuf {
    let root = folder.to_owned();
    for name in [
        "bin",
        "srv",
        "tmp",
        "etc",
        "proc",
        "sys",
        "dev",
        "data",
        "fixed",
        "mnt/mesos/sandbox",
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for name in PROGRAMS {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    // Where a root can only be read, nothing can be made to mount on.
    for name in ["hosts", "hostname", "resolv.conf"] {
        fs::write(root.join("etc").join(name), "").unwrap();
    }
    fs::write(root.join("srv/text"), "no program").unwrap();
    // Readable for its owner alone.
    for (name, owner) in [("of-root", 0), ("of-user", 1000)] {
        let path = root.join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    }
    root
}
