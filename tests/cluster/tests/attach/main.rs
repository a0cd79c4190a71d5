//! Containers inside of those of tasks, and attaching to them, over the agent's HTTP API: as a
//! client does it that was written for Mesos.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test may panic anywhere"
)]

mod client;
mod nested;
mod terminal;

use std::process::Child;

use client::{Connection, call, heartbeat, resize, stdin, to};
use serde_json::{Value, json};
use tepui_cluster_tests::{Cluster, can_isolate, eventually};

/// An agent with a task that stays.
struct World {
    cluster: Cluster,
    child: Child,
    agent: String,
    task: String,
    /// The id of the task's container.
    container: Value,
}

impl World {
    fn new() -> Option<Self> {
        if !can_isolate() {
            return None;
        }
        let cluster = Cluster::start(1);
        let child = cluster.spawn(&["run", "--env", "WORD=task", "--", "sleep", "1000"]);
        let task = cluster.await_running(1).remove(0);
        let statuses = task["statuses"].as_array().unwrap();
        let container = &statuses.last().unwrap()["container_status"]["container_id"];
        Some(Self {
            agent: cluster.agents[0].address().to_owned(),
            task: task["task_id"]["value"].as_str().unwrap().to_owned(),
            container: container.clone(),
            cluster,
            child,
        })
    }

    /// The id of a container inside of the task's.
    fn inside(&self, value: &str) -> Value {
        json!({"value": value, "parent": self.container})
    }

    fn session(&self, id: &Value, line: &str, container: Option<Value>) -> Connection {
        let mut session = json!({
            "container_id": id,
            "command": {"shell": false, "value": "sh", "arguments": ["sh", "-c", line]},
        });
        if let Some(container) = container {
            session["container"] = container;
        }
        let call = json!({
            "type": "LAUNCH_NESTED_CONTAINER_SESSION",
            "launch_nested_container_session": session,
        });
        let accept = [
            ("Accept", "application/recordio"),
            ("Message-Accept", "application/json"),
        ];
        Connection::request(&self.agent, &accept, &call)
    }

    /// A call about a container.
    fn on(&self, kind: &str, id: &Value) -> (u16, String) {
        let field = kind.to_lowercase();
        call(
            &self.agent,
            &json!({"type": kind, field: {"container_id": id}}),
        )
    }

    fn launch(&self, id: &Value, line: &str) -> (u16, String) {
        let variables = json!([{"name": "WORD", "value": "own"}]);
        let command = json!({"value": line, "environment": {"variables": variables}});
        let launch = json!({"container_id": id, "command": command});
        let order = json!({"type": "LAUNCH_NESTED_CONTAINER", "launch_nested_container": launch});
        call(&self.agent, &order)
    }

