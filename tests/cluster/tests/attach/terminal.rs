//! The terminal of a task's own program: by `tepui attach`, and by Mesos' calls.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use tepui_cluster_tests::{Cluster, can_isolate, eventually, program};

use crate::client::{Connection, resize, stdin, to};

/// Somebody at a task's terminal.
struct Somebody(Child);

impl Somebody {
    fn at(cluster: &Cluster, task: &str, flags: &[&str]) -> Self {
        let child = Command::new(program())
            .args(["attach", "--master", cluster.master.address(), task])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    fn types(&mut self, text: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(text).unwrap();
    }

    fn reads_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        let mut bytes = [0; 1000];
        while !read.contains(text) {
            let count = self.0.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
            if count == 0 {
                let mut error = String::new();
                self.0
                    .stderr
                    .as_mut()
                    .unwrap()
                    .read_to_string(&mut error)
                    .unwrap();
                panic!("{read} {error}");
            }
            read += &String::from_utf8_lossy(&bytes[..count]);
        }
        read
    }

    fn leaves_with(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

#[test]
fn a_task_s_terminal_is_typed_at_left_and_found_again_by_a_later_agent() {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(1);
    let line = "while read word; do [ $word = end ] && exit 5; echo got-$word; stty size; done";
    let mut child = cluster.spawn(&["run", "-t", "--", "sh", "-c", line]);
    let task = cluster.await_running(1).remove(0);
    let id = task["task_id"]["value"].as_str().unwrap().to_owned();
    let mut somebody = Somebody::at(&cluster, &id, &[]);
    somebody.types(b"one\n");
    let seen = somebody.reads_until("24 80");
    // A terminal shows what is typed.
    assert!(seen.contains("one\r\ngot-one\r\n"), "{seen:?}");
    // One types at a time, and others may look.
    let ran = cluster.tepui(&["attach", &id]);
    assert!(ran.error.contains("somebody else types"), "{ran:?}");
    let mut looker = Somebody::at(&cluster, &id, &["--no-stdin"]);
    let seen = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            looker.reads_until("got-both");
            seen.store(true, Ordering::SeqCst);
        });
        // It may not be there in time for the first.
        eventually("both see it", || {
            somebody.types(b"both\n");
            somebody.reads_until("got-both");
            seen.load(Ordering::SeqCst).then_some(())
        });
    });
    somebody.types(b"\x10\x11");
    assert_eq!(
        somebody.leaves_with(),
        Some(0),
        "it left, and the task goes on"
    );
    // The agent dies, and the terminal does not.
    cluster.agents[0].kill_hard();
    assert_eq!(looker.leaves_with(), Some(3), "it is cut off");
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    let task = cluster.await_running(1).remove(0);
    let statuses = task["statuses"].as_array().unwrap();
    let container = &statuses.last().unwrap()["container_status"]["container_id"];
    let agent = cluster.agents[0].address();
    let attach = json!({"type": "ATTACH_CONTAINER_OUTPUT",
        "attach_container_output": {"container_id": container}});
    let mut output = Connection::request(agent, &[], &attach);
    assert_eq!(output.head().status, 200);
    let mut input = Connection::records(agent);
    for record in [to(container), resize(33, 77), stdin(b"two\n")] {
        input.send(&record);
    }
    let (seen, _) = output.read_until(|out, _| out.contains("33 77"));
    assert!(seen.contains("got-two"), "{seen:?}");
    input.end();
    assert_eq!(input.head().status, 200);
    let mut last = Somebody::at(&cluster, &id, &[]);
    last.types(b"end\n");
    assert_eq!(last.leaves_with(), Some(5), "the task's own exit code");
    output.read_all();
    let logs = cluster.tepui(&["logs", &id]).output;
    for text in ["got-one", "got-both", "got-two"] {
        assert!(logs.contains(text), "{text}: {logs}");
    }
    drop(cluster);
    child.kill().ok();
    child.wait().unwrap();
}

#[test]
fn a_task_without_a_terminal_is_seen_by_what_it_writes() {
    if !can_isolate() {
        return;
    }
    let cluster = Cluster::start(1);
    let line = "echo out; echo err >&2; while [ ! -e go ]; do sleep 0.05; done; echo end";
    let mut child = cluster.spawn(&["run", "--", "sh", "-c", line]);
    let task = cluster.await_running(1).remove(0);
    let id = task["task_id"]["value"].as_str().unwrap().to_owned();
    let mut somebody = Somebody::at(&cluster, &id, &[]);
    somebody.reads_until("out");
    cluster.tepui(&["exec", &id, "--", "touch", "go"]).ok();
    somebody.reads_until("end");
    assert_eq!(somebody.leaves_with(), Some(0));
    child.wait().unwrap();
}
