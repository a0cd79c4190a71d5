//! Users of a container's own: root inside is nobody outside, and files keep their owners.

mod walls;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

use tepui_containers::{
    Ids, LogRoom, NetworkSpec, Parent, Program, RecoveredState, RootSpec, SecretFile, SessionSpec,
    SessionStream, Spec, Users, UsersPolicy, VolumeKind, VolumeSpec, WindowSize,
};

use crate::{
    machine::{Machine, exited, id, soon},
    roots::{busybox, rooted},
};

/// What the kernel calls who is none of a container's users.
const NOBODY: u32 = 65_534;

/// A machine that gives users to who asks, from here on.
const START: u32 = 0x7100_0000;

fn machine() -> Option<Machine> {
    machine_with(|_| {})
}

fn machine_with(change: impl FnOnce(&mut tepui_containers::Options)) -> Option<Machine> {
    Machine::with(|options| {
        options.users = format!("{START}:{}", 4 * 65_536).parse().unwrap();
        change(options);
    })
}

/// With users of its own, and nothing else to ask for.
fn own(machine: &Machine, name: &str, line: &str) -> Spec {
    let mut spec = machine.shell(name, line);
    machine.open_way(&spec);
    spec.users = Users::Own;
    spec
}

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

fn read(spec: &Spec, name: &str) -> String {
    fs::read_to_string(spec.sandbox.join(name)).unwrap_or_default()
}

async fn until_ready(spec: &Spec) {
    soon("the task is ready", || {
        read(spec, "stdout").contains("ready")
    });
}

#[tokio::test]
async fn root_inside_is_nobody_outside_and_files_keep_their_owners() {
    let Some(machine) = machine() else { return };
    let open = machine.folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    let closed = machine.folder.path().join("closed");
    fs::write(&closed, "of the host").unwrap();
    let line = format!(
        "id -u; cat /proc/self/uid_map; echo kept > kept; chown 7:8 kept; stat -c %u:%g kept; \
         echo x > {open}/file; stat -c %u {closed}; (echo x > {closed}) 2>/dev/null && echo BROKEN; \
         chown 0 {closed} 2>/dev/null && echo BROKEN; chmod 777 {closed} 2>/dev/null && echo BROKEN; \
         echo again >> /dev/stdout; touch /dev/mine && stat -c %u /dev/mine",
        open = open.display(),
        closed = closed.display(),
    );
    let spec = own(&machine, "root", &line);
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec).await;
    let words: Vec<_> = outcome.out.split_whitespace().collect();
    let start = START.to_string();
    let expected = ["0", "0", &start, "65536", "7:8", "65534", "again", "0"];
    assert_eq!(words, expected, "{outcome:?}");
    assert_eq!(owner(&sandbox.join("kept")), (7, 8), "as inside");
    assert_eq!(owner(&sandbox.join("stdout")), (0, 0));
    assert_eq!(
        owner(&open.join("file")),
        (START, START),
        "nobody's outside"
    );
    assert_eq!(fs::read_to_string(closed).unwrap(), "of the host");
}

#[tokio::test]
async fn a_user_of_the_container_is_the_same_on_the_disk_and_another_outside() {
    let Some(machine) = machine() else { return };
    let mut spec = own(
        &machine,
        "user",
        "id -u; id -g; id -G; echo mine > file; echo ready; read x",
    );
    spec.ids = Some(Ids {
        uid: 1000,
        gid: 1001,
        groups: vec![1001, 1002],
    });
    chown(&spec.sandbox, Some(1000), Some(1001)).unwrap();
    spec.program =
        Program::Shell("id -u; id -g; id -G; echo mine > file; echo ready; exec sleep 1000".into());
    spec.logs = Some(
        [LogRoom {
            bytes: tepui_containers::Bytes(1 << 16),
            kept: 1,
        }; 2],
    );
    let started = machine.runtime.launch(spec.clone()).await.unwrap();
    until_ready(&spec).await;
    assert_eq!(read(&spec, "stdout"), "1000\n1001\n1001 1002\nready\n");
    assert_eq!(owner(&spec.sandbox.join("file")), (1000, 1001));
    let children = format!("/proc/{0}/task/{0}/children", started.pid);
    let task = fs::read_to_string(children).unwrap();
    let (uid, gid) = owner(Path::new(&format!("/proc/{}", task.trim())));
    assert_eq!((uid, gid), (START + 1000, START + 1001));
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
}

