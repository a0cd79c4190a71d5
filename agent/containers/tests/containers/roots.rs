//! Roots of their own, and what images may have put into them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use tepui_containers::{RootSpec, Spec, VolumeKind, VolumeSpec};

use crate::machine::{Machine, exited, id};

/// A root with a static busybox, the smallest that a shell runs in. `None`, with a line that says
/// why, on a machine without one.
pub(crate) fn busybox(folder: &Path) -> Option<PathBuf> {
    let root = folder.join("busybox");
    fs::create_dir_all(root.join("bin")).unwrap();
    if fs::copy("/bin/busybox", root.join("bin/busybox")).is_err() {
        eprintln!("not run: it takes a static /bin/busybox (Debian: busybox-static)");
        return None;
    }
    for name in [
        "sh", "ls", "cat", "echo", "mount", "mknod", "dd", "stat", "pwd", "grep",
    ] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    Some(root)
}

/// A container with this root, which is written to.
pub(crate) fn rooted(machine: &Machine, name: &str, root: &Path, line: &str) -> Spec {
    let mut spec = machine.shell(name, line);
    spec.root = Some(RootSpec::Folder {
        path: root.to_owned(),
        read_only: false,
    });
    spec
}

/// A machine with a root for its containers.
fn with_root() -> Option<(Machine, PathBuf)> {
    let machine = Machine::new()?;
    let root = busybox(machine.folder.path())?;
    Some((machine, root))
}

#[tokio::test]
async fn a_container_sees_its_own_root_and_nothing_of_the_host_s() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    let mut spec = rooted(
        &machine,
        "own",
        &root,
        "pwd; ls /; echo kept > file; cat /etc/hostname; grep -c . /proc/self/mountinfo; \
         ls /etc; grep -c localhost /etc/hosts",
    );
    spec.hostname = Some("inside".to_owned());
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.exit, exited(0), "{outcome:?}");
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!(lines[0], "/mnt/mesos/sandbox");
    assert_eq!(
        lines[1..8],
        ["bin", "dev", "etc", "mnt", "proc", "sys", "inside"]
    );
    assert_eq!(lines[9..], ["hostname", "hosts", "resolv.conf", "2"]);
    assert_eq!(fs::read_to_string(sandbox.join("file")).unwrap(), "kept\n");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = machine.folder.path().to_str().unwrap();
    assert!(!mounts.contains(folder), "nothing is mounted on the host");
}

#[tokio::test]
async fn layers_are_seen_as_one_and_only_the_upper_one_is_written_to() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    let at = |name: &str| machine.folder.path().join(name);
    for name in ["top", "upper", "work"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("top/both"), "top").unwrap();
    fs::write(root.join("both"), "bottom").unwrap();
    let line = "cat /both; echo changed > /both; echo new > /new; cat /both";
    let mut spec = machine.shell("layers", line);
    spec.root = Some(RootSpec::Layers {
        lower: vec![at("top"), root.clone()],
        upper: at("upper"),
        work: at("work"),
    });
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "topchanged\n", "{outcome:?}");
    assert_eq!(fs::read_to_string(at("top/both")).unwrap(), "top");
    assert!(!root.join("new").exists() && !root.join("proc").exists());
    assert_eq!(fs::read_to_string(at("upper/new")).unwrap(), "new\n");
}

#[tokio::test]
async fn volumes_are_where_they_are_asked_for_inside_the_root() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    let data = machine.folder.path().join("data");
    fs::create_dir(&data).unwrap();
    // What a link says is meant from the container's root.
    symlink("/srv", root.join("link")).unwrap();
    fs::create_dir(root.join("srv")).unwrap();
    let line = "echo 1 > /deep/down/one; echo 2 > /link/two; echo 3 > here/three; ls /srv";
    let mut spec = rooted(&machine, "volumes", &root, line);
    for target in ["/deep/down", "/link", "here"] {
        spec.volumes.push(VolumeSpec {
            kind: VolumeKind::Given,
            source: data.clone(),
            target: target.into(),
            read_only: false,
            shared: true,
        });
    }
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "one\nthree\ntwo\n", "{outcome:?}");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 3);
    assert!(!Path::new("/srv/two").exists());
}

#[tokio::test]
async fn a_working_directory_is_looked_up_inside_the_root() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    fs::create_dir(root.join("app")).unwrap();
    let mut spec = rooted(&machine, "app", &root, "pwd");
    spec.working_dir = Some("/app".into());
    assert_eq!(machine.run(spec.clone()).await.out, "/app\n");
    spec.working_dir = Some("/none".into());
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(error.to_string().contains("/none"), "{error}");
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn c03_no_working_directory_leads_through_an_open_file() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    for number in 3..=64 {
        let mut spec = rooted(&machine, "cwd", &root, "pwd");
        let path = format!("/proc/self/fd/{number}");
        spec.working_dir = Some(PathBuf::from(&path));
        assert!(
            machine.runtime.launch(spec.clone()).await.is_err(),
            "{number}"
        );
        let link = root.join("cwd");
        symlink(&path, &link).unwrap();
        spec.working_dir = Some("/cwd".into());
        assert!(machine.runtime.launch(spec).await.is_err(), "{number}");
        fs::remove_file(link).unwrap();
    }
    // The check can succeed: it is the place that is refused.
    let mut spec = rooted(&machine, "cwd", &root, "pwd");
    spec.working_dir = Some("/proc/sys".into());
    assert!(machine.runtime.launch(spec).await.is_ok());
    machine.runtime.wait(&id("cwd")).await;
}

