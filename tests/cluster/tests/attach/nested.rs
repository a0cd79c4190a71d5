//! Containers that calls launch, inside of others and alone: with what is their own, over a restart
//! of the agent, until they are removed.

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tepui_cluster_tests::{
    Cluster, can_isolate, eventually,
    images::{Image, Registry, Tools},
};

use super::{World, client::call, processes, with};

/// Launches a container by the newer call.
fn launch(agent: &str, launch: Value) -> (u16, String) {
    call(
        agent,
        &json!({"type": "LAUNCH_CONTAINER", "launch_container": launch}),
    )
}

/// A call about a container.
fn on(agent: &str, kind: &str, id: &Value) -> (u16, Value) {
    let field = kind.to_lowercase();
    let (status, text) = call(agent, &json!({"type": kind, field: {"container_id": id}}));
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

/// The exit status of a container, as wait(2) has it.
fn wait(agent: &str, id: &Value) -> i64 {
    let (status, answer) = on(agent, "WAIT_CONTAINER", id);
    assert_eq!(status, 200, "{answer}");
    let waited = &answer["wait_container"];
    waited["exit_status"]
        .as_i64()
        .unwrap_or_else(|| panic!("{answer}"))
}

/// A file of a sandbox, once this is in it.
fn read(agent: &str, path: &str, word: &str) -> String {
    let order = json!({"type": "READ_FILE", "read_file": {"path": path, "offset": 0}});
    eventually("a file has a word in it", || {
        let (_, text) = call(agent, &order);
        let answer: Value = serde_json::from_str(&text).ok()?;
        let bytes = STANDARD
            .decode(answer["read_file"]["data"].as_str()?)
            .ok()?;
        let text = String::from_utf8(bytes).ok()?;
        text.contains(word).then_some(text)
    })
}

/// Those that GET_CONTAINERS shows.
fn shown(agent: &str, asked: &Value) -> Vec<Value> {
    let (status, text) = call(
        agent,
        &json!({"type": "GET_CONTAINERS", "get_containers": asked}),
    );
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let containers = answer["get_containers"]["containers"].as_array();
    containers.cloned().unwrap_or_default()
}

/// Where the sandbox of the world's task is.
fn sandbox(world: &World) -> String {
    let printed = world.cluster.tepui(&["exec", &world.task, "--", "pwd"]);
    printed.output.trim().to_owned()
}

#[test]
fn one_inside_has_an_image_a_user_a_volume_and_rights_of_its_own() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let config = json!({"Env": ["GREETING=hello"], "WorkingDir": "/srv"});
    let image = Image::new(&config, &[tools.busybox()]);
    let name = registry.push("tools", "1", &image);
    with(|world| {
        let id = world.inside("real");
        let limit = json!({"type": "RLMT_NOFILE", "soft": 77, "hard": 77});
        let path = json!({"type": "PARENT", "path": "shared"});
        let volume = json!({"mode": "RW", "container_path": "shared",
            "source": {"type": "SANDBOX_PATH", "sandbox_path": path}});
        let container = json!({
            "type": "MESOS",
            "mesos": {"image": {"type": "DOCKER", "docker": {"name": name}}},
            "volumes": [volume],
            "rlimit_info": {"rlimits": [limit]},
            "linux_info": {"effective_capabilities": {"capabilities": ["CHOWN"]},
                "bounding_capabilities": {"capabilities": ["CHOWN"]}},
        });
        let line = "echo $GREETING:$WORD:$(pwd):$(id -u):$(ulimit -n); ls /; \
                    while read key value; do case $key in CapBnd:) echo $value;; esac; done \
                    < /proc/self/status; echo seen > $MESOS_SANDBOX/shared/word; sleep 1000";
        let command = json!({"value": line, "user": "root"});
        let asked = json!({"container_id": id, "command": command, "container": container});
        assert_eq!(launch(&world.agent, asked.clone()), (200, String::new()));
        assert_eq!(launch(&world.agent, asked).0, 202, "it is there");
        let sandbox = sandbox(world);
        read(&world.agent, &format!("{sandbox}/shared/word"), "seen\n");
        let output = format!("{sandbox}/containers/real/stdout");
        let written = read(&world.agent, &output, "0000000000000001\n");
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines[0], "hello::/srv:0:77", "{written}");
        assert!(
            lines.contains(&"bin") && !lines.contains(&"home"),
            "{written}"
        );
        assert_eq!(on(&world.agent, "KILL_CONTAINER", &id).0, 200);
        assert_eq!(wait(&world.agent, &id), 9);
        // What cannot be had is said, and nothing is left.
        let missing = json!({"type": "MESOS", "mesos": {"image": {"type": "DOCKER",
            "docker": {"name": format!("{}/no/such:1", registry.address())}}}});
        let id = world.inside("missing");
        let asked = json!({"container_id": id, "command": {"value": "true"},
            "container": missing});
        let (status, text) = launch(&world.agent, asked);
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("no/such"), "{text}");
        assert_eq!(on(&world.agent, "WAIT_CONTAINER", &id).0, 404);
    });
}

