//! Secrets of tasks: they reach the task, and nobody else, over the real binaries.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere; a part of another test is used"
)]

#[path = "hostile/session.rs"]
mod session;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use session::{Session, launch, task};
use tepui_cluster_tests::{Cluster, can_isolate, eventually};
use tepui_sdk::v1::{
    self, TaskState, check_info,
    environment::{Variable, variable},
    health_check, secret, volume,
};

/// As it is, and as JSON has it.
const VALUE: [&str; 2] = ["a-secret-by-value-0123", "YS1zZWNyZXQtYnktdmFsdWUtMDEy"];
const NAMED: [&str; 2] = ["a-secret-by-name-45678", "YS1zZWNyZXQtYnktbmFtZS00NTY3"];

fn tells(bytes: &[u8]) -> bool {
    let mut secrets = VALUE.iter().chain(&NAMED);
    secrets.any(|secret| {
        bytes
            .windows(secret.len())
            .any(|it| it == secret.as_bytes())
    })
}

fn by_value() -> v1::Secret {
    v1::Secret {
        r#type: Some(secret::Type::Value.into()),
        value: Some(secret::Value {
            data: VALUE[0].as_bytes().to_vec(),
        }),
        ..v1::Secret::default()
    }
}

fn by_name(name: &str, key: Option<&str>) -> v1::Secret {
    v1::Secret {
        r#type: Some(secret::Type::Reference.into()),
        reference: Some(secret::Reference {
            name: name.to_owned(),
            key: key.map(str::to_owned),
        }),
        ..v1::Secret::default()
    }
}

fn variable(name: &str, secret: v1::Secret) -> Variable {
    Variable {
        name: name.to_owned(),
        r#type: Some(variable::Type::Secret.into()),
        secret: Some(secret),
        ..Variable::default()
    }
}

fn file(path: &str, secret: v1::Secret) -> v1::Volume {
    v1::Volume {
        mode: volume::Mode::Ro.into(),
        container_path: path.to_owned(),
        source: Some(volume::Source {
            r#type: Some(volume::source::Type::Secret.into()),
            secret: Some(secret),
            ..volume::Source::default()
        }),
        ..v1::Volume::default()
    }
}

/// A task that says how long its secrets are, and stays.
fn knowing(offer: &v1::Offer) -> v1::TaskInfo {
    let mut knowing = task("knowing", offer, "cpus:0.1;mem:32");
    let line = "cat value named | wc -c; printf %s \"$VALUE$NAMED\" | wc -c; exec sleep 1000";
    knowing.command = Some(v1::CommandInfo {
        value: Some(line.to_owned()),
        environment: Some(v1::Environment {
            variables: vec![
                variable("VALUE", by_value()),
                variable("NAMED", by_name("db", Some("password"))),
            ],
        }),
        ..v1::CommandInfo::default()
    });
    knowing.container = Some(v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos.into(),
        volumes: vec![
            file("value", by_value()),
            file("named", by_name("db", Some("password"))),
        ],
        ..v1::ContainerInfo::default()
    });
    knowing
}

/// The command of a check that has the same secrets by other names, tells the task how long they
/// are, and stays a while.
fn checking(file: &str) -> v1::CommandInfo {
    let line = format!("printf %s \"$A$B\" | wc -c > {file}; sleep 0.5");
    v1::CommandInfo {
        value: Some(line),
        environment: Some(v1::Environment {
            variables: vec![
                variable("A", by_value()),
                variable("B", by_name("db", Some("password"))),
            ],
        }),
        ..v1::CommandInfo::default()
    }
}

/// A task that is checked and checked for its health, and says what the checks have found.
fn checked(offer: &v1::Offer) -> v1::TaskInfo {
    let mut checked = task("checked", offer, "cpus:0.1;mem:32");
    let line = "until test -s plain -a -s health; do sleep 0.05; done; cat plain health; \
                exec sleep 1000";
    checked.command = Some(v1::CommandInfo {
        value: Some(line.to_owned()),
        ..v1::CommandInfo::default()
    });
    checked.check = Some(v1::CheckInfo {
        r#type: Some(check_info::Type::Command.into()),
        command: Some(check_info::Command {
            command: checking("plain"),
        }),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.05),
        ..v1::CheckInfo::default()
    });
    checked.health_check = Some(v1::HealthCheck {
        r#type: Some(health_check::Type::Command.into()),
        command: Some(checking("health")),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.05),
        ..v1::HealthCheck::default()
    });
    checked
}

