//! Sessions: further programs in a container that runs.

mod hostile;

use std::{fs, path::Path};

use tepui_containers::{
    ExitStatus, LaunchError, Program, Session, SessionSpec, SessionStream, Signal, Spec, WindowSize,
};
use tokio::time::timeout;

use crate::machine::{Machine, PATIENCE, id, signaled, soon};

const SIZE: WindowSize = WindowSize {
    rows: 24,
    columns: 80,
};

/// A machine with a container `task` that stays.
async fn with_task() -> Option<Machine> {
    let machine = Machine::new()?;
    machine.runtime.launch(sleeper(&machine)).await.unwrap();
    Some(machine)
}

fn sleeper(machine: &Machine) -> Spec {
    machine.shell("task", "exec sleep 1000")
}

fn spec(line: &str) -> SessionSpec {
    SessionSpec {
        container: id("task"),
        program: Program::Shell(line.to_owned()),
        environment: Vec::new(),
        working_dir: None,
        terminal: None,
    }
}

fn on_terminal(line: &str) -> SessionSpec {
    SessionSpec {
        terminal: Some(SIZE),
        ..spec(line)
    }
}

async fn open(machine: &Machine, spec: SessionSpec) -> Session {
    machine.runtime.open_session(spec).await.unwrap()
}

/// What a session wrote to its end, and how it ended.
async fn finish(mut session: Session) -> (String, String, ExitStatus) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some((stream, bytes)) = session.output.next().await {
        match stream {
            SessionStream::Output => out.extend(bytes),
            SessionStream::Error => err.extend(bytes),
        }
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(err), session.control.wait().await)
}

async fn run(machine: &Machine, line: &str) -> (String, String, ExitStatus) {
    finish(open(machine, spec(line)).await).await
}

/// Reads until what a session wrote holds a text.
async fn read_until(session: &mut Session, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let next = timeout(PATIENCE, session.output.next()).await;
        let (_, bytes) = next.unwrap_or_else(|_| panic!("{read}")).unwrap();
        read.push_str(&String::from_utf8_lossy(&bytes));
    }
    read
}

async fn end(machine: Machine) {
    let task = id("task");
    machine.runtime.kill(&task).await.unwrap();
    machine.runtime.remove(&task).await.unwrap();
    assert!(machine.groups().is_empty());
}

/// The processes whose command line has a word.
fn processes(word: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let has = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(word);
    lines.filter(has).count()
}

#[tokio::test]
async fn output_error_and_exit_code_come_out_apart() {
    let Some(machine) = with_task().await else {
        return;
    };
    let (out, err, status) = run(&machine, "echo out; echo err >&2; exit 7").await;
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!(status, ExitStatus::Code(7));
    assert_eq!(run(&machine, "kill -9 $$").await.2, ExitStatus::Signal(9));
    end(machine).await;
}

#[tokio::test]
async fn input_is_read_to_its_end() {
    let Some(machine) = with_task().await else {
        return;
    };
    let mut session = open(&machine, spec("wc -c; echo done")).await;
    // More than a pipe holds.
    let bytes = vec![b'x'; 300_000];
    session.input.write(&bytes).await.unwrap();
    session.input.end().await.unwrap();
    let (out, _, status) = finish(session).await;
    assert_eq!(out, "300000\ndone\n");
    assert_eq!(status, ExitStatus::Code(0));
    end(machine).await;
}

#[tokio::test]
async fn a_session_has_the_task_s_namespaces_cgroup_folder_and_environment() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut task = machine.shell("task", "ls -l /proc/self/ns > names; exec sleep 1000");
    task.hostname = Some("inside".to_owned());
    task.environment
        .push(("WORD".to_owned(), "task".to_owned()));
    let sandbox = task.sandbox.clone();
    machine.runtime.launch(task).await.unwrap();
    let mut wanted = spec("pwd; echo $WORD $MORE; hostname; ls -l /proc/self/ns");
    wanted.environment = vec![("MORE".to_owned(), "session".to_owned())];
    let (out, ..) = finish(open(&machine, wanted).await).await;
    let mut lines = out.lines();
    assert_eq!(lines.next(), sandbox.to_str());
    assert_eq!(lines.next(), Some("task session"));
    assert_eq!(lines.next(), Some("inside"));
    let links = |text: &str| -> Vec<String> {
        let links = text.lines().filter(|line| line.contains("->"));
        links
            .filter_map(|line| Some(line.split_once(" -> ")?.1.to_owned()))
            .collect()
    };
    let of_task = fs::read_to_string(sandbox.join("names")).unwrap();
    assert!(links(&of_task).len() > 6, "{of_task}");
    assert_eq!(links(&out), links(&of_task));
    // What it may use is what its container may.
    let groups = machine.groups();
    let mut session = open(&machine, spec("echo up; exec sleep 1000")).await;
    read_until(&mut session, "up").await;
    for group in groups {
        let below = fs::read_dir(&group).unwrap().flatten();
        let sessions = below.filter(|entry| entry.path().is_dir()).count();
        assert_eq!(sessions, 1, "{}", group.display());
    }
    drop(session);
    end(machine).await;
}