#[test]
fn one_inside_may_have_limits_of_its_own() {
    with(|world| {
        let id = world.inside("limited");
        let scalar =
            |name, value| json!({"name": name, "type": "SCALAR", "scalar": {"value": value}});
        let line = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; sleep 1000";
        let mut asked = json!({
            "container_id": id,
            "command": {"value": line},
            "resources": [scalar("cpus", 0.1), scalar("mem", 40.0)],
            "limits": {"mem": {"value": 48}},
        });
        let (status, text) = launch(&world.agent, asked.clone());
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("share_cgroups"), "{text}");
        asked["container"] = json!({"type": "MESOS", "linux_info": {"share_cgroups": false}});
        let (status, text) = launch(&world.agent, asked);
        if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            // A group there has either processes or groups with limits.
            assert_eq!(status, 400, "{text}");
            assert!(text.contains("cgroup v2"), "{text}");
            return;
        }
        assert_eq!(status, 200, "{text}");
        let sandbox = sandbox(world);
        let output = format!("{sandbox}/containers/limited/stdout");
        read(&world.agent, &output, &format!("{}\n", 48 << 20));
        let none = shown(&world.agent, &json!({}));
        assert!(none.iter().all(|it| it["container_id"] != id), "{none:?}");
        let all = shown(&world.agent, &json!({"show_nested": true}));
        let found = all.iter().find(|it| it["container_id"] == id).unwrap();
        assert_eq!(found["executor_id"]["value"], world.task.as_str());
        let statistics = &found["resource_statistics"];
        assert_eq!(statistics["mem_limit_bytes"], 40 << 20, "{statistics}");
    });
}

#[test]
fn one_alone_outlives_its_agent_takes_signals_and_is_removed_with_its_files() {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(1);
    let agent = cluster.agents[0].address().to_owned();
    let id = json!({"value": "alone"});
    let line = "trap 'echo usr' USR1; echo up; while :; do sleep 0.05; done";
    let asked = json!({"container_id": id, "command": {"value": line}});
    assert_eq!(launch(&agent, asked), (200, String::new()));
    let folder = cluster.folder().join("agent-0/containers/alone");
    let output = folder.join("stdout").display().to_string();
    read(&agent, &output, "up\n");
    // One inside of it, on a terminal.
    let inner = json!({"value": "inner", "parent": id});
    let asked = json!({"container_id": inner, "command": {"value": "tty; exec sleep 4741.5"},
        "container": {"type": "MESOS", "tty_info": {}}});
    assert_eq!(launch(&agent, asked).0, 200);
    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    let both = eventually("both are found again", || {
        let asked = json!({"show_nested": true, "show_standalone": true});
        let all = shown(&agent, &asked);
        (all.len() == 2).then_some(all)
    });
    assert!(
        both.iter().all(|it| it["framework_id"].is_null()),
        "{both:?}"
    );
    assert_eq!(shown(&agent, &json!({})), Vec::<Value>::new());
    let signal = |number: i32| {
        let kill = json!({"container_id": id, "signal": number});
        call(
            &agent,
            &json!({"type": "KILL_CONTAINER", "kill_container": kill}),
        )
    };
    assert_eq!(signal(Signal::SIGUSR1 as i32).0, 200);
    read(&agent, &output, "usr\n");
    assert_eq!(
        signal(Signal::SIGSTOP as i32).0,
        400,
        "the program would not know"
    );
    assert_eq!(on(&agent, "REMOVE_CONTAINER", &id).0, 500);
    assert_eq!(signal(Signal::SIGKILL as i32).0, 200);
    assert_eq!(wait(&agent, &id), 9);
    assert_eq!(wait(&agent, &inner), 9, "it ends with the other");
    assert_eq!(processes("sleep\x004741.5"), 0);
    assert!(folder.exists());
    assert_eq!(on(&agent, "REMOVE_CONTAINER", &id).0, 200);
    assert!(!folder.exists());
    for id in [&id, &inner] {
        assert_eq!(on(&agent, "WAIT_CONTAINER", id).0, 404);
    }
}
