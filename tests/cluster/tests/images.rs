//! Tasks in images, from a real registry to the end of the container.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tepui_cluster_tests::{
    Cluster, eventually,
    images::{Image, Layer, Registry, Tools},
};

/// Where an agent of a test keeps images.
fn store(cluster: &Cluster, number: usize) -> PathBuf {
    cluster.folder().join(format!("agent-{number}/images"))
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn listed(cluster: &Cluster, number: usize) -> Vec<Value> {
    let folder = store(cluster, number).display().to_string();
    let images = tepui_cluster_tests::tepui(&[
        "agent",
        "images",
        "--image-store-dir",
        &folder,
        "-o",
        "json",
    ]);
    images.json()["images"].as_array().unwrap().clone()
}

fn run(cluster: &Cluster, flags: &[&str], command: &[&str]) -> tepui_cluster_tests::Ran {
    let mut arguments = vec!["run", "--mem", "64"];
    arguments.extend(flags);
    if !command.is_empty() {
        arguments.push("--");
        arguments.extend(command);
    }
    cluster.tepui(&arguments)
}

#[test]
fn a_command_runs_in_an_image_and_sees_nothing_else() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let top = Layer::default()
        .file("hello", 0o644, b"from the image\n")
        .file("bin/.wh.dd", 0, b"");
    let image = Image::new(&json!({}), &[tools.busybox(), top.bytes()]);
    let name = registry.push("busybox", "1", &image);
    let cluster = Cluster::start(1);

    let ran = run(&cluster, &["--image", &name], &["ls", "/"]);
    assert!(ran.error.contains("Fetching the image"), "{ran:?}");
    let seen = ran.ok();
    let seen: Vec<_> = seen.lines().collect();
    assert_eq!(
        seen,
        ["bin", "dev", "etc", "hello", "mnt", "proc", "sys", "tmp"]
    );
    assert_eq!(
        run(&cluster, &["--image", &name], &["cat", "/hello"]).ok(),
        "from the image\n"
    );
    // The layer above hides a program of the one below.
    assert_ne!(run(&cluster, &["--image", &name], &["dd"]).code, Some(0));

    // What a task changes is its own, and goes with it.
    let line = ["sh", "-c", "echo changed > /hello && cat /hello"];
    assert_eq!(run(&cluster, &["--image", &name], &line).ok(), "changed\n");
    assert_eq!(
        run(&cluster, &["--image", &name], &["cat", "/hello"]).ok(),
        "from the image\n"
    );
    let containers = store(&cluster, 0).join("containers");
    eventually("every container's folder to go", || {
        entries(&containers).is_empty().then_some(())
    });
    let images = listed(&cluster, 0);
    assert_eq!(
        (images.len(), images[0]["layers"].as_u64()),
        (1, Some(2)),
        "{images:?}"
    );
}

#[test]
fn an_image_says_how_it_is_run_and_the_task_may_say_otherwise() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let config = json!({
        "Entrypoint": ["sh", "-c", "echo $GREETING $MORE; pwd; id -u; id -g; echo $0"],
        "Cmd": ["from-image"],
        "Env": ["GREETING=hello", "MORE=image", "PATH=/bin"],
        "WorkingDir": "/made/for/it",
        "User": "web",
        "Volumes": { "/data": {} },
        "ExposedPorts": { "80/tcp": {} },
    });
    let name = registry.push("app", "latest", &Image::new(&config, &[tools.busybox()]));
    let cluster = Cluster::start(1);
    let expected = "hello task\n/made/for/it\n1033\n1034\nfrom-image\n";
    assert_eq!(
        run(&cluster, &["--image", &name, "--env", "MORE=task"], &[]).ok(),
        expected
    );
    let line = ["sh", "-c", "id -u; ls -d /data; pwd"];
    let ran = run(&cluster, &["--image", &name, "--user", "root"], &line);
    assert_eq!(ran.ok(), "0\n/data\n/made/for/it\n");
    assert_eq!(listed(&cluster, 0)[0]["exposed_ports"], json!(["80/tcp"]));
}

#[test]
fn a_private_registry_wants_credentials_and_an_image_that_is_not_there_says_so() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start_private(&tools);
    let image = Image::new(&json!({}), &[tools.busybox()]);
    let name = registry.push("secret/app", "1", &image);
    let cluster = Cluster::start(1);
    let ran = run(&cluster, &["--image", &name], &["true"]);
    assert!(ran.error.contains("--docker-config"), "{ran:?}");
    assert_ne!(ran.code, Some(0));

    let mut cluster = Cluster::start(0);
    let config = cluster.folder().join("docker.json");
    fs::write(&config, registry.docker_config()).unwrap();
    cluster.add_agent(&["--docker-config", config.to_str().unwrap()]);
    cluster.await_agents(1);
    assert_eq!(
        run(&cluster, &["--image", &name], &["echo", "in"]).ok(),
        "in\n"
    );
    let missing = format!("{}/secret/none", registry.address());
    let ran = run(&cluster, &["--image", &missing], &["true"]);
    assert!(ran.error.contains("there is no image"), "{ran:?}");
}