#[tokio::test]
async fn a_session_has_the_task_s_rights() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let look = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status";
    for user in [None, Some("nobody")] {
        let mut task = machine.shell("task", &format!("{look} > rights; exec sleep 1000"));
        task.user = user.map(str::to_owned);
        machine.open_way(&task);
        let sandbox = task.sandbox.clone();
        machine.runtime.launch(task).await.unwrap();
        soon("the task has looked", || {
            fs::read_to_string(sandbox.join("rights")).is_ok_and(|text| text.contains("Seccomp"))
        });
        let (out, err, _) = run(&machine, look).await;
        let expected = fs::read_to_string(sandbox.join("rights")).unwrap();
        assert_eq!(out, expected, "{user:?} {err}");
        assert!(out.contains("NoNewPrivs:\t1"), "{out}");
        let task = id("task");
        machine.runtime.kill(&task).await.unwrap();
        machine.runtime.remove(&task).await.unwrap();
        fs::remove_file(sandbox.join("rights")).unwrap();
    }
}

#[tokio::test]
async fn a_terminal_is_a_terminal_of_the_container() {
    let Some(machine) = with_task().await else {
        return;
    };
    let mut session = open(
        &machine,
        on_terminal("tty; stty size; read word; echo $word $?"),
    )
    .await;
    let text = read_until(&mut session, "24 80").await;
    assert!(text.contains("/dev/pts/0"), "{text}");
    session.input.write(b"hello\n").await.unwrap();
    let (out, err, status) = finish(session).await;
    assert!(out.contains("hello 0"), "{out}");
    assert_eq!((err.as_str(), status), ("", ExitStatus::Code(0)));
    end(machine).await;
}

#[tokio::test]
async fn a_resized_terminal_tells_its_program() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done";
    let mut session = open(&machine, on_terminal(line)).await;
    read_until(&mut session, "ready").await;
    let size = WindowSize {
        rows: 50,
        columns: 132,
    };
    session.control.resize(size).unwrap();
    read_until(&mut session, "50 132").await;
    drop(session);
    end(machine).await;
}

#[tokio::test]
async fn keys_of_a_terminal_are_signals_and_its_end_of_input_is_one() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "trap 'exit 3' INT; echo ready; while :; do sleep 0.02; done";
    let mut session = open(&machine, on_terminal(line)).await;
    read_until(&mut session, "ready").await;
    session.input.write(&[3]).await.unwrap();
    assert_eq!(session.control.wait().await, ExitStatus::Code(3));
    let mut session = open(&machine, on_terminal("cat; echo after $?")).await;
    session.input.write(b"line\n").await.unwrap();
    read_until(&mut session, "line\r\nline").await;
    session.input.end().await.unwrap();
    read_until(&mut session, "after 0").await;
    assert_eq!(session.control.wait().await, ExitStatus::Code(0));
    end(machine).await;
}

#[tokio::test]
async fn signals_reach_the_program() {
    let Some(machine) = with_task().await else {
        return;
    };
    let mut session = open(&machine, spec("echo up; exec sleep 1000")).await;
    read_until(&mut session, "up").await;
    session.control.signal(Signal::SIGTERM).unwrap();
    assert_eq!(finish(session).await.2, ExitStatus::Signal(15));
    end(machine).await;
}

#[tokio::test]
async fn what_a_session_leaves_behind_ends_with_it() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "setsid sleep 4711.25 & echo started; exit 3";
    let (out, _, status) = run(&machine, line).await;
    assert_eq!((out.as_str(), status), ("started\n", ExitStatus::Code(3)));
    assert_eq!(processes("4711.25"), 0);
    end(machine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_holds_ends_whole() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "trap '' TERM HUP; setsid sleep 4712.25 & echo up; sleep 4712.25";
    for terminal in [None, Some(SIZE)] {
        let wanted = SessionSpec {
            terminal,
            ..spec(line)
        };
        let mut session = open(&machine, wanted).await;
        read_until(&mut session, "up").await;
        drop(session);
        soon("the session is gone", || processes("4712.25") == 0);
    }
    end(machine).await;
}