    /// The exit status of a container, as wait(2) has it.
    fn wait(&self, id: &Value) -> i64 {
        let (status, text) = self.on("WAIT_NESTED_CONTAINER", id);
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["type"], "WAIT_NESTED_CONTAINER");
        answer["wait_nested_container"]["exit_status"]
            .as_i64()
            .unwrap()
    }

    fn end(mut self) {
        drop(self.cluster);
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

fn with(test: impl FnOnce(&World)) {
    if let Some(world) = World::new() {
        test(&world);
        world.end();
    }
}

/// How many processes of this machine have a word in their command line.
fn processes(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let has = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(word);
    lines.filter(has).count()
}

#[test]
fn a_shell_on_a_terminal_is_typed_at_resized_and_exited() {
    with(|world| {
        let id = world.inside("shell");
        let window = json!({"window_size": {"rows": 30, "columns": 90}});
        let terminal = json!({"type": "MESOS", "tty_info": window});
        let mut output = world.session(&id, "stty size; echo $WORD; sh", Some(terminal));
        let head = output.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-type"), Some("application/recordio"));
        assert_eq!(
            head.header("message-content-type"),
            Some("application/json")
        );
        assert_eq!(head.header("transfer-encoding"), Some("chunked"));
        let first = output.record().unwrap();
        assert_eq!(first["control"]["type"], "HEARTBEAT");
        let nanoseconds = &first["control"]["heartbeat"]["interval"]["nanoseconds"];
        assert_eq!(nanoseconds, 30_000_000_000_u64);
        output.read_until(|out, _| out.contains("30 90") && out.contains("task"));
        let mut input = Connection::records(&world.agent);
        for record in [
            to(&id),
            heartbeat(),
            resize(40, 100),
            stdin(b"stty size; tty\n"),
        ] {
            input.send(&record);
        }
        let (out, _) = output.read_until(|out, _| out.contains("/dev/pts/"));
        assert!(out.contains("40 100"), "{out}");
        // One gives input at a time, and any number see what comes of it.
        let mut second = Connection::records(&world.agent);
        second.send(&to(&id));
        assert_eq!(second.head().status, 409);
        let attach = json!({"type": "ATTACH_CONTAINER_OUTPUT",
            "attach_container_output": {"container_id": id}});
        let mut watcher = Connection::request(&world.agent, &[], &attach);
        let head = watcher.head();
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, Some("application/json"))
        );
        input.send(&stdin(b"echo se''en; exit 7\n"));
        watcher.read_until(|out, _| out.contains("seen"));
        output.read_all();
        assert_eq!(world.wait(&id), 7 << 8);
        input.end();
        assert_eq!(input.head().status, 200);
    });
}

#[test]
fn without_a_terminal_output_and_error_are_apart_and_input_has_an_end() {
    with(|world| {
        let id = world.inside("cat");
        let mut output = world.session(&id, "cat; echo err >&2; kill -9 $$", None);
        assert_eq!(output.head().status, 200);
        let mut input = Connection::records(&world.agent);
        input.send(&to(&id));
        let large = "x".repeat(300_000);
        for record in [stdin(b"one "), stdin(large.as_bytes()), stdin(b"")] {
            input.send(&record);
        }
        let (out, err) = output.read_all();
        assert!(out == format!("one {large}"), "all of it");
        assert_eq!(err, "err\n");
        assert_eq!(world.wait(&id), 9);
        input.end();
        assert_eq!(input.head().status, 200);
        // What cannot be run has said so, as in a shell.
        let id = world.inside("nothing");
        let call = json!({"type": "LAUNCH_NESTED_CONTAINER_SESSION",
            "launch_nested_container_session": {
                "container_id": id, "command": {"shell": false, "value": "/no/such"}}});
        let mut output = Connection::request(&world.agent, &[], &call);
        assert_eq!(output.head().status, 200);
        assert!(output.read_all().1.contains("/no/such"));
        assert_eq!(world.wait(&id), 127 << 8);
    });
}

#[test]
fn a_container_inside_runs_by_itself_and_is_waited_for_killed_and_forgotten() {
    with(|world| {
        let id = world.inside("work");
        let line = "trap 'exit 5' TERM; echo $WORD; echo bad >&2; while :; do sleep 0.05; done";
        assert_eq!(world.launch(&id, line).0, 200);
        assert_eq!(world.launch(&id, line).0, 202, "it was launched before");
        let read = |file: &str| {
            let path = format!("containers/work/{file}");
            let arguments = ["exec", &world.task, "--", "cat", &path];
            world.cluster.tepui(&arguments).output
        };
        eventually("its output is in its folder", || {
            (read("stdout") == "own\n" && read("stderr") == "bad\n").then_some(())
        });
        // One inside of it ends with it.
        let inner = json!({"value": "inner", "parent": id});
        assert_eq!(world.launch(&inner, "exec sleep 4733.5").0, 200);
        let (status, text) = world.on("REMOVE_NESTED_CONTAINER", &id);
        assert_eq!(status, 500, "{text}");
        let kill = json!({"type": "KILL_CONTAINER",
            "kill_container": {"container_id": id, "signal": 15}});
        assert_eq!(call(&world.agent, &kill).0, 200);
        assert_eq!(world.wait(&id), 5 << 8);
        assert_eq!(world.wait(&inner), 9);
        assert_eq!(world.on("KILL_NESTED_CONTAINER", &id).0, 404);
        assert_eq!(world.on("REMOVE_NESTED_CONTAINER", &id).0, 200);
        assert_eq!(world.on("WAIT_NESTED_CONTAINER", &id).0, 404);
        // The name can be had again.
        assert_eq!(world.launch(&id, "exit 3").0, 200);
        assert_eq!(world.wait(&id), 3 << 8);
    });
}