#[test]
fn an_agent_that_was_killed_knows_what_its_tasks_use() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let used = registry.push("used", "1", &Image::new(&json!({}), &[tools.busybox()]));
    let other = Layer::default().file("other", 0o644, b"x").bytes();
    let idle = registry.push(
        "idle",
        "1",
        &Image::new(&json!({}), &[tools.busybox(), other]),
    );
    let mut cluster = Cluster::start(1);
    run(&cluster, &["--image", &idle], &["true"]).ok();
    let mut child = cluster.spawn(&[
        "run", "--mem", "64", "--image", &used, "--", "sleep", "1000",
    ]);
    let task = cluster.await_running(1).remove(0);
    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    cluster.await_running(1);
    let address = cluster.agents[0].address().to_owned();
    tepui_cluster_tests::tepui(&["agent", "images", "prune", "--agent", &address]).ok();
    let left = listed(&cluster, 0);
    assert_eq!(
        (left.len(), left[0]["containers"].as_u64()),
        (1, Some(1)),
        "{left:?}"
    );
    assert_eq!(entries(&store(&cluster, 0).join("layers")).len(), 1);
    cluster
        .tepui(&["kill", task["task_id"]["value"].as_str().unwrap()])
        .ok();
    child.wait().unwrap();
    eventually("the image to be nobody's", || {
        tepui_cluster_tests::tepui(&["agent", "images", "prune", "--agent", &address]).ok();
        listed(&cluster, 0).is_empty().then_some(())
    });
    assert!(entries(&store(&cluster, 0).join("layers")).is_empty());
    assert!(entries(&store(&cluster, 0).join("unfinished")).is_empty());
}

/// Passes on to a registry, but for layers, of which it sends the beginning, and then nothing.
fn stall(registry: String) -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, stalled) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut asked = [0; 4096];
            let length = client.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let asked = asked.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            let mut there = TcpStream::connect(&registry).unwrap();
            there.write_all(asked.as_bytes()).unwrap();
            let mut answer = Vec::new();
            there.read_to_end(&mut answer).unwrap();
            // Whoever is cut off may be gone.
            if answer.len() > 100_000 {
                let _ = client.write_all(&answer[..50_000]);
                held.push(client);
                let _ = sender.send(());
            } else {
                let _ = client.write_all(&answer);
            }
        }
    });
    (address, stalled)
}

#[test]
fn l20_an_agent_killed_in_the_middle_of_a_layer_leaves_nothing_half() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    registry.push("app", "1", &Image::new(&json!({}), &[tools.busybox()]));
    let (address, stalled) = stall(registry.address().to_owned());
    let mut cluster = Cluster::start(1);
    let mut child = cluster.spawn(&[
        "run",
        "--mem",
        "64",
        "--image",
        &format!("{address}/app:1"),
        "--",
        "true",
    ]);
    stalled.recv().unwrap();
    eventually("a layer in the making", || {
        (!entries(&store(&cluster, 0).join("unfinished")).is_empty()).then_some(())
    });
    cluster.agents[0].kill_hard();
    assert!(entries(&store(&cluster, 0).join("layers")).is_empty());
    cluster.agents[0].start_again();
    // It fetches again, and meets the same; the task is killed, and nobody waits for the registry.
    stalled.recv().unwrap();
    let tasks = cluster.tepui(&["ps", "-o", "json"]).json();
    let task = tasks["tasks"][0]["task_id"]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    cluster.tepui(&["kill", &task]).ok();
    assert_ne!(child.wait().unwrap().code(), Some(0));
    eventually("what was half to go", || {
        entries(&store(&cluster, 0).join("unfinished"))
            .is_empty()
            .then_some(())
    });
    let name = format!("{}/app:1", registry.address());
    assert_eq!(
        run(&cluster, &["--image", &name], &["echo", "well"]).ok(),
        "well\n"
    );
}

