//! Attempts to get out by way of a session: its helper comes from outside, with root's whole power.

use std::{fs, os::unix::fs::PermissionsExt as _};

use tepui_containers::{ExitStatus, LaunchError, Program};

use super::{end, finish, on_terminal, open, run, spec, with_task};
use crate::machine::{AGENT, Machine, id, soon};

#[tokio::test]
async fn c01_a_session_that_runs_its_own_helper_cannot_write_to_it() {
    let Some(machine) = with_task().await else {
        return;
    };
    let before = fs::read(AGENT).unwrap();
    // The program of the process that is to run it: the helper's (CVE-2019-5736).
    let trap = machine.sandbox("task").join("trap");
    fs::write(&trap, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let session = super::SessionSpec {
        program: Program::Exec {
            path: trap.display().to_string(),
            arguments: Vec::new(),
        },
        ..spec("")
    };
    let (out, err, status) = finish(open(&machine, session).await).await;
    assert_ne!(status, ExitStatus::Code(0), "{out}{err}");
    let line = "for exe in /proc/[0-9]*/exe; do (: >> $exe) 2>/dev/null && echo BROKEN $exe; done";
    let (out, ..) = run(&machine, line).await;
    // The files of the host itself are root's to write to, where there is no root of its own.
    let of_ours = |line: &&str| line.contains("/proc/1/");
    assert_eq!(out.lines().find(of_ours), None, "{out}");
    assert!(before == fs::read(AGENT).unwrap(), "the file is as it was");
    end(machine).await;
}

#[tokio::test]
async fn c02_a_session_has_three_open_files() {
    let Some(machine) = with_task().await else {
        return;
    };
    // The list itself is the fourth. Opened by the shell, a fifth is seen: the check can fail.
    let line = "sh -c 'echo /proc/self/fd/*'; exec 7</dev/null; sh -c 'echo /proc/self/fd/*'";
    for session in [spec(line), on_terminal(line)] {
        let (out, ..) = finish(open(&machine, session).await).await;
        let counts: Vec<_> = out.lines().map(|line| line.split(' ').count()).collect();
        assert_eq!(counts, [4, 5], "{out}");
    }
    end(machine).await;
}

#[tokio::test]
async fn c03_a_session_does_not_start_where_a_file_of_ours_leads() {
    let Some(machine) = with_task().await else {
        return;
    };
    for number in 3..32 {
        let session = super::SessionSpec {
            working_dir: Some(format!("/proc/self/fd/{number}").into()),
            ..spec("pwd")
        };
        let error = machine.runtime.open_session(session).await.unwrap_err();
        assert!(matches!(error, LaunchError::Sandbox { .. }), "{error}");
    }
    end(machine).await;
}

/// Looks into every process whose name is a helper's, and still is afterwards, for as long as there
/// is no file `over`.
const WATCHER: &str = "still() { test \"$(cat $process/comm 2>/dev/null)\" = $name; }; \
    while [ ! -e over ]; do for process in /proc/[0-9]*; do \
    name=$(cat $process/comm 2>/dev/null); \
    case $name in tepui-session|tepui-launcher) echo seen; \
    for file in $process/fd/*; do test -e $file && still && echo BROKEN $file; done; \
    cat $process/environ > /dev/null 2>&1 && still && echo BROKEN environ; \
    ls -l $process/exe $process/root > /dev/null 2>&1 && still && echo BROKEN exe; \
    esac; done; done; echo whole";

#[tokio::test]
async fn a_task_as_root_cannot_look_into_the_helper_of_a_session() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let task = machine.shell("task", WATCHER);
    let sandbox = task.sandbox.clone();
    machine.runtime.launch(task).await.unwrap();
    for _ in 0..40 {
        let (out, ..) = run(&machine, "echo up").await;
        assert_eq!(out, "up\n");
    }
    fs::write(sandbox.join("over"), "").unwrap();
    machine.runtime.wait(&id("task")).await;
    let text = fs::read_to_string(sandbox.join("stdout")).unwrap();
    assert!(
        text.ends_with("whole\n") && !text.contains("BROKEN"),
        "{text}"
    );
    machine.runtime.remove(&id("task")).await.unwrap();
}

#[tokio::test]
async fn what_a_task_puts_at_dev_ptmx_is_not_taken_for_a_terminal() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "rm /dev/ptmx; ln -s /dev/zero /dev/ptmx; touch ready; exec sleep 1000";
    let task = machine.shell("task", line);
    let sandbox = task.sandbox.clone();
    machine.runtime.launch(task).await.unwrap();
    soon("the trap is laid", || sandbox.join("ready").exists());
    let (out, _, status) = finish(open(&machine, on_terminal("tty")).await).await;
    assert_eq!(out.trim(), "/dev/pts/0");
    assert_eq!(status, ExitStatus::Code(0));
    end(machine).await;
}