#[test]
fn a_session_ends_with_its_client_and_a_container_with_its_task() {
    with(|world| {
        let id = world.inside("abandoned");
        let line = "trap '' HUP TERM; setsid sleep 4737.5 & echo up; sleep 4737.5";
        let mut output = world.session(&id, line, None);
        assert_eq!(output.head().status, 200);
        output.read_until(|out, _| out.contains("up"));
        drop(output);
        eventually("nothing is left of it", || {
            (processes("sleep\x004737.5") == 0).then_some(())
        });
        assert_eq!(world.wait(&id), 9);
        let id = world.inside("stays");
        assert_eq!(world.launch(&id, "exec sleep 4739.5").0, 200);
        world.cluster.tepui(&["kill", &world.task]).ok();
        // It is asked to end with its task, and then made to.
        assert!(matches!(world.wait(&id), 15 | 9));
        assert_eq!(processes("sleep\x004739.5"), 0);
        let (status, text) = world.launch(&world.inside("late"), "true");
        assert_eq!(status, 400);
        // As far as its end has come: it has ended, is known to have, or is forgotten.
        let refusals = ["that runs", "is not running", "does not exist"];
        assert!(refusals.iter().any(|it| text.contains(it)), "{text}");
    });
}

#[test]
fn what_makes_no_sense_is_refused_as_mesos_does() {
    with(|world| {
        let unknown = world.inside("unknown");
        for kind in [
            "WAIT_NESTED_CONTAINER",
            "KILL_NESTED_CONTAINER",
            "WAIT_CONTAINER",
        ] {
            let (status, text) = world.on(kind, &unknown);
            assert_eq!(status, 404, "{kind}");
            assert!(text.contains("cannot be found"), "{text}");
        }
        assert_eq!(world.on("ATTACH_CONTAINER_OUTPUT", &unknown).0, 404);
        let (status, text) = world.on("ATTACH_CONTAINER_OUTPUT", &world.container);
        assert_eq!(status, 500, "a task without a terminal has no console");
        assert!(
            text.contains("I/O switchboard server was disabled"),
            "{text}"
        );
        let (status, text) = world.on("WAIT_NESTED_CONTAINER", &json!({"value": "a"}));
        assert_eq!(status, 400);
        assert!(
            text.contains("container_id.parent' to be present"),
            "{text}"
        );
        let input = to(&unknown);
        assert_eq!(call(&world.agent, &input).0, 415, "input comes in records");
        let first = |record: &Value| {
            let mut connection = Connection::records(&world.agent);
            connection.send(record);
            connection.end();
            connection.answer()
        };
        assert_eq!(first(&input).0, 404);
        assert_eq!(first(&stdin(b"x")).0, 400, "first comes whose input it is");
        assert_eq!(first(&json!({"type": "GET_HEALTH"})).0, 415);
        let mut nothing = Connection::records(&world.agent);
        nothing.end();
        let eof = "Received EOF while reading request body".to_owned();
        assert_eq!(nothing.answer(), (400, eof));
        let health = json!({"type": "GET_HEALTH"});
        let streamed = [("Accept", "application/recordio")];
        let answer = Connection::request(&world.agent, &streamed, &health).answer();
        assert_eq!(answer.0, 406, "{}", answer.1);
        let image = json!({"type": "MESOS", "mesos": {"image": {"type": "DOCKER",
            "docker": {"name": "busybox"}}}});
        let mut refused = world.session(&world.inside("image"), "true", Some(image));
        assert_eq!(refused.head().status, 400);
    });
}