#[tokio::test]
async fn c04_an_image_with_links_where_we_mount_is_refused() {
    let Some((machine, _)) = with_root() else {
        return;
    };
    let outside = machine.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let traps = [
        "proc",
        "sys",
        "dev",
        "etc",
        "etc/resolv.conf",
        "etc/hosts",
        "mnt",
        "mnt/mesos/sandbox",
    ];
    for trap in traps {
        let folder = machine.folder.path().join(trap.replace('/', "-"));
        fs::create_dir(&folder).unwrap();
        let root = busybox(&folder).unwrap();
        let path = root.join(trap);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&outside, &path).unwrap();
        let name = trap.replace('/', "-");
        let spec = rooted(&machine, &name, &root, "echo ran");
        let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
        assert!(
            error.to_string().contains("symbolic link"),
            "{trap}: {error}"
        );
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{trap}");
        // Without the trap it runs.
        fs::remove_file(&path).unwrap();
        assert_eq!(machine.run(spec).await.out, "ran\n", "{trap}");
    }
}

#[tokio::test]
async fn c04_devices_in_an_image_are_no_devices() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    fs::create_dir(root.join("dev")).unwrap();
    fs::write(root.join("dev/null"), "trap").unwrap();
    let zero = nix::sys::stat::makedev(1, 5);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    let kind = nix::sys::stat::SFlag::S_IFCHR;
    nix::sys::stat::mknod(&root.join("zero"), kind, mode, zero).unwrap();
    let line = "cat /dev/null; dd if=/dev/zero bs=1 count=1 2>/dev/null | grep -c . >/dev/null; \
                dd if=/zero bs=1 count=1 of=/dev/null 2>/dev/null || echo NO";
    let outcome = machine.run(rooted(&machine, "devices", &root, line)).await;
    assert_eq!(outcome.out, "NO\n", "{outcome:?}");
    assert_eq!(fs::read_to_string(root.join("dev/null")).unwrap(), "trap");
}

/// Exchanges two names without end, until told to stop.
fn race(one: PathBuf, other: PathBuf, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let flags = RenameFlags::RENAME_EXCHANGE;
            renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).unwrap();
            count += 1;
        }
        count
    })
}

/// Launches per race, unless TEPUI_TEST_RACES says more. Each takes some milliseconds, and the
/// racer swaps thousands of times in it.
const RACES: u32 = 150;

fn races() -> u32 {
    let asked = std::env::var("TEPUI_TEST_RACES").ok();
    asked.map_or(RACES, |count| count.parse().unwrap())
}

#[tokio::test]
async fn c05_folders_and_links_that_change_places_lead_nowhere() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    let (data, outside) = (
        machine.folder.path().join("data"),
        machine.folder.path().join("outside"),
    );
    fs::create_dir(&data).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(root.join("race/target")).unwrap();
    fs::create_dir(root.join("swap")).unwrap();
    symlink(&outside, root.join("swap/target")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let racer = race(
        root.join("race/target"),
        root.join("swap/target"),
        Arc::clone(&stop),
    );
    let mut ran = 0_u32;
    for _ in 0..races() {
        let line = "echo x > /race/target/mark 2>/dev/null; ls /";
        let mut spec = rooted(&machine, "race", &root, line);
        spec.volumes.push(VolumeSpec {
            kind: VolumeKind::Given,
            source: data.clone(),
            target: "/race/target/deep".into(),
            read_only: false,
            shared: true,
        });
        if machine.runtime.launch(spec).await.is_ok() {
            ran += 1;
            machine.runtime.wait(&id("race")).await;
            machine.runtime.remove(&id("race")).await.unwrap();
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = racer.join().unwrap();
    assert!(swaps > 1000 && ran > 0, "{swaps} swaps, {ran} ran");
    eprintln!("{ran} of {} launches ran, {swaps} swaps", races());
    // The check can fail: who follows the path by its name makes folders outside.
    while fs::symlink_metadata(root.join("race/target"))
        .unwrap()
        .is_dir()
    {
        renameat2(
            AT_FDCWD,
            &root.join("race/target"),
            AT_FDCWD,
            &root.join("swap/target"),
            RenameFlags::RENAME_EXCHANGE,
        )
        .unwrap();
    }
    fs::create_dir_all(root.join("race/target/deep")).unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn c06_a_shared_volume_in_which_links_change_places_leads_nowhere() {
    let Some((machine, root)) = with_root() else {
        return;
    };
    let at = |name: &str| machine.folder.path().join(name);
    for name in ["shared", "shared/a", "inner", "outside"] {
        fs::create_dir(at(name)).unwrap();
    }
    symlink(at("outside"), at("shared/b")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let racer = race(at("shared/a"), at("shared/b"), Arc::clone(&stop));
    let volume = |source: &str, target: &str| VolumeSpec {
        kind: VolumeKind::Given,
        source: at(source),
        target: target.into(),
        read_only: false,
        shared: true,
    };
    for _ in 0..races() {
        let mut spec = rooted(&machine, "shared", &root, "echo x > /vol/a/nested/mark");
        spec.volumes = vec![volume("shared", "/vol"), volume("inner", "/vol/a/nested")];
        if machine.runtime.launch(spec).await.is_ok() {
            machine.runtime.wait(&id("shared")).await;
            machine.runtime.remove(&id("shared")).await.unwrap();
        }
        assert_eq!(fs::read_dir(at("outside")).unwrap().count(), 0);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(racer.join().unwrap() > 1000);
}

#[tokio::test]
async fn without_the_isolator_for_files_a_root_of_its_own_is_refused() {
    let isolation = "cgroups/pids,namespaces/mnt,namespaces/pid"
        .parse()
        .unwrap();
    let Some(machine) = Machine::with(|options| options.isolation = isolation) else {
        return;
    };
    let spec = rooted(&machine, "root", Path::new("/"), "true");
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(error.to_string().contains("filesystem/linux"), "{error}");
}