#[tokio::test]
async fn a_user_that_a_container_cannot_have_is_refused() {
    let Some(machine) = machine() else { return };
    let mut spec = own(&machine, "far", "true");
    spec.ids = Some(Ids {
        uid: 65_536,
        gid: 0,
        groups: Vec::new(),
    });
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(error.to_string().contains("65536 is none of"), "{error}");
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn layers_volumes_and_secrets_belong_inside_to_whom_they_belong_on_the_disk() {
    let Some(machine) = machine() else { return };
    let Some(root) = busybox(machine.folder.path()) else {
        return;
    };
    let at = |name: &str| machine.folder.path().join(name);
    for name in ["top", "upper", "work", "data", "only"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("top/file"), "top").unwrap();
    chown(at("top/file"), Some(3), Some(4)).unwrap();
    fs::write(at("data/old"), "old").unwrap();
    chown(at("data/old"), Some(5), Some(6)).unwrap();
    let line = "stat -c %u:%g / /bin/busybox /file /data/old /secret /etc/hosts /made /dev; \
                cat /secret; echo changed >> /file; stat -c %u:%g /file; echo new > /new; \
                echo new > /data/new; echo x > /only/x; echo 127.0.0.9 nine >> /etc/hosts; \
                ls /proc/self/fd | grep -c .";
    let mut spec = own(&machine, "layers", line);
    spec.root = Some(RootSpec::Layers {
        lower: vec![at("top"), root.clone()],
        upper: at("upper"),
        work: at("work"),
    });
    spec.folders = vec!["/made".into()];
    spec.secrets = vec![SecretFile {
        target: "/secret".into(),
        content: b"hush\n".to_vec(),
    }];
    for (name, read_only) in [("data", false), ("only", true)] {
        spec.volumes.push(VolumeSpec {
            kind: VolumeKind::Given,
            source: at(name),
            target: Path::new("/").join(name),
            read_only,
            shared: true,
        });
    }
    let outcome = machine.run(spec).await;
    let lines: Vec<_> = outcome.out.lines().collect();
    let owners = ["0:0", "0:0", "3:4", "5:6", "0:0", "0:0", "0:0", "0:0"];
    assert_eq!(lines[..8], owners, "{outcome:?}");
    assert_eq!(lines[8..10], ["hush", "3:4"], "{outcome:?}");
    assert!(outcome.err.contains("Read-only"), "{outcome:?}");
    assert_eq!(
        owner(&at("top/file")),
        (3, 4),
        "shared layers stay as they are"
    );
    assert_eq!(fs::read_to_string(at("top/file")).unwrap(), "top");
    assert_eq!(owner(&at("data/new")), (0, 0));
    assert_eq!(
        owner(&at("upper/new")),
        (START, START),
        "it is the container's alone"
    );
    assert_eq!(owner(&at("upper/file")), (START + 3, START + 4));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = machine.folder.path().to_str().unwrap();
    assert!(!mounts.contains(folder), "nothing is mounted on the host");
}

#[tokio::test]
async fn a_folder_as_root_is_written_to_as_its_owners() {
    let Some(machine) = machine() else { return };
    let Some(root) = busybox(machine.folder.path()) else {
        return;
    };
    let mut spec = rooted(
        &machine,
        "folder",
        &root,
        "stat -c %u /bin; echo x > /file; pwd",
    );
    spec.users = Users::Own;
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "0\n/mnt/mesos/sandbox\n", "{outcome:?}");
    assert_eq!(owner(&root.join("file")), (0, 0));
}

#[tokio::test]
async fn each_container_has_other_users_and_gives_them_back() {
    let Some(machine) = machine_with(|options| {
        options.users = format!("{START}:131072").parse().unwrap();
    }) else {
        return;
    };
    let line = "cat /proc/self/uid_map; echo ready; exec sleep 1000";
    let specs = ["one", "two"].map(|name| own(&machine, name, line));
    for (number, spec) in (0..).zip(&specs) {
        machine.runtime.launch(spec.clone()).await.unwrap();
        until_ready(spec).await;
        let first = (START + number * 65_536).to_string();
        assert!(read(spec, "stdout").contains(&first));
    }
    let third = own(&machine, "three", "true");
    let error = machine.runtime.launch(third.clone()).await.unwrap_err();
    assert!(error.to_string().contains("--userns-remap"), "{error}");
    // One that restarts knows who has which.
    let machine = machine.restart();
    let found = machine.runtime.recover().await;
    assert!(
        found
            .iter()
            .all(|it| matches!(it.state, RecoveredState::Running(_)))
    );
    assert!(machine.runtime.launch(third.clone()).await.is_err());
    machine.runtime.kill(&specs[0].id).await.unwrap();
    machine.runtime.remove(&specs[0].id).await.unwrap();
    let outcome = machine.run(third).await;
    assert_eq!(outcome.exit, exited(0));
    machine.runtime.kill(&specs[1].id).await.unwrap();
    machine.runtime.remove(&specs[1].id).await.unwrap();
    let runtime_dir = machine.options.runtime_dir.to_str().unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(runtime_dir), "no namespace is kept");
}

