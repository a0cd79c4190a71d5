//! What a container does not share with the host.

use std::{collections::BTreeSet, fs};

use tepui_containers::Program;

use crate::machine::{Machine, exited};

#[tokio::test]
async fn every_namespace_is_the_container_s_own() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine
        .run_shell("for n in pid mnt uts ipc cgroup; do readlink /proc/self/ns/$n; done")
        .await;
    let inside: Vec<_> = outcome.out.lines().collect();
    assert_eq!(inside.len(), 5, "{outcome:?}");
    for (name, inside) in ["pid", "mnt", "uts", "ipc", "cgroup"]
        .into_iter()
        .zip(inside)
    {
        let host = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(host.to_str().unwrap(), inside, "{name}");
    }
}

#[tokio::test]
async fn two_containers_share_no_namespace() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "for n in pid mnt uts ipc cgroup; do readlink /proc/self/ns/$n; done; sleep 0.3";
    let (one, other) = tokio::join!(machine.run_shell(line), machine.run_shell(line));
    let one: BTreeSet<_> = one.out.lines().map(str::to_owned).collect();
    assert_eq!(one.len(), 5);
    assert!(other.out.lines().all(|namespace| !one.contains(namespace)));
}

/// Java reads its limits off the first cgroup of a kind that the table of mounts names.
#[tokio::test]
async fn the_table_of_mounts_names_no_cgroups_but_its_own() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run_shell("cat /proc/self/mountinfo").await;
    let groups = outcome
        .out
        .lines()
        .filter(|line| line.contains(" - cgroup"));
    let roots: BTreeSet<_> = groups.filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!(roots, BTreeSet::from(["/"]), "{}", outcome.out);
}

#[tokio::test]
async fn the_host_name_is_its_own() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let before = nix::unistd::gethostname().unwrap();
    let mut spec = machine.trusted("uts", "hostname; hostname changed; hostname");
    spec.hostname = Some("inside".to_owned());
    assert_eq!(machine.run(spec).await.out, "inside\nchanged\n");
    assert_eq!(nix::unistd::gethostname().unwrap(), before);
    let inherited = machine.run_shell("hostname").await.out;
    assert_eq!(inherited.trim(), before.to_str().unwrap());
}

#[tokio::test]
async fn only_its_own_processes_are_seen_and_the_init_is_the_first() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine
        .run_shell("cat /proc/1/comm; echo $$; cd /proc; echo [0-9]*; ls -d /proc/self")
        .await;
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!(lines[..2], ["tepui-init", "2"], "{outcome:?}");
    assert_eq!(
        lines[2], "1 2",
        "the shell expands without a process of its own"
    );
}

#[tokio::test]
async fn the_task_leads_a_session_without_a_terminal() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run_shell("cut -d' ' -f5-8 /proc/$$/stat").await;
    assert_eq!(
        outcome.out, "2 2 0 -1\n",
        "group, session, terminal, its group"
    );
}

#[tokio::test]
async fn mounts_inside_are_not_seen_on_the_host() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let line = "mkdir here && mount -t tmpfs inside here && touch here/file && grep -c inside \
        /proc/self/mountinfo";
    let mut spec = machine.trusted(
        "mounts",
        &format!("{line}; sleep 0.3; grep shared: /proc/self/mountinfo"),
    );
    spec.limits.pids = Some(10);
    let sandbox = spec.sandbox.clone();
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    crate::machine::soon("it is mounted", || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| text == "1\n")
    });
    assert!(
        !fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(sandbox.to_str().unwrap())
    );
    assert!(!sandbox.join("here/file").exists());
    assert_eq!(
        machine.runtime.wait(&id).await,
        exited(1),
        "no mount is shared"
    );
    machine.runtime.remove(&id).await.unwrap();
}

#[tokio::test]
async fn shared_memory_and_queues_are_its_own() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let name = format!("tepui-test-{}", std::process::id());
    fs::write(format!("/dev/shm/{name}"), "host").unwrap();
    let line = "ls -A /dev/shm | wc -l; echo x > /dev/shm/inside; \
                stat -c %a /dev/shm; ipcs -m | grep -c 0x || true; \
                df -B1 --output=size /dev/shm | tail -1";
    let outcome = machine.run_shell(line).await;
    fs::remove_file(format!("/dev/shm/{name}")).unwrap();
    let lines: Vec<_> = outcome.out.split_whitespace().collect();
    assert_eq!(lines, ["0", "1777", "0", "67108864"], "{outcome:?}");
    assert!(!fs::exists("/dev/shm/inside").unwrap());
}

