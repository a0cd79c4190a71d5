//! The example of an executor on a real cluster, which asks executors who they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tepui_cluster_tests::{
    Cluster, PATIENCE,
    images::{Image, Layer, Registry, Tools},
    program,
};
use tepui_sdk::{
    Driver, Event, Events, Failure, OfferMatcher, Operations, Options, Profile, TaskBuilder,
    custom_executor,
    model::{AgentId, ExecutorId, Filters, Offer, TaskId, TaskState, TaskStatus},
    v1,
};

/// A framework that has its tasks run by the example.
struct Framework {
    driver: Driver,
    events: Events,
    offers: Vec<Offer>,
    failures: Vec<Failure>,
}

impl Framework {
    fn subscribe(cluster: &Cluster) -> Self {
        let profile = Profile::new("primes").user("root");
        let options = Options::new(cluster.master.address(), profile).unwrap();
        let (driver, events) = tepui_sdk::connect(options);
        Self {
            driver,
            events,
            offers: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The next update; offers and failures are kept.
    async fn update(&mut self) -> Option<TaskStatus> {
        let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
        match event.expect("it hears nothing").unwrap().unwrap() {
            Event::Update(status) => return Some(status),
            Event::Offers(offers) => self.offers.extend(offers),
            Event::Rescinded(id) => self.offers.retain(|offer| offer.id != id),
            Event::Failure(failure) => self.failures.push(failure),
            _ => {}
        }
        None
    }

    async fn offer(&mut self) -> Offer {
        loop {
            if let Some(offer) = self.offers.pop() {
                return offer;
            }
            self.update().await;
        }
    }

    /// Waits until a task is in a state.
    async fn state(&mut self, task: &str, state: TaskState) -> TaskStatus {
        loop {
            let Some(status) = self.update().await else {
                continue;
            };
            if status.task_id.as_str() != task {
                continue;
            }
            if status.state == state {
                return status;
            }
            assert!(!status.state.is_terminal(), "{status:?}");
        }
    }
}

/// The example's program.
fn primes() -> PathBuf {
    let path = program().with_file_name("tepui-primes");
    assert!(
        path.is_file(),
        "build the example first: cargo build -p tepui-primes"
    );
    path
}

fn executor() -> v1::ExecutorInfo {
    let path = primes();
    let command = v1::CommandInfo {
        shell: Some(false),
        value: Some(path.display().to_string()),
        ..v1::CommandInfo::default()
    };
    let id = ExecutorId::new("primes").unwrap();
    custom_executor(&id, &"cpus:0.1;mem:64".parse().unwrap(), command)
}

fn counts(id: &str, up_to: &str) -> tepui_sdk::Task {
    counts_in(executor(), id, up_to)
}

fn counts_in(executor: v1::ExecutorInfo, id: &str, up_to: &str) -> tepui_sdk::Task {
    let task = TaskBuilder::new(id).cpus(0.1).memory(16.0);
    task.executor(executor).data(up_to).build().unwrap()
}

/// The same executor in an image that does not have its program: that is fetched.
fn executor_in(image: &str) -> v1::ExecutorInfo {
    let command = v1::CommandInfo {
        shell: Some(false),
        value: Some("./tepui-primes".to_owned()),
        uris: vec![v1::command_info::Uri {
            value: primes().display().to_string(),
            executable: Some(true),
            ..Default::default()
        }],
        ..v1::CommandInfo::default()
    };
    let id = ExecutorId::new("primes").unwrap();
    let docker = v1::image::Docker {
        name: image.to_owned(),
        ..Default::default()
    };
    let image = v1::Image {
        r#type: v1::image::Type::Docker.into(),
        docker: Some(docker),
        ..v1::Image::default()
    };
    let container = v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos.into(),
        mesos: Some(v1::container_info::MesosInfo { image: Some(image) }),
        ..v1::ContainerInfo::default()
    };
    v1::ExecutorInfo {
        container: Some(container),
        ..custom_executor(&id, &"cpus:0.1;mem:128".parse().unwrap(), command)
    }
}

/// A layer with the libraries that a program of this machine loads.
fn libraries(program: &Path) -> Layer {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let words = listed.split_whitespace().filter(|it| it.starts_with('/'));
    words.fold(Layer::default(), |layer, path| {
        let bytes = std::fs::read(path).unwrap();
        layer.file(path.trim_start_matches('/'), 0o755, &bytes)
    })
}

#[test]
fn an_executor_in_an_image_is_fetched_and_runs_its_tasks_there() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let layers = [libraries(&primes()).bytes()];
    let image = registry.push("libraries", "1", &Image::new(&json!({}), &layers));
    let mut cluster = Cluster::start(0);
    let folder = primes().parent().unwrap().display().to_string();
    cluster.add_agent(&["--allowed-host-paths", &folder]);
    cluster.await_agents(1);
    let run = async {
        let mut framework = Framework::subscribe(&cluster);
        let offer = framework.offer().await;
        let agent = offer.agent_id.clone();
        let mut matcher = OfferMatcher::new(vec![offer]);
        let task = counts_in(executor_in(&image), "small", "100");
        matcher.place(&task).expect("there is room");
        let driver = &framework.driver;
        driver.apply(matcher.finish(), Filters::NONE).await;
        let finished = framework.state("small", TaskState::Finished).await;
        assert_eq!(finished.message.as_deref(), Some("25 primes to 100"));
        let run = latest_run(&cluster);
        assert!(run.join("tepui-primes").is_file(), "it was fetched");
        let id = ExecutorId::new("primes").unwrap();
        framework.driver.shutdown_executor(&agent, &id).await;
        while framework.failures.is_empty() {
            framework.update().await;
        }
        assert_eq!(framework.failures[0].status, Some(0));
        framework.driver.teardown().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(run);
}

/// The sandbox of the one executor that there is.
fn latest_run(cluster: &Cluster) -> PathBuf {
    let mut folder = cluster.folder().join("agent-0/slaves");
    for part in ["", "frameworks", "", "executors/primes/runs/latest"] {
        folder = match part {
            "" => std::fs::read_dir(&folder)
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path(),
            part => folder.join(part),
        };
    }
    folder
}

/// The answer to a call of the executor API that proves nothing.
fn unproven(agent: &str) -> String {
    let body =
        r#"{"type":"HEARTBEAT","executor_id":{"value":"primes"},"framework_id":{"value":"f"}}"#;
    let mut stream = TcpStream::connect(agent).unwrap();
    let request = format!(
        "POST /api/v1/executor HTTP/1.1\r\nHost: {agent}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn talk(cluster: &Cluster) {
    let mut framework = Framework::subscribe(cluster);
    let offer = framework.offer().await;
    let agent: AgentId = offer.agent_id.clone();
    let mut matcher = OfferMatcher::new(vec![offer]);
    for (id, up_to) in [("small", "100"), ("endless", "1000000000000")] {
        matcher.place(&counts(id, up_to)).expect("there is room");
    }
    framework
        .driver
        .apply(matcher.finish(), Filters::NONE)
        .await;
    // It may have ended before the other was seen to run.
    let finished = framework.state("small", TaskState::Finished).await;
    assert_eq!(finished.message.as_deref(), Some("25 primes to 100"));
    let answer = unproven(cluster.agents[0].address());
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let challenge = "www-authenticate: bearer realm=\"mesos-agent-executor\"";
    assert!(answer.to_lowercase().contains(challenge), "{answer}");
    // A group reaches the executor that is there, as one.
    let offer = framework.offer().await;
    let member = |id: &str| {
        let mut matcher = OfferMatcher::new(vec![offer.clone()]);
        matcher.place(&counts(id, "10")).expect("there is room");
        let mut task = matcher.finish().launches.remove(0).tasks.remove(0);
        task.executor = None;
        task
    };
    let tasks = ["one", "two"].map(member).into();
    let operations = Operations::new().launch_group(executor(), tasks);
    framework
        .driver
        .accept_operations(vec![offer.id.clone()], operations, Filters::NONE)
        .await;
    for id in ["one", "two"] {
        let status = framework.state(id, TaskState::Finished).await;
        assert_eq!(status.message.as_deref(), Some("4 primes to 10"));
    }
    let endless = TaskId::new("endless").unwrap();
    framework.driver.kill(&endless).await;
    framework.state("endless", TaskState::Killed).await;
    let id = ExecutorId::new("primes").unwrap();
    framework.driver.shutdown_executor(&agent, &id).await;
    while framework.failures.is_empty() {
        framework.update().await;
    }
    let failure = &framework.failures[0];
    assert_eq!((&failure.executor_id, failure.status), (&Some(id), Some(0)));
    framework.driver.teardown().await;
}

#[test]
fn the_example_s_threads_are_launched_grouped_killed_and_shut_down() {
    let mut cluster = Cluster::start(0);
    let key = cluster.folder().join("key");
    std::fs::write(&key, "a key that nobody else has").unwrap();
    let key = key.display().to_string();
    let flags = [
        "--authenticate-http-executors",
        "true",
        "--jwt-secret-key",
        &key,
    ];
    cluster.add_agent(&flags);
    cluster.await_agents(1);
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(talk(&cluster));
}
