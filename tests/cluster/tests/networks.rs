//! Tasks on networks of their own, and their health checks, over the real binaries.
//!
//! Each test is in a network namespace that is there for nothing else, with master and agents: the
//! host's network stays as it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    io::Read as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use tepui_cluster_tests::{Cluster, PATIENCE, can_isolate, eventually};
use tepui_proto::v1;
use tepui_sdk::{
    Event, Events, Options, Profile, TaskBuilder, connect,
    model::{Reason, TaskState, TaskStatus},
};
use tokio::time::timeout;

/// Where Debian's `containernetworking-plugins` has them.
const PLUGINS: &str = "/usr/lib/cni";

/// A cluster with one agent that knows the network `web`, and the folder of its configuration.
/// Nothing, and why, where that cannot be.
fn cluster(subnet: &str) -> Option<(Cluster, PathBuf)> {
    if !can_isolate() {
        eprintln!("not run: networks need root");
        return None;
    }
    if !Path::new(PLUGINS).join("bridge").exists() {
        eprintln!("not run: no CNI plugins in {PLUGINS} (containernetworking-plugins)");
        return None;
    }
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success());
    let mut cluster = Cluster::start(0);
    let folder = cluster.folder().join("networks");
    fs::create_dir(&folder).unwrap();
    let data = folder.join("addresses");
    let text = format!(
        r#"{{"cniVersion": "1.0.0", "name": "web", "plugins": [
            {{"type": "bridge", "bridge": "web0", "isGateway": true, "hairpinMode": true,
              "ipam": {{"type": "host-local", "dataDir": "{}", "ranges": [[{{"subnet": "{subnet}"}}]],
                       "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}}]}}"#,
        data.display()
    );
    fs::write(folder.join("web.conflist"), text).unwrap();
    let flag = folder.display().to_string();
    cluster.add_agent(&[
        "--network-cni-config-dir",
        &flag,
        "--network-cni-plugins-dir",
        PLUGINS,
    ]);
    cluster.await_agents(1);
    Some((cluster, folder))
}

/// A shell line that says a word to everybody who connects, as long as a file is there.
fn serve(word: &str, port: u16) -> String {
    format!(
        "touch up; exec perl -MSocket -e '$| = 1; socket(S, PF_INET, SOCK_STREAM, 0); \
         setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); \
         bind(S, sockaddr_in({port}, INADDR_ANY)) or die; listen(S, 9); \
         while (accept(C, S)) {{ sysread C, $q, 999 if $ARGV[0]; \
         print C -e \"up\" ? \"{word}\" : \"HTTP/1.0 503 Down\\r\\n\\r\\n\"; close C }}'"
    )
}

fn veths() -> usize {
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap();
    let links = String::from_utf8(links.stdout).unwrap();
    links.lines().filter(|line| line.contains("veth")).count()
}

/// What somebody says who listens there soon.
fn hear(address: &str) -> String {
    eventually("it is reached", || {
        let address = address.parse().unwrap();
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        let mut text = String::new();
        stream.ok()?.read_to_string(&mut text).ok()?;
        (!text.is_empty()).then_some(text)
    })
}

fn network_of(task: &Value) -> Option<Value> {
    let statuses = task["statuses"].as_array()?;
    let running = statuses
        .iter()
        .find(|status| status["state"] == "TASK_RUNNING")?;
    Some(running["container_status"]["network_infos"][0].clone())
}

#[test]
fn a_task_on_a_bridge_is_reached_through_a_port_mapping_and_leaves_nothing() {
    let Some((mut cluster, folder)) = cluster("10.79.1.0/24") else {
        return;
    };
    let line = serve("hello", 80);
    let arguments = [
        "run",
        "--network",
        "web",
        "--publish",
        "80",
        "--",
        "sh",
        "-c",
        &line,
    ];
    let mut child = cluster.spawn(&arguments);
    let task = cluster.await_running(1).remove(0);
    let network = network_of(&task).expect("the network of a running task");
    assert_eq!(network["name"], "web");
    let address = network["ip_addresses"][0]["ip_address"].as_str().unwrap();
    assert!(address.starts_with("10.79.1."), "{network}");
    assert_eq!(hear(&format!("{address}:80")), "hello");
    let port = network["port_mappings"][0]["host_port"].as_u64().unwrap();
    assert_eq!(
        hear(&format!("10.79.1.1:{port}")),
        "hello",
        "through the port of the agent"
    );
    assert_eq!(veths(), 1);

    // Whoever comes after the agent detaches what that one has attached.
    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    assert_eq!(
        hear(&format!("10.79.1.1:{port}")),
        "hello",
        "the task did not notice"
    );
    let id = task["task_id"]["value"].as_str().unwrap();
    cluster.tepui(&["kill", id]).ok();
    child.wait().unwrap();
    eventually("its network is gone", || (veths() == 0).then_some(()));
    eventually("its address is free", || {
        let taken = fs::read_dir(folder.join("addresses/web"))
            .unwrap()
            .flatten();
        let mut names = taken.map(|entry| entry.file_name());
        (!names.any(|name| name.to_string_lossy().starts_with("10."))).then_some(())
    });
    let refused = cluster.tepui(&["run", "--network", "nowhere", "--", "true"]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.error.contains("there is no network 'nowhere'"),
        "{refused:?}"
    );
    let alone = cluster.tepui(&["run", "--network", "none", "--", "ls", "/sys/class/net"]);
    assert_eq!(alone.ok(), "lo\n");
}

async fn next(events: &mut Events) -> Event {
    let event = timeout(PATIENCE, events.next()).await;
    let event = event.expect("an event in time").expect("it goes on");
    event.unwrap()
}

async fn update(events: &mut Events) -> TaskStatus {
    loop {
        if let Event::Update(status) = next(events).await {
            return status;
        }
    }
}

/// Health checks that follow each other quickly.
fn quick() -> v1::HealthCheck {
    v1::HealthCheck {
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.1),
        grace_period_seconds: Some(0.0),
        timeout_seconds: Some(5.0),
        consecutive_failures: Some(3),
        ..v1::HealthCheck::default()
    }
}

#[test]
fn a_task_is_checked_in_its_own_network_and_killed_when_it_is_not_well() {
    let Some((cluster, _)) = cluster("10.79.2.0/24") else {
        return;
    };
    // In this thread's network.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(checked(&cluster));
}

/// A server that nobody else reaches, with two health checks.
fn checked_task() -> TaskBuilder {
    let line = serve("HTTP/1.0 200 OK\\r\\n\\r\\n", 8080).replace("close C }'", "close C }' read");
    let mut builder = TaskBuilder::new("web")
        .cpus(0.1)
        .memory(32.0)
        .network("none")
        .shell(line);
    let wire = builder.wire();
    wire.health_check = Some(v1::HealthCheck {
        r#type: Some(v1::health_check::Type::Http.into()),
        http: Some(v1::health_check::HttpCheckInfo {
            port: 8080,
            path: Some("/health".to_owned()),
            ..Default::default()
        }),
        grace_period_seconds: Some(30.0),
        ..quick()
    });
    wire.tepui_health_checks = vec![v1::HealthCheck {
        r#type: Some(v1::health_check::Type::Command.into()),
        command: Some(v1::CommandInfo {
            value: Some("pwd | grep -q runs/ && test ! -e never".to_owned()),
            ..Default::default()
        }),
        ..quick()
    }];
    builder
}

async fn checked(cluster: &Cluster) {
    let profile = Profile::new("checked");
    let (driver, mut events) = connect(Options::new(cluster.master.address(), profile).unwrap());
    let offer = loop {
        if let Event::Offers(offers) = next(&mut events).await {
            break offers.into_iter().next().unwrap();
        }
    };
    let builder = checked_task();
    let placed = builder
        .build()
        .unwrap()
        .place(&offer, &offer.resources)
        .unwrap();
    driver.launch(&offer, vec![placed.info]).await;
    let running = update(&mut events).await;
    assert_eq!(
        (running.state, running.healthy),
        (TaskState::Running, None),
        "{running:?}"
    );
    let well = update(&mut events).await;
    assert_eq!(
        (well.state, well.healthy),
        (TaskState::Running, Some(true)),
        "{well:?}"
    );
    assert_eq!(well.reason, Some(Reason::TaskHealthCheckStatusUpdated));

    fs::remove_file(sandbox(cluster.folder()).join("up")).unwrap();
    let mut last = update(&mut events).await;
    assert_eq!(last.healthy, Some(false), "{last:?}");
    let message = last.message.clone().unwrap_or_default();
    assert_eq!(
        message,
        "Health check failed: the server answered with status 503"
    );
    while !last.state.is_terminal() {
        last = update(&mut events).await;
    }
    assert_eq!(
        (last.state, last.healthy),
        (TaskState::Killed, Some(false)),
        "{last:?}"
    );
    assert_eq!(last.reason, Some(Reason::TaskHealthCheckStatusUpdated));
}

/// The sandbox of the one task of the first agent.
fn sandbox(cluster: &Path) -> PathBuf {
    let mut path = cluster.join("agent-0/slaves");
    for part in ["", "frameworks", "", "executors", "", "runs", "latest"] {
        path = if part.is_empty() {
            let mut entries = fs::read_dir(&path).unwrap().flatten();
            entries.next().expect("an entry").path()
        } else {
            path.join(part)
        };
    }
    path
}