#[tokio::test]
async fn no_file_is_open_but_the_three_standard_ones() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    // Something that a careless agent would leak.
    let leak = fs::File::open("/etc/passwd").unwrap();
    nix::fcntl::fcntl(
        &leak,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    let mut spec = machine.trusted("files", "");
    let script = "ls -l /proc/self/fd /proc/1/fd";
    spec.program = Program::Exec {
        path: "/bin/sh".to_owned(),
        arguments: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
    };
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec).await;
    let targets: Vec<_> = outcome
        .out
        .lines()
        .filter_map(|line| line.split(" -> ").nth(1))
        .collect();
    let (out, err) = (sandbox.join("stdout"), sandbox.join("stderr"));
    let expected = ["/dev/null", out.to_str().unwrap(), err.to_str().unwrap()];
    // The init has the same three, and the file for the exit status.
    assert_eq!(&targets[..3], expected, "{outcome:?}");
    assert!(
        targets[3].ends_with("/containers/files/status"),
        "{targets:?}"
    );
    // And the task has nothing else but the folder that `ls` itself reads.
    assert_eq!(&targets[4..7], expected, "{targets:?}");
    assert!(targets[7].starts_with("/proc/"), "{targets:?}");
    assert_eq!(targets.len(), 8, "{targets:?}");
}

#[tokio::test]
async fn its_cgroups_look_like_the_root_and_can_only_be_read() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "cat /proc/self/cgroup; \
                cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max \
                2>/dev/null; \
                cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; \
                mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x; \
                for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; \
                do echo 0 > $f && echo MOVED; done";
    let mut spec = machine.shell("cgroups", line);
    spec.limits.pids = Some(20);
    let outcome = machine.run(spec).await;
    assert!(!outcome.out.contains("tepui-test"), "{}", outcome.out);
    let numbers: Vec<_> = outcome
        .out
        .lines()
        .filter(|line| !line.contains(':'))
        .collect();
    assert_eq!(numbers, ["67108864", "21"], "{outcome:?}");
    assert!(
        outcome.err.contains("Read-only file system"),
        "{}",
        outcome.err
    );
}

#[tokio::test]
async fn a_task_runs_as_its_user_and_owns_its_sandbox() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell(
        "user",
        "id -u; id -g; id -G; stat -c %u . stdout stderr; umask; touch mine; cat /etc/shadow",
    );
    spec.user = Some("nobody".to_owned());
    machine.open_way(&spec);
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec.clone()).await;
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!(
        lines,
        ["65534", "65534", "65534", "65534", "65534", "65534", "0022"],
        "{outcome:?}"
    );
    assert!(outcome.err.contains("Permission denied"), "{}", outcome.err);
    assert!(sandbox.join("mine").exists());
    spec.id = crate::machine::id("user-by-number");
    spec.user = Some("65534".to_owned());
    assert!(machine.run(spec).await.out.starts_with("65534\n"));
}

#[tokio::test]
async fn a_task_of_a_user_cannot_touch_its_init() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell(
        "init",
        "kill -KILL 1; ls /proc/1/fd; cat /proc/1/environ; exit 5",
    );
    spec.user = Some("nobody".to_owned());
    machine.open_way(&spec);
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.exit, exited(5), "{outcome:?}");
    assert_eq!(
        outcome.err.matches("denied").count() + outcome.err.matches("not permitted").count(),
        3
    );
}

#[tokio::test]
async fn shared_memory_is_as_large_as_was_asked_for() {
    let line = "df -k --output=size /dev/shm | tail -1; \
                head -c 9m /dev/zero > /dev/shm/file; stat -c %s /dev/shm/file";
    let megabytes = |count: u64| Some(tepui_containers::Bytes(count << 20));
    for (asked, usual, expected) in [
        (megabytes(8), None, "8192 8388608"),
        (megabytes(16), megabytes(8), "16384 9437184"),
        (None, megabytes(4), "4096 4194304"),
        (None, None, "65536 9437184"),
    ] {
        let Some(machine) = Machine::with(|options| options.shared_memory = usual) else {
            return;
        };
        let mut spec = machine.shell("shm", line);
        spec.shared_memory = asked;
        let out = machine.run(spec).await.out;
        let words: Vec<_> = out.split_whitespace().collect();
        assert_eq!(words.join(" "), expected);
    }
}

#[tokio::test]
async fn a_device_that_the_operator_gives_to_all_is_there_and_can_be_used() {
    let path = std::path::Path::new("/dev/kmsg");
    let Ok(device) = tepui_containers::Device::find(path) else {
        return eprintln!("not run: this machine has no /dev/kmsg");
    };
    let line = "test -c /dev/kmsg && echo there && (: >> /dev/kmsg) && echo opened";
    for (devices, expected) in [(vec![device], "there\nopened\n"), (Vec::new(), "")] {
        let Some(machine) = Machine::with(|options| options.policy.devices = devices) else {
            return;
        };
        let outcome = machine.run(machine.shell("device", line)).await;
        assert_eq!(outcome.out, expected, "{outcome:?}");
    }
}