#[test]
fn a_volume_begins_as_an_image_and_what_is_changed_there_goes() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let data = Layer::default()
        .file("in/a", 0o644, b"from the image\n")
        .bytes();
    let name = registry.push("data", "1", &Image::new(&json!({}), &[data]));
    let base = registry.push("busybox", "1", &Image::new(&json!({}), &[tools.busybox()]));
    let cluster = Cluster::start(1);
    let (relative, absolute) = (format!("data={name}"), format!("/mnt/ro={name},ro"));
    let line = "cat data/in/a; echo x > data/in/a && cat data/in/a";
    let volumes = ["--image-volume", &relative];
    for _ in 0..2 {
        let ran = run(&cluster, &volumes, &["sh", "-c", line]);
        assert_eq!(ran.ok(), "from the image\nx\n");
    }
    // In an image of its own, and only to be read.
    let volumes = [
        "--image",
        &base,
        "--image-volume",
        &relative,
        "--image-volume",
        &absolute,
    ];
    let line = "cd /mnt/mesos/sandbox && echo y > data/in/a && cat data/in/a /mnt/ro/in/a; \
                echo z > /mnt/ro/in/a || echo refused";
    let ran = run(&cluster, &volumes, &["sh", "-c", line]);
    assert_eq!(ran.ok(), "y\nfrom the image\nrefused\n");
    let containers = store(&cluster, 0).join("containers");
    eventually("every container's folder to go", || {
        entries(&containers).is_empty().then_some(())
    });
    let missing = format!("data={}/none:1", registry.address());
    let ran = run(&cluster, &["--image-volume", &missing], &["true"]);
    assert!(ran.error.contains("none:1"), "{ran:?}");
}

/// The images that an agent has, as the master knows.
fn known(cluster: &Cluster, agent: &str) -> Vec<String> {
    let found = cluster.json(&["agents"]);
    let agents = found["agents"].as_array().into_iter().flatten();
    let mut agents = agents.filter(|it| it["agent_info"]["id"]["value"] == agent);
    let images = agents.next().map(|it| it["tepui_images"].clone());
    let images = images.as_ref().and_then(Value::as_array).cloned();
    let names = images.into_iter().flatten();
    names.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// Waits until nothing of any agent is used or offered, so that the next framework is offered all.
fn await_idle(cluster: &Cluster) {
    eventually("everything to be free", || {
        let found = cluster.json(&["agents"]);
        let mut agents = found["agents"].as_array()?.iter();
        let is_empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
        let is_idle = |agent: &Value| {
            is_empty(&agent["allocated_resources"]) && is_empty(&agent["offered_resources"])
        };
        agents.all(is_idle).then_some(())
    });
}

/// Runs a task in an image, and says on which agent it was.
fn place_of(cluster: &Cluster, name: &str, image: &str) -> String {
    await_idle(cluster);
    run(cluster, &["--name", name, "--image", image], &["true"]).ok();
    eventually("the task to be known", || {
        let found = cluster.json(&["ps", "--all"]);
        let lists = [&found["tasks"], &found["completed_tasks"]];
        let mut tasks = lists.into_iter().filter_map(Value::as_array).flatten();
        let task = tasks.find(|task| task["name"] == name)?;
        Some(task["agent_id"]["value"].as_str()?.to_owned())
    })
}

#[test]
fn a_task_is_launched_where_its_image_is() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let mark = Layer::default().file("mark", 0o644, b"x").bytes();
    let app = Image::new(&json!({}), &[tools.busybox()]);
    let other = Image::new(&json!({}), &[tools.busybox(), mark]);
    let names = [
        registry.push("app", "latest", &app),
        registry.push("other", "1", &other),
    ];
    let mut cluster = Cluster::start(2);
    let agents = cluster.json(&["agents"])["agents"].clone();
    let ids = [0, 1].map(|at| {
        let id = &agents[at]["agent_info"]["id"]["value"];
        id.as_str().unwrap().to_owned()
    });
    // Each agent gets one of them, while the other agent is not offered.
    for (at, name) in names.iter().enumerate() {
        cluster.tepui(&["deactivate", &ids[1 - at]]).ok();
        assert_eq!(place_of(&cluster, &format!("first-{at}"), name), ids[at]);
        cluster.tepui(&["reactivate", &ids[1 - at]]).ok();
        eventually("the master to know of the image", || {
            (known(&cluster, &ids[at]) == [name.clone()]).then_some(())
        });
    }
    // From now on both have as much room, and only the image tells them apart. Neither always the
    // same agent nor taking turns would be right each time.
    let written = [names[0].strip_suffix(":latest").unwrap(), &names[1]];
    for (round, at) in [0, 0, 1, 1, 0].into_iter().enumerate() {
        let task = format!("again-{round}");
        assert_eq!(place_of(&cluster, &task, written[at]), ids[at], "{task}");
    }

    // A master that knows nothing learns it when the agents come back.
    cluster.master.kill_hard();
    cluster.master.start_again();
    cluster.await_agents(2);
    assert_eq!(known(&cluster, &ids[0]), names[..1]);
    assert_eq!(known(&cluster, &ids[1]), names[1..]);

    let addresses: Vec<_> = cluster.agents.iter().map(|it| it.address()).collect();
    eventually("the images that nobody uses to go from the offers", || {
        for address in &addresses {
            tepui_cluster_tests::tepui(&["agent", "images", "prune", "--agent", address]).ok();
        }
        ids.iter()
            .all(|id| known(&cluster, id).is_empty())
            .then_some(())
    });
}