#[tokio::test]
async fn the_terminal_of_a_session_is_not_the_host_s() {
    let Some(machine) = with_task().await else {
        return;
    };
    let (out, ..) = finish(open(&machine, on_terminal("ls /dev/pts")).await).await;
    let names: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(names, ["0", "ptmx"], "nobody else's terminal is to be seen");
    end(machine).await;
}

#[tokio::test]
async fn a_session_cannot_leave_its_group() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "find /sys/fs/cgroup -name cgroup.procs | while read list; do \
                (echo $$ > $list) 2>/dev/null && echo BROKEN $list; done; echo whole";
    let (out, ..) = run(&machine, line).await;
    assert_eq!(out, "whole\n");
    end(machine).await;
}

/// As C01 from the other side: not the session's own program, but the shell that every session is
/// started by (CVE-2019-5736).
#[tokio::test]
async fn c28_a_shell_that_was_swapped_while_the_task_runs_gets_no_hold_of_the_helper() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let Some(root) = crate::roots::busybox(machine.folder.path()) else {
        return;
    };
    let before = fs::read(AGENT).unwrap();
    let task = crate::roots::rooted(&machine, "task", &root, "exec busybox sleep 1000");
    machine.runtime.launch(task).await.unwrap();
    let shell = root.join("bin/sh");
    for swapped in ["#!/proc/self/exe\n", "#!/proc/1/exe\n"] {
        fs::remove_file(&shell).unwrap();
        fs::write(&shell, swapped).unwrap();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
        match machine.runtime.open_session(spec("echo ran")).await {
            Ok(session) => {
                let (out, _, status) = finish(session).await;
                assert_ne!(status, ExitStatus::Code(0), "{out}");
            }
            Err(error) => assert!(matches!(error, LaunchError::Program { .. }), "{error}"),
        }
    }
    for swapped in ["/proc/self/exe", "/proc/1/exe"] {
        fs::remove_file(&shell).unwrap();
        std::os::unix::fs::symlink(swapped, &shell).unwrap();
        let opened = machine.runtime.open_session(spec("echo ran")).await;
        if let Ok(session) = opened {
            let (out, _, status) = finish(session).await;
            assert!(
                !out.contains("ran") && status != ExitStatus::Code(0),
                "{out}"
            );
        }
    }
    assert!(before == fs::read(AGENT).unwrap(), "the file is as it was");
    end(machine).await;
}

/// What the processes of this name may do that are in a machine's cgroups.
fn powers(machine: &Machine, name: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let read = |path: &std::path::Path, file: &str| fs::read_to_string(path.join(file));
    let ours = |path: &std::path::Path| {
        read(path, "comm").is_ok_and(|comm| comm.trim() == name)
            && read(path, "cgroup").is_ok_and(|it| it.contains(&machine.options.cgroup_root))
    };
    let processes = processes.map(|it| it.path()).filter(|path| ours(path));
    let sets = processes.map(|path| {
        let status = read(&path, "status").unwrap();
        let words = ["CapPrm:", "CapEff:", "CapBnd:", "NoNewPrivs:"].map(|word| {
            let line = status.lines().find_map(|line| line.strip_prefix(word));
            line.unwrap().trim().trim_start_matches('0').to_owned()
        });
        words.join(" ")
    });
    sets.collect()
}

#[tokio::test]
async fn helpers_keep_no_power_but_what_they_need() {
    let Some(machine) = with_task().await else {
        return;
    };
    let mut session = open(&machine, on_terminal("echo up; exec sleep 1000")).await;
    super::read_until(&mut session, "up").await;
    // To signal others, whosoever they are.
    assert_eq!(powers(&machine, "tepui-session"), ["20 20 20 1"]);
    assert_eq!(powers(&machine, "tepui-init"), ["20 20 20 1"]);
    drop(session);
    let mut task = machine.shell("console", "echo up; exec sleep 1000");
    task.terminal = Some(super::SIZE);
    machine.runtime.launch(task.clone()).await.unwrap();
    // It has come through the console.
    let written = task.sandbox.join("stdout");
    soon("it is up", || {
        fs::read_to_string(&written).is_ok_and(|text| text.contains("up"))
    });
    assert_eq!(powers(&machine, "tepui-console"), ["   1"]);
    machine.runtime.kill(&task.id).await.unwrap();
    machine.runtime.remove(&task.id).await.unwrap();
    end(machine).await;
}
