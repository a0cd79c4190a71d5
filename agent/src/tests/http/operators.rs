//! `/api/v1` of operators, and the endpoints without a version.

use serde_json::{Value, json};
use tepui_agent_core::Exit;

use super::{
    super::{World, master::in_executor},
    Client,
};

const PATH: &str = "/api/v1";

async fn world() -> (World, Client) {
    let mut world = World::new().await;
    world.run("t").await;
    let client = Client::connect(world.agent.address()).await;
    (world, client)
}

#[tokio::test]
async fn every_call_that_reads_is_answered_in_its_own_name() {
    let (world, mut client) = world().await;
    world.session.run(in_executor("u", "e", "anything")).await;
    super::super::eventually("both", || world.fake.state().specs.len() == 2).await;
    let kinds = [
        "GET_HEALTH",
        "GET_FLAGS",
        "GET_VERSION",
        "GET_METRICS",
        "GET_LOGGING_LEVEL",
        "GET_STATE",
        "GET_CONTAINERS",
        "GET_FRAMEWORKS",
        "GET_EXECUTORS",
        "GET_OPERATIONS",
        "GET_TASKS",
        "GET_AGENT",
        "GET_RESOURCE_PROVIDERS",
    ];
    for kind in kinds {
        let call = json!({"type": kind, "get_metrics": {}});
        for path in [PATH, "/slave(1)/api/v1/"] {
            let answer = client.post(path, &[], &call).await.json();
            assert_eq!(answer["type"], kind);
            assert!(answer[kind.to_lowercase()].is_object(), "{answer}");
        }
    }
    let call = json!({"type": "GET_EXECUTORS"});
    let answer = client.post(PATH, &[], &call).await.json();
    let executors = &answer["get_executors"]["executors"];
    assert_eq!(executors[0]["executor_info"]["executor_id"]["value"], "e");
}

#[tokio::test]
async fn a_call_that_cannot_be_served_is_refused_as_mesos_does() {
    let (_world, mut client) = world().await;
    let cases = [
        (json!({"type": "FLY"}), 400, "Expecting 'type'"),
        (json!({"type": "READ_FILE"}), 400, "Expecting 'read_file'"),
        (
            json!({"type": "READ_FILE", "read_file": {"path": "nowhere", "offset": 0}}),
            404,
            "there is no 'nowhere'",
        ),
        (
            json!({"type": "ADD_RESOURCE_PROVIDER_CONFIG", "add_resource_provider_config":
                {"info": {"type": "t", "name": "n"}}}),
            501,
            "not supported",
        ),
        (
            json!({"type": "SET_LOGGING_LEVEL", "set_logging_level":
                {"level": 9, "duration": {"nanoseconds": 1}}}),
            400,
            "Invalid level",
        ),
    ];
    for (call, status, text) in cases {
        let answer = client.post(PATH, &[], &call).await;
        assert_eq!(answer.status, status, "{call}: {}", answer.text());
        assert!(answer.text().contains(text), "{}", answer.text());
    }
    let call = json!({"type": "GET_STATE"});
    let html = [("Accept", "text/html")];
    assert_eq!(client.post(PATH, &html, &call).await.status, 406);
    assert_eq!(client.get(PATH).await.status, 405);
}

#[tokio::test]
async fn the_endpoints_without_a_version_have_mesos_shape() {
    let (world, mut client) = world().await;
    let state = client.get("/state").await.json();
    assert_eq!(state["id"], "m-S0");
    assert_eq!(state["master_hostname"], "127.0.0.1");
    assert_eq!(state["resources"]["cpus"], 4.0);
    assert_eq!(state["unreserved_resources_allocated"]["mem"], 32.0);
    let executor = &state["frameworks"][0]["executors"][0];
    assert_eq!(
        (&executor["id"], &executor["source"]),
        (&json!("t"), &json!("t"))
    );
    assert_eq!(executor["tasks"][0]["state"], "TASK_RUNNING");
    let container = world.fake.container_of("t");
    assert_eq!(executor["container"], container.as_str());
    let directory = world.fake.spec_of("t").sandbox.display().to_string();
    assert_eq!(executor["directory"], directory);
    let containers = client.get("/slave(1)/containers").await.json();
    assert_eq!(containers[0]["container_id"], container.as_str());
    assert_eq!(containers[0]["status"]["executor_pid"], 7);
    let statistics = client.get("/monitor/statistics").await.json();
    assert_eq!(statistics[0]["executor_id"], "t");
    let metrics = client.get("/metrics/snapshot").await.json();
    assert_eq!(metrics["slave/tasks_running"], 1.0);
    assert_eq!(metrics["slave/registered"], 1.0);
    let prometheus = client.get("/metrics").await.text();
    assert!(prometheus.contains("# TYPE tepui_slave_tasks_running gauge"));
    assert!(prometheus.contains("# TYPE tepui_slave_tasks_finished counter"));
    let flags = client.get("/flags").await.json();
    assert_eq!(flags["flags"]["executor_shutdown_grace_period"], "5s");
    let version: Value = client.get("/version").await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    world.fake.end(&container, Exit::code(0));
}

#[tokio::test]
async fn sandboxes_are_browsed_read_and_downloaded() {
    let (world, mut client) = world().await;
    let sandbox = world.fake.spec_of("t").sandbox;
    std::fs::write(sandbox.join("stdout"), "hello").unwrap();
    let folder = sandbox.display();
    let listed = client.get(&format!("/files/browse?path={folder}")).await;
    let listed = listed.json();
    assert_eq!(listed[0]["path"], format!("{folder}/stdout"));
    assert_eq!(listed[0]["size"], 5);
    assert!(listed[0]["mode"].as_str().unwrap().starts_with("-rw"));
    let read = async |client: &mut Client, query: &str| {
        let path = format!("/files/read?path={folder}/stdout{query}");
        client.get(&path).await.json()
    };
    let all = read(&mut client, "&offset=0").await;
    assert_eq!(all, json!({"data": "hello", "offset": 0}));
    let part = read(&mut client, "&offset=1&length=3").await;
    assert_eq!(part, json!({"data": "ell", "offset": 1}));
    let length = read(&mut client, "&offset=-1").await;
    assert_eq!(length, json!({"data": "", "offset": 5}));
    let whole = client
        .get(&format!("/files/download?path={folder}/stdout"))
        .await;
    assert_eq!(whole.text(), "hello");
    let name = whole.header("content-disposition");
    assert_eq!(name, Some("attachment; filename=\"stdout\""));
    let answer = client.get("/files/browse").await;
    assert_eq!(answer.text(), "Expecting 'path=value' in query.\n");
    let answer = client.get("/files/read?path=/etc/passwd&offset=0").await;
    assert!(
        matches!(answer.status, 400 | 403 | 404),
        "{}",
        answer.status
    );
    let debug = client.get("/files/debug").await.json();
    assert_eq!(debug.as_object().unwrap().len(), 1);
}
