//! Tasks and sandboxes that mean harm.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use tepui_containers::{LaunchError, Program};

use crate::machine::{AGENT, Machine, exited, id};

/// Launches into a sandbox with this in place of an output file, and expects a refusal.
async fn refused(machine: &Machine, name: &str, prepare: impl FnOnce(&Path)) {
    let spec = machine.shell(name, "echo written");
    prepare(&spec.sandbox);
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(
        matches!(error, LaunchError::Sandbox { .. }),
        "{name}: {error}"
    );
}

#[tokio::test]
async fn traps_in_place_of_output_files_are_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let victim = machine.folder.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    refused(&machine, "link", |sandbox| {
        symlink(&victim, sandbox.join("stdout")).unwrap()
    })
    .await;
    refused(&machine, "link-err", |sandbox| {
        symlink(&victim, sandbox.join("stderr")).unwrap()
    })
    .await;
    refused(&machine, "dangling", |sandbox| {
        symlink("/tmp/new", sandbox.join("stdout")).unwrap()
    })
    .await;
    refused(&machine, "second-name", |sandbox| {
        fs::hard_link(&victim, sandbox.join("stdout")).unwrap();
    })
    .await;
    refused(&machine, "folder", |sandbox| {
        fs::create_dir(sandbox.join("stdout")).unwrap()
    })
    .await;
    refused(&machine, "pipe", |sandbox| {
        nix::unistd::mkfifo(&sandbox.join("stdout"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    })
    .await;
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(machine.groups().is_empty(), "nothing is left of them");
}

#[tokio::test]
async fn a_sandbox_that_is_a_link_is_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("link", "touch here");
    let elsewhere = machine.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir(&spec.sandbox).unwrap();
    symlink(&elsewhere, &spec.sandbox).unwrap();
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    assert!(matches!(error, LaunchError::Sandbox { .. }), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    // The way there may lead over links: whoever runs the agent has laid them.
    symlink(machine.folder.path(), machine.folder.path().join("way")).unwrap();
    spec.sandbox = machine.folder.path().join("way/elsewhere");
    assert_eq!(machine.run(spec).await.exit, exited(0));
    assert!(elsewhere.join("here").exists());
}

#[tokio::test]
async fn a_working_directory_behind_an_open_file_is_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    for number in 3..20 {
        let mut spec = machine.shell("cwd", "pwd");
        spec.sandbox = format!("/proc/self/fd/{number}").into();
        assert!(
            machine.runtime.launch(spec.clone()).await.is_err(),
            "{number}"
        );
        spec.sandbox = format!("/proc/self/fd/{number}/..").into();
        assert!(machine.runtime.launch(spec).await.is_err(), "{number}");
    }
}

#[tokio::test]
async fn the_init_s_program_cannot_be_overwritten() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let before = fs::read(AGENT).unwrap();
    let line = "for exe in /proc/1/exe; do \
                (echo harm > $exe) 2>/dev/null && echo WRITTEN; \
                cp /bin/true $exe 2>/dev/null && echo COPIED; \
                truncate -s 0 $exe 2>/dev/null && echo CUT; \
                readlink $exe; done";
    let outcome = machine.run(machine.trusted("harm", line)).await;
    assert!(outcome.out.starts_with("/memfd:tepui"), "{outcome:?}");
    assert!(
        before == fs::read(AGENT).unwrap(),
        "the program on the host is as it was"
    );
    assert_eq!(
        machine.run_shell("exit 3").await.exit,
        exited(3),
        "the next container is well"
    );
}

#[tokio::test]
async fn a_task_that_runs_the_init_s_program_gets_no_launcher() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let mut spec = machine.trusted("again", "");
    spec.program = Program::Exec {
        path: "/proc/1/exe".to_owned(),
        arguments: vec!["tepui-launcher".to_owned()],
    };
    let outcome = machine.run(spec).await;
    assert_eq!(
        outcome.exit,
        exited(1),
        "its standard input is no socket: {outcome:?}"
    );
}

#[tokio::test]
async fn a_group_made_inside_is_removed_with_the_container() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    // With all of its power, root inside can undo the read-only view.
    let line = "for f in /sys/fs/cgroup /sys/fs/cgroup/*; \
        do mount -o remount,rw,bind $f 2>/dev/null; done; \
                mkdir /sys/fs/cgroup/pids/a /sys/fs/cgroup/pids/a/b /sys/fs/cgroup/a \
                /sys/fs/cgroup/a/b 2>/dev/null; \
                echo $$ > /sys/fs/cgroup/pids/a/b/cgroup.procs || echo $$ > \
                /sys/fs/cgroup/a/b/cgroup.procs; \
                cat /proc/self/cgroup";
    let outcome = machine.run(machine.trusted("group", line)).await;
    assert!(outcome.out.contains("/a/b\n"), "{outcome:?}");
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn names_of_files_in_cgroups_are_no_ids() {
    let Some(machine) = Machine::new() else {
        return;
    };
    for name in ["cgroup.procs", "memory.max", "memory.limit_in_bytes"] {
        let spec = machine.shell(name, "true");
        let _ = machine.runtime.launch(spec).await;
    }
    assert_eq!(machine.run_shell("true").await.exit, exited(0));
}

#[tokio::test]
async fn strange_ids_are_only_names() {
    let Some(machine) = Machine::new() else {
        return;
    };
    for name in ["with space", "-rf", "caf\u{e9}", "a:b=c", "%2e%2e"] {
        assert_eq!(
            machine.run(machine.shell(name, "exit 2")).await.exit,
            exited(2),
            "{name}"
        );
    }
    let long = "x".repeat(255);
    assert_eq!(
        machine.run(machine.shell(&long, "exit 2")).await.exit,
        exited(2)
    );
    assert_eq!(id(&long).as_str().len(), 255);
}

#[tokio::test]
async fn a_sandbox_of_another_user_is_given_to_the_task_s_user_only() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("theirs", "ln -s /etc/shadow stolen; cat stolen");
    spec.user = Some("nobody".to_owned());
    for folder in [machine.folder.path(), spec.sandbox.parent().unwrap()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let owner = |path: &str| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
    let outcome = machine.run(spec.clone()).await;
    assert!(outcome.err.contains("denied"), "{outcome:?}");
    assert_eq!(owner("/etc/shadow"), 0);
    // The second launch into the same sandbox finds what the first has left.
    fs::remove_file(spec.sandbox.join("stdout")).unwrap();
    symlink("/etc/shadow", spec.sandbox.join("stdout")).unwrap();
    spec.id = id("theirs-again");
    let error = machine.runtime.launch(spec).await.unwrap_err();
    let LaunchError::Sandbox { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        source.raw_os_error(),
        Some(nix::libc::ELOOP),
        "{:?}",
        io::Error::last_os_error()
    );
    assert_eq!(owner("/etc/shadow"), 0);
}