/// What a server answers to a call, or to a GET of a path.
fn ask(address: &str, path: &str, call: Option<&str>) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = call.unwrap_or_default();
    let method = if call.is_some() { "POST" } else { "GET" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// All that the operators of a server can ask it.
fn answers(address: &str) -> Vec<(String, Vec<u8>)> {
    let calls = [
        "GET_STATE",
        "GET_TASKS",
        "GET_EXECUTORS",
        "GET_FRAMEWORKS",
        "GET_CONTAINERS",
        "GET_OPERATIONS",
        "GET_AGENTS",
        "GET_FLAGS",
        "GET_METRICS",
    ];
    let paths = [
        "/state",
        "/tasks",
        "/frameworks",
        "/slaves",
        "/containers",
        "/monitor/statistics",
        "/flags",
        "/metrics",
        "/metrics/snapshot",
    ];
    let called = calls.map(|call| {
        let body = format!("{{\"type\":\"{call}\"}}");
        (call.to_owned(), ask(address, "/api/v1", Some(&body)))
    });
    let got = paths.map(|path| (path.to_owned(), ask(address, path, None)));
    called.into_iter().chain(got).collect()
}

/// The files below a folder that hold a secret, and can be reached by others than their owner.
fn open_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(status)) = (entry.path(), entry.metadata()) else {
            continue;
        };
        if status.is_dir() && status.permissions().mode() & 0o077 != 0 {
            found.append(&mut open_files(&path));
        } else if status.is_file() && tells(&fs::read(&path).unwrap_or_default()) {
            found.push(path);
        }
    }
    found
}

fn told_by_command_lines() -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.map(|process| process.path().join("cmdline"));
    lines
        .filter(|line| fs::read(line).is_ok_and(|bytes| tells(&bytes)))
        .collect()
}

fn log_more(address: &str) {
    let call = r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":60000000000}}}"#;
    let answer = ask(address, "/api/v1", Some(call));
    assert!(
        answer.starts_with(b"HTTP/1.1 20"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

/// Starts a cluster with a secret, of which all that it does is logged, and a task in it; waits
/// until the task has said `said`, and finds that nobody else is told anything.
fn tells_nobody_but_the_task(name: &str, task: fn(&v1::Offer) -> v1::TaskInfo, said: &str) {
    let keeping = tempfile::tempdir().unwrap();
    fs::create_dir(keeping.path().join("db")).unwrap();
    fs::write(keeping.path().join("db/password"), NAMED[0]).unwrap();
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--secret-dir", keeping.path().to_str().unwrap()]);
    cluster.await_agents(1);
    let servers = [
        cluster.master.address().to_owned(),
        cluster.agents[0].address().to_owned(),
    ];
    servers.iter().for_each(|address| log_more(address));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut session = Session::subscribe(cluster.master.address()).await;
        let offer = session.offer().await;
        let offers = [offer.id.value.as_str()];
        session
            .accept(&offers, vec![launch(vec![task(&offer)])])
            .await;
        let status = session.status_of(name).await;
        assert_eq!(status.state(), TaskState::TaskRunning, "{status:?}");
        eventually("the task has its secrets", || {
            (cluster.tepui(&["logs", name]).output == said).then_some(())
        });
        for address in &servers {
            for (call, answer) in answers(address) {
                let text = String::from_utf8_lossy(&answer);
                assert!(!tells(&answer), "{address} {call}: {text}");
            }
        }
        let state = ask(&servers[0], "/api/v1", Some(r#"{"type":"GET_TASKS"}"#));
        let text = String::from_utf8_lossy(&state);
        assert!(text.contains(name) && text.contains("SECRET"), "{text}");
        assert_eq!(told_by_command_lines(), Vec::<PathBuf>::new());
        assert_eq!(open_files(cluster.folder()), Vec::<PathBuf>::new());
        session.teardown().await;
    });
    for part in [&cluster.master, &cluster.agents[0]] {
        assert!(part.log().contains("DEBUG"), "it did log more");
        assert!(!tells(part.log().as_bytes()), "{}", part.log());
    }
}

#[test]
fn secrets_reach_the_task_and_nobody_else() {
    if can_isolate() {
        let length = VALUE[0].len() + NAMED[0].len();
        tells_nobody_but_the_task("knowing", knowing, &format!("{length}\n{length}\n"));
    }
}

#[test]
fn secrets_reach_the_commands_of_checks_and_nobody_else() {
    if can_isolate() {
        let length = VALUE[0].len() + NAMED[0].len();
        tells_nobody_but_the_task("checked", checked, &format!("{length}\n{length}\n"));
    }
}

#[test]
fn a_secret_that_the_agent_does_not_keep_fails_the_task_with_the_flag() {
    if !can_isolate() {
        return;
    }
    let cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let tasks: [fn(&v1::Offer) -> v1::TaskInfo; 2] = [knowing, checked];
        for task in tasks {
            let mut session = Session::subscribe(cluster.master.address()).await;
            let offer = session.offer().await;
            let offers = [offer.id.value.as_str()];
            let task = task(&offer);
            let name = task.task_id.value.clone();
            session.accept(&offers, vec![launch(vec![task])]).await;
            let status = session.status_of(&name).await;
            assert_eq!(status.state(), TaskState::TaskFailed, "{status:?}");
            assert!(status.message().contains("--secret-dir"), "{status:?}");
            session.teardown().await;
        }
    });
}
