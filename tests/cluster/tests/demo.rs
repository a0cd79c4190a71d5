//! The demo's jobs: a replicated web service and a word count, both checked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use serde_json::{Value, json};
use tepui_cluster_tests::{
    Cluster, eventually,
    images::{Image, Registry, Tools},
};

/// The project's root, where the examples are.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .and_then(Path::parent)
        .unwrap()
}

fn get(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn first_port(task: &Value) -> String {
    let resources = task["resources"].as_array().unwrap();
    let ports = resources.iter().find(|it| it["name"] == "ports").unwrap();
    format!("127.0.0.1:{}", ports["ranges"]["range"][0]["begin"])
}

/// A cluster of so many agents on which the web service of the examples is deployed.
fn with_web_service(agents: usize) -> Cluster {
    let mut cluster = Cluster::start(agents);
    cluster.add_framework("service");
    let file = project().join("examples/service/web.yaml");
    let file = file.display().to_string();
    cluster.tepui(&["service", "deploy", &file]).ok();
    cluster
}

/// A file of services may name images: nothing but the image says what runs.
#[test]
fn a_service_in_an_image_runs_what_the_image_says() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let run = "echo $WORD at $PORT0 in $(pwd) as $(id -u); exec sleep 1000";
    let config = json!({"Cmd": ["sh", "-c", run], "WorkingDir": "/srv", "User": "web"});
    let image = Image::new(&config, &[tools.busybox()]);
    let name = registry.push("web", "1", &image);
    let mut cluster = Cluster::start(1);
    cluster.add_framework("service");
    let file = cluster.folder().join("imaged.yaml");
    let text = format!(
        "name: imaged\nimage: {name}\nreplicas: 2\ncpus: 0.1\nmem: 32\nports: [http]\n\
         env: {{WORD: hello}}\n"
    );
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    cluster.tepui(&["service", "deploy", &file]).ok();
    for task in cluster.await_running(2) {
        let id = task["task_id"]["value"].as_str().unwrap().to_owned();
        let address = first_port(&task);
        let port = address.rsplit(':').next().unwrap();
        let line = format!("hello at {port} in /srv as 1033\n");
        eventually("the image's program has spoken", || {
            (cluster.tepui(&["logs", &id]).output == line).then_some(())
        });
    }
    cluster.tepui(&["service", "rm", "imaged"]).ok();
    eventually("nothing of it runs", || {
        cluster.tasks().is_empty().then_some(())
    });
}

#[test]
fn every_replica_of_the_web_service_answers_and_scaling_is_followed() {
    let cluster = with_web_service(2);
    for task in cluster.await_running(3) {
        let id = task["task_id"]["value"].as_str().unwrap().to_owned();
        let answer = eventually("the replica answers", || get(&first_port(&task)));
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(&id),
            "{answer}"
        );
    }
    cluster.tepui(&["service", "scale", "web", "5"]).ok();
    cluster.await_running(5);
    cluster.tepui(&["service", "scale", "web", "1"]).ok();
    cluster.await_running(1);
    cluster.tepui(&["service", "rm", "web"]).ok();
    cluster.await_running(0);
    eventually("the app is forgotten", || {
        let apps = cluster.tepui(&["service", "ls"]).ok();
        (!apps.contains("web")).then_some(())
    });
}

#[test]
fn a_replica_that_fails_is_replaced() {
    let cluster = with_web_service(1);
    let before = cluster.await_running(3);
    let victim = before[0]["task_id"]["value"].as_str().unwrap();
    cluster.tepui(&["kill", victim]).ok();
    eventually("another replica takes its place", || {
        let now = cluster.await_running(3);
        now.iter()
            .all(|it| it["task_id"]["value"] != victim)
            .then_some(())
    });
}

#[test]
fn the_word_count_equals_a_plain_sequential_one() {
    let mut cluster = Cluster::start(2);
    cluster.add_framework("batch");
    let folder = cluster.folder().join("texts");
    fs::create_dir(&folder).unwrap();
    for number in 0..20 {
        let text = format!("one two two three{number}\nOne fish, two fish\n").repeat(number + 1);
        fs::write(folder.join(format!("{number}.txt")), text).unwrap();
    }
    let job = fs::read_to_string(project().join("examples/batch/wordcount.yaml")).unwrap();
    let job = job.replace(
        "    - /usr/include\n",
        &format!("    - {}\n", folder.display()),
    );
    let job = job.replace("    - /usr/share/common-licenses\n", "");
    assert!(
        job.contains(folder.to_str().unwrap()),
        "the example has changed: {job}"
    );
    let file = cluster.folder().join("job.yaml");
    fs::write(&file, job).unwrap();
    cluster
        .tepui(&["batch", "submit", "--wait", file.to_str().unwrap()])
        .ok();
    let listed = cluster.json(&["batch", "ls"]);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let verdict = cluster.tepui(&["batch", "verify", &id]).ok();
    assert!(verdict.contains("equal"), "{verdict}");
    let result = cluster.tepui(&["batch", "result", &id]).ok();
    // 210 repetitions: one and One, three times two, twice fish.
    for line in ["one\t420", "two\t630", "fish\t420"] {
        assert!(
            result.lines().any(|it| it == line),
            "{line} is not in {result}"
        );
    }
}