#[tokio::test]
async fn sessions_are_inside_the_same_users_with_pipes_and_with_a_terminal() {
    let Some(machine) = machine() else { return };
    let line = "readlink /proc/self/ns/user; echo ready; exec sleep 1000";
    let spec = own(&machine, "task", line);
    machine.runtime.launch(spec.clone()).await.unwrap();
    until_ready(&spec).await;
    let namespace = read(&spec, "stdout").lines().next().unwrap().to_owned();
    for terminal in [false, true] {
        let line = "id -u; readlink /proc/self/ns/user; echo to > /dev/stdout; echo x > made; \
                    test -t 0 && tty; kill -0 1 2>/dev/null && echo BROKEN; true";
        let session = SessionSpec {
            container: id("task"),
            program: Program::Shell(line.to_owned()),
            environment: Vec::new(),
            working_dir: None,
            terminal: terminal.then_some(WindowSize {
                rows: 24,
                columns: 80,
            }),
        };
        let mut session = machine.runtime.open_session(session).await.unwrap();
        let mut out = Vec::new();
        while let Some((stream, bytes)) = session.output.next().await {
            assert_eq!(stream, SessionStream::Output, "{bytes:?}");
            out.extend(bytes);
        }
        let text = String::from_utf8(out).unwrap().replace('\r', "");
        let tty = if terminal { "/dev/pts/0\n" } else { "" };
        assert_eq!(text, format!("0\n{namespace}\nto\n{tty}"));
    }
    assert_eq!(owner(&spec.sandbox.join("made")), (0, 0));
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
}

#[tokio::test]
async fn a_program_at_a_terminal_has_it_for_itself() {
    let Some(machine) = machine() else { return };
    let mut spec = own(
        &machine,
        "tty",
        "tty; stat -c %u $(tty); echo hello > $(tty)",
    );
    spec.terminal = Some(WindowSize {
        rows: 24,
        columns: 80,
    });
    let outcome = machine.run(spec).await;
    let text = outcome.out.replace('\r', "");
    assert_eq!(text, "/dev/pts/0\n0\nhello\n", "{outcome:?}");
}

#[tokio::test]
async fn tasks_of_a_group_have_the_users_of_the_group_and_power_over_its_network() {
    let Some(machine) = machine() else { return };
    let mut pod = own(&machine, "pod", "");
    pod.program = Program::Hold;
    pod.network = NetworkSpec::Alone;
    machine.runtime.launch(pod.clone()).await.unwrap();
    let member = |name: &str, users: Users| {
        let line = "readlink /proc/self/ns/user; cat /proc/self/uid_map; \
                    perl -MSocket -e 'socket($s, PF_INET, SOCK_STREAM, 0) or die; \
                    bind($s, sockaddr_in(80, inet_aton(\"127.0.0.1\"))) or die' \
                    && echo bound; echo x > /dev/shm/x; touch made";
        let mut spec = machine.shell(name, line);
        machine.open_way(&spec);
        spec.users = users;
        spec.parent = Some(Parent {
            container: id("pod"),
            sandbox: machine.sandbox("pod"),
            share_processes: false,
        });
        spec
    };
    let mut said = Vec::new();
    for (name, users) in [("one", Users::Usual), ("two", Users::Own)] {
        let spec = member(name, users);
        let outcome = machine.run(spec.clone()).await;
        assert_eq!(outcome.exit, exited(0), "{outcome:?}");
        assert!(outcome.out.ends_with("bound\n"), "{outcome:?}");
        assert_eq!(owner(&spec.sandbox.join("made")), (0, 0));
        said.push(outcome.out);
    }
    assert_eq!(said[0], said[1]);
    assert!(said[0].contains(&START.to_string()));
    let error = machine
        .runtime
        .launch(member("three", Users::Machines))
        .await;
    assert!(error.unwrap_err().to_string().contains("its own"));
    machine.runtime.kill(&pod.id).await.unwrap();
    machine.runtime.remove(&pod.id).await.unwrap();
}

#[tokio::test]
async fn the_operator_decides_whether_all_have_users_of_their_own() {
    let Some(machine) = machine_with(|options| options.users_policy = UsersPolicy::Always) else {
        return;
    };
    let line = "cat /proc/self/uid_map";
    let mut spec = own(&machine, "always", line);
    spec.users = Users::Usual;
    let outcome = machine.run(spec.clone()).await;
    assert!(outcome.out.contains(&START.to_string()), "{outcome:?}");
    spec.users = Users::Machines;
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(error.to_string().contains("--user-namespaces"), "{error}");
}

#[tokio::test]
async fn c32_without_the_isolator_who_asks_is_refused_by_its_name() {
    use tepui_containers::Isolator;
    let Some(machine) =
        machine_with(|options| options.isolation = options.isolation.without(Isolator::Users))
    else {
        return;
    };
    let error = machine
        .runtime
        .launch(own(&machine, "none", "true"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("namespaces/user"), "{error}");
    let plain = machine.run_shell("cat /proc/self/uid_map").await;
    assert!(plain.out.contains("4294967295"), "{plain:?}");
}

#[tokio::test]
async fn a_launch_that_was_cut_off_leaves_no_namespace() {
    let Some(machine) = machine() else { return };
    let folder = machine.options.runtime_dir.join("containers/cut");
    fs::create_dir(&folder).unwrap();
    let users = folder.join("users");
    tepui_sys::keep_namespace(std::process::id(), "user", &users).unwrap();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(mounts().contains(users.to_str().unwrap()));
    let machine = machine.restart();
    assert!(machine.runtime.recover().await.is_empty());
    assert!(!folder.exists());
    assert!(!mounts().contains(users.to_str().unwrap()));
}
