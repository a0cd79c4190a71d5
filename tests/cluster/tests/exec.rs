//! `tepui exec`: programs in the containers of running tasks, with a terminal and without.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use tepui_cluster_tests::{Cluster, Ran, can_isolate, eventually, program};

/// A cluster with a task that stays, and the task's id.
fn with_task() -> (Cluster, Child, String) {
    let cluster = Cluster::start(1);
    let line = "export WORD=task; echo up; exec sleep 1000";
    let child = cluster.spawn(&["run", "--env", "GREETING=hello", "--", "sh", "-c", line]);
    let task = cluster.await_running(1).remove(0);
    let id = task["task_id"]["value"].as_str().unwrap().to_owned();
    (cluster, child, id)
}

fn end(cluster: Cluster, mut child: Child) {
    drop(cluster);
    child.kill().ok();
    child.wait().unwrap();
}

/// Runs `tepui exec` with an input.
fn exec(cluster: &Cluster, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(program());
    command
        .args(["exec", "--master", cluster.master.address()])
        .args(arguments);
    feed(command, input)
}

/// The same at a terminal, which `script` makes for it.
fn exec_at_terminal(cluster: &Cluster, task: &str, line: &str, input: &[u8]) -> Ran {
    let program = program().display().to_string();
    let master = cluster.master.address();
    let line = format!("{program} exec --master {master} -it {task} -- sh -c '{line}'");
    let mut command = Command::new("script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    feed(command, input)
}

fn feed(mut command: Command, input: &[u8]) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// How many processes of this machine have a word in their command line.
fn processes(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let has = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(word);
    lines.filter(has).count()
}

#[test]
fn without_a_terminal_output_error_input_and_exit_code_are_passed_on() {
    let (cluster, child, task) = with_task();
    let line = "echo $GREETING $MORE; cat; echo err >&2; exit 7";
    let arguments = ["-i", "--env", "MORE=you", &task, "--", "sh", "-c", line];
    let input = "x".repeat(200_000);
    let ran = exec(&cluster, &arguments, input.as_bytes());
    assert_eq!(ran.code, Some(7), "{}", ran.error);
    assert_eq!(ran.error, "err\n");
    assert!(ran.output == format!("hello you\n{input}"), "all of it");
    // Without -i nothing is read, and the program sees the end at once.
    let ran = exec(&cluster, &[&task, "--", "cat"], b"not for you");
    assert_eq!((ran.code, ran.output.as_str()), (Some(0), ""), "{ran:?}");
    let ran = exec(&cluster, &[&task, "--", "sh", "-c", "kill -9 $$"], b"");
    assert_eq!(ran.code, Some(137), "{ran:?}");
    let ran = exec(&cluster, &["--workdir", "/etc", &task, "--", "pwd"], b"");
    assert_eq!(ran.ok(), "/etc\n");
    end(cluster, child);
}

#[test]
fn a_terminal_is_one_and_its_exit_code_is_passed_on() {
    let (cluster, child, task) = with_task();
    if !can_isolate() {
        return end(cluster, child);
    }
    let line = "tty; test -t 0 && echo is-one; read word; echo got-$word; exit 9";
    let ran = exec_at_terminal(&cluster, &task, line, b"hello\n");
    assert_eq!(ran.code, Some(9), "{ran:?}");
    for text in ["/dev/pts/0", "is-one", "got-hello"] {
        assert!(ran.output.contains(text), "{text}: {ran:?}");
    }
    // In a script there is no terminal to pass on.
    let ran = exec(&cluster, &["-it", &task, "--", "sh"], b"");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.error.contains("needs a terminal"), "{ran:?}");
    end(cluster, child);
}

#[test]
fn what_cannot_be_run_and_who_is_not_there_is_said() {
    let (cluster, child, task) = with_task();
    let ran = exec(&cluster, &[&task, "--", "/no/such/program"], b"");
    assert_eq!(ran.code, Some(127), "{ran:?}");
    assert!(ran.error.contains("/no/such/program"), "{ran:?}");
    let ran = exec(&cluster, &[&task, "--", "/etc/passwd"], b"");
    assert_eq!(ran.code, Some(126), "{ran:?}");
    let ran = exec(&cluster, &["nobody", "--", "true"], b"");
    assert!(ran.error.contains("there is no task 'nobody'"), "{ran:?}");
    cluster.tepui(&["kill", &task]).ok();
    eventually("the task is over", || {
        cluster.tasks().is_empty().then_some(())
    });
    let ran = exec(&cluster, &[&task, "--", "true"], b"");
    assert!(ran.error.contains("no task"), "{ran:?}");
    end(cluster, child);
}

#[test]
fn a_program_ends_with_its_client_with_its_task_and_with_the_agent() {
    let (mut cluster, child, task) = with_task();
    if !can_isolate() {
        return end(cluster, child);
    }
    let line = "trap \"\" TERM HUP; setsid sleep 4721.5 & echo up; sleep 4721.5";
    let start = |cluster: &Cluster| {
        let mut child = cluster.spawn(&["exec", &task, "--", "sh", "-c", line]);
        let mut first = [0; 3];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut first)
            .unwrap();
        child
    };
    let gone = || {
        eventually("nothing is left of it", || {
            (processes("sleep\x004721.5") == 0).then_some(())
        });
    };
    // The client vanishes without a word.
    let mut client = start(&cluster);
    client.kill().unwrap();
    client.wait().unwrap();
    gone();
    // So does the agent; the next one finds the task, and sessions can be opened again.
    let mut client = start(&cluster);
    cluster.agents[0].kill_hard();
    assert_eq!(client.wait().unwrap().code(), Some(3));
    gone();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    cluster.await_running(1);
    let ran = exec(&cluster, &[&task, "--", "echo", "again"], b"");
    assert_eq!(ran.ok(), "again\n");
    // And so does the task.
    let mut client = start(&cluster);
    cluster.tepui(&["kill", &task]).ok();
    assert_eq!(client.wait().unwrap().code(), Some(137));
    gone();
    end(cluster, child);
}