#[tokio::test]
async fn a_session_dies_with_its_container() {
    let Some(machine) = with_task().await else {
        return;
    };
    let mut session = open(&machine, spec("trap '' TERM; echo up; sleep 1000")).await;
    read_until(&mut session, "up").await;
    end(machine).await;
    assert_eq!(finish(session).await.2, ExitStatus::Signal(9));
}

#[tokio::test]
async fn a_session_does_not_outlive_the_agent_and_the_task_does() {
    let Some(machine) = with_task().await else {
        return;
    };
    let line = "trap '' TERM HUP; setsid sleep 4713.25 & echo up; sleep 4713.25";
    let mut session = open(&machine, spec(line)).await;
    read_until(&mut session, "up").await;
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await.len(), 1);
    assert_eq!(processes("4713.25"), 0, "recovery ends what is left");
    drop(session);
    let (out, ..) = run(&machine, "echo again").await;
    assert_eq!(out, "again\n");
    end(machine).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_refused_by_name() {
    let Some(machine) = with_task().await else {
        return;
    };
    let wanted = SessionSpec {
        program: Program::Exec {
            path: "no-such-program".to_owned(),
            arguments: Vec::new(),
        },
        ..spec("")
    };
    let error = machine.runtime.open_session(wanted).await.unwrap_err();
    assert!(matches!(error, LaunchError::Program { .. }), "{error}");
    let wanted = SessionSpec {
        working_dir: Some("/no/such/folder".into()),
        ..spec("true")
    };
    let error = machine.runtime.open_session(wanted).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    let wanted = SessionSpec {
        container: id("other"),
        ..spec("true")
    };
    let error = machine.runtime.open_session(wanted).await.unwrap_err();
    assert!(matches!(error, LaunchError::NotRunning(_)), "{error}");
    end(machine).await;
}

#[tokio::test]
async fn sessions_are_counted() {
    let Some(machine) = with_task().await else {
        return;
    };
    let most = tepui_containers::limits::MAX_CONTAINER_SESSIONS;
    let mut sessions = Vec::new();
    for _ in 0..most {
        sessions.push(open(&machine, spec("exec sleep 1000")).await);
    }
    let error = machine
        .runtime
        .open_session(spec("true"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LaunchError::TooManySessions { .. }),
        "{error}"
    );
    let first = sessions.pop().unwrap();
    first.control.signal(Signal::SIGKILL).unwrap();
    assert_eq!(first.control.wait().await, ExitStatus::Signal(9));
    assert_eq!(run(&machine, "echo room").await.0, "room\n");
    drop(sessions);
    end(machine).await;
}

#[tokio::test]
async fn a_session_cannot_use_more_memory_than_its_container() {
    let Some(machine) = with_task().await else {
        return;
    };
    // The container has 64 MB.
    let line = "exec tail /dev/zero";
    let mut session = open(&machine, spec(line)).await;
    session.input.end().await.unwrap();
    let (.., status) = finish(session).await;
    assert_eq!(status, ExitStatus::Signal(9));
    // On v1 the kernel ends who takes too much; on v2 the container, as a whole.
    let task = id("task");
    if machine.runtime.usage(&task).await.unwrap().pids > 0 {
        machine.runtime.kill(&task).await.unwrap();
    }
    let exit = machine.runtime.wait(&task).await;
    assert!(exit.oom.is_some() || exit == signaled(9), "{exit:?}");
    machine.runtime.remove(&task).await.unwrap();
}

#[tokio::test]
async fn a_session_in_a_root_of_its_own_sees_that_root() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let root = machine.folder.path().join("root");
    let busybox = Path::new("/bin/busybox");
    if !busybox.exists() {
        return eprintln!("not run: it needs busybox-static");
    }
    fs::create_dir_all(root.join("bin")).unwrap();
    for name in ["sh", "busybox"] {
        fs::copy(busybox, root.join("bin").join(name)).unwrap();
    }
    let mut task = machine.shell("task", "exec busybox sleep 1000");
    task.root = Some(tepui_containers::RootSpec::Folder {
        path: root,
        read_only: false,
    });
    machine.runtime.launch(task).await.unwrap();
    let line = "busybox ls /; pwd; busybox tty";
    let (out, err, _) = finish(open(&machine, on_terminal(line)).await).await;
    assert!(out.contains("/mnt/mesos/sandbox"), "{out}{err}");
    assert!(!out.contains("home") && out.contains("/dev/pts/0"), "{out}");
    end(machine).await;
}
