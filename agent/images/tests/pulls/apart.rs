//! Layers are unpacked by a process that can touch nothing but the layer's folder.

use std::{
    fs::{self, File},
    io::Write as _,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tepui_images::{Digest, Error};

use crate::{Store, UNPACKER, build, layer, registry::Fake};

/// Says why a test does nothing, where it cannot be root.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not run: to confine a process takes root");
    }
    root
}

fn soon<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that sees nothing of the machine but a folder.
fn sees_only(process: u32, folder: &Path) {
    let at = |name: &str| format!("/proc/{process}/{name}");
    assert_eq!(fs::read_link(at("root")).unwrap(), folder);
    assert_eq!(fs::read_link(at("cwd")).unwrap(), folder);
    assert_eq!(fs::read(at("environ")).unwrap_or_default(), b"");
    for namespace in ["net", "ipc", "uts"] {
        let own = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        assert_ne!(fs::read_link(at(&format!("ns/{namespace}"))).unwrap(), own);
    }
    let files = fs::read_dir(at("fd")).unwrap().flatten();
    let files: Vec<PathBuf> = files
        .map(|file| fs::read_link(file.path()).unwrap())
        .collect();
    let inside = |path: &Path| path.starts_with(folder);
    let stream = |path: &Path| !path.is_absolute();
    assert!(
        files.iter().all(|path| inside(path) || stream(path)),
        "{files:?}"
    );
}

#[test]
fn l20_what_unpacks_a_layer_has_no_power_but_to_make_files_in_its_folder() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let opened = OwnedFd::from(File::open(folder.path()).unwrap());
    let mut child = Command::new(UNPACKER)
        .arg0("tepui-unpack")
        .arg("1000000")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(opened)
        .spawn()
        .unwrap();
    // Half of a layer: it waits for the rest. That it has begun is seen by the file.
    let bytes = layer("file", &[7; 4096]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..2048]).unwrap();
    let file = folder.path().join("file");
    soon("it unpacks", || file.exists().then_some(()));
    let at = |name: &str| format!("/proc/{}/{name}", child.id());
    let status = fs::read_to_string(at("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(field("Name:"), "tepui-unpack");
    assert_eq!(
        field("Uid:"),
        "65534 65534 65534 0",
        "files are made as root"
    );
    assert_eq!(field("Groups:"), "");
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(field(set), "000000008000001b", "{set}");
    }
    for set in ["CapInh:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(
        (field("NoNewPrivs:"), field("Seccomp:")),
        ("1".into(), "2".into())
    );
    sees_only(child.id(), folder.path());
    let limits = fs::read_to_string(at("limits")).unwrap();
    assert!(
        limits.contains("Max data size             536870912"),
        "{limits}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn l20_what_unpacks_a_layer_writes_nothing_outside_even_if_it_wants_to() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let attempt = |more: &[&str]| {
        let inside = tempfile::tempdir_in(folder.path()).unwrap();
        let outside = folder.path().join("outside");
        let output = Command::new(UNPACKER)
            .arg(&outside)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(OwnedFd::from(File::open(inside.path()).unwrap()))
            .output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        let made = fs::metadata(inside.path().join("made")).unwrap().uid();
        (said, made, outside.exists())
    };
    assert_eq!(attempt(&[]), ("made\n".to_owned(), 7, false));
    let (said, _, written) = attempt(&["open"]);
    assert_eq!(
        said.matches("BROKEN").count(),
        12,
        "all can succeed: {said}"
    );
    assert!(written);
}

#[tokio::test]
async fn what_hides_lower_layers_is_as_an_overlay_wants_it() {
    if !is_root() {
        return;
    }
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["d/", "d/.wh..wh..opq", "d/.wh.gone", "e/x"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o4755);
        header.set_uid(1000);
        header.set_gid(1001);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, name, &b""[..]).unwrap();
    }
    let layer = builder.into_inner().unwrap();
    let (fake, store) = (Fake::start(), Store::new());
    let name = fake.push("hides", "1", &build(std::slice::from_ref(&layer)));
    store.pull(&name).await.unwrap();
    let tree = store.folder.path().join("images/layers");
    let tree = tree.join(Digest::of(&layer).hex()).join("tree");
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(tree.join("d"), "trusted.overlay.opaque", &mut value);
    assert_eq!(value[..length.unwrap()], *b"y");
    let gone = fs::symlink_metadata(tree.join("d/gone")).unwrap();
    assert_eq!((gone.mode() & 0o170_000, gone.rdev()), (0o020_000, 0));
    let owner = |name: &str| {
        let found = fs::metadata(tree.join(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    assert_eq!(owner("e/x"), (1000, 1001, 0o4755));
    assert_eq!(owner("e"), (0, 0, 0o755), "nobody said whose it is");
}

#[tokio::test]
async fn l20_a_process_that_is_killed_fails_the_pull_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    for (what, expected) in [
        ("kill -9 $$", "ended by signal 9"),
        (
            "/usr/bin/head -c 1000 > /dev/null; kill -9 $$",
            "ended by signal 9",
        ),
        ("exit 3", "ended with 3"),
        ("printf nonsense", "said nothing"),
        ("printf Vnonsense", "said nothing"),
    ] {
        fs::write(&program, format!("#!/bin/sh\n{what}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::with(|options| options.unpacker = Some(program.clone()));
        let fake = Fake::start();
        let image = build(&[layer("file", &[7; 1 << 20])]);
        let name = fake.push("killed", "1", &image);
        let error = store.pull(&name).await.unwrap_err();
        assert!(matches!(&error, Error::Unpacker(_)), "{what}: {error}");
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(store.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_and_nothing_is_left() {
    let store = Store::with(|options| options.unpacker = Some("/nowhere/at/all".into()));
    let fake = Fake::start();
    let name = fake.push("none", "1", &build(&[layer("file", b"x")]));
    let error = store.pull(&name).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
    assert!(store.is_empty());
}
