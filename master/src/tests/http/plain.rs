//! The endpoints without a version.

use serde_json::{Value, json};

use super::{
    super::{AgentClient, FrameworkClient, clients, master},
    Client, subscribe,
};

/// Whether all keys of the one are in the other, with values of the same kind.
fn same_shape(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                let mine = ours.get(key);
                let mine = mine.unwrap_or_else(|| panic!("{path}.{key} is missing"));
                same_shape(mine, value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(mine), Some(value)) = (ours.first(), theirs.first()) {
                same_shape(mine, value, &format!("{path}[]"));
            }
        }
        (ours, theirs) => assert_eq!(
            std::mem::discriminant(ours),
            std::mem::discriminant(theirs),
            "{path}: {ours} for {theirs}"
        ),
    }
}

/// A page of Mesos, without its flags.
fn page(text: &str) -> Value {
    let mut page: Value = serde_json::from_str(text).unwrap();
    if let Some(map) = page.as_object_mut() {
        map.remove("flags");
    }
    page
}

/// A page that a Mesos has shown.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../proto/tests/data/samples/master-",
            $name,
            ".json"
        ))
    };
}

#[tokio::test]
async fn pages_have_the_shape_of_mesos() {
    let (_dir, server) = master().await;
    let _agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let mut stream = Client::connect(server.address()).await;
    stream.post("/api/v1/scheduler", &[], &subscribe("f")).await;
    assert_eq!(stream.hear().await["type"], "SUBSCRIBED");
    assert_eq!(stream.hear().await["type"], "OFFERS");
    let mut client = Client::connect(server.address()).await;
    let pages = [
        ("/state", sample!("state")),
        ("/master/state", sample!("state")),
        ("/state-summary", sample!("state-summary")),
        ("/slaves", sample!("slaves")),
        ("/frameworks", sample!("frameworks")),
        ("/roles", sample!("roles")),
        ("/tasks", sample!("tasks")),
    ];
    for (path, text) in pages {
        let mut theirs = page(text);
        // The quantities of a role, and ports, are there when there are any.
        if path == "/roles" {
            let role = &mut theirs["roles"][0];
            role["allocated"] = json!({});
            role["resources"] = json!({});
            role["quota"]["consumed"] = json!({});
        }
        strip_ports(&mut theirs);
        same_shape(&client.get(path).await.json(), &theirs, path);
    }
    server.stop().await.unwrap();
}

fn strip_ports(page: &mut Value) {
    match page {
        Value::Object(map) => {
            map.remove("ports");
            map.values_mut().for_each(strip_ports);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_ports),
        _ => {}
    }
}

#[tokio::test]
async fn a_framework_over_http_has_no_pid() {
    let (_dir, server) = master().await;
    let _f = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let mut client = Client::connect(server.address()).await;
    let state = client.get("/state").await.json();
    assert_eq!(state["frameworks"][0].get("pid"), None);
    assert_eq!(state["frameworks"][0]["name"], "f");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn scripts_get_their_callback() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let answer = client.get("/version?jsonp=show").await;
    assert_eq!(answer.header("content-type"), Some("text/javascript"));
    let text = answer.text();
    assert!(
        text.starts_with("show({\"") && text.ends_with("});"),
        "{text}"
    );
    let version = client.get("/version").await.json()["version"].clone();
    let is_plain = |text: &str| text.chars().all(|it| it.is_ascii_digit() || it == '.');
    assert!(is_plain(version.as_str().unwrap()), "{version}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_is_led_to_the_leader() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    for path in ["/redirect", "/master/redirect"] {
        let answer = client.get(path).await;
        let location = format!("//{}", server.address());
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some(&*location))
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn metrics_have_mesos_names_and_true_values() {
    let (_dir, server) = master().await;
    let _agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let _f = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let mut client = Client::connect(server.address()).await;
    let metrics = loop {
        let metrics = client.get("/metrics/snapshot?timeout=2secs").await.json();
        // Nothing is told of allocations before the first.
        if !metrics["allocator/mesos/allocation_run_ms/count"].is_null() {
            break metrics;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let odd = client.get("/metrics/snapshot?timeout=soon").await;
    assert_eq!(odd.status, 400);
    assert!(
        odd.text().starts_with("Invalid timeout 'soon': "),
        "{}",
        odd.text()
    );
    let stored = |part: &str| metrics[format!("registrar/state_store_ms{part}")].as_f64();
    assert!(stored("/p50").unwrap() <= stored("/max").unwrap());
    let run = |part: &str| metrics[format!("allocator/mesos/allocation_run_ms{part}")].as_f64();
    assert!(run("/p999").unwrap() >= run("/p50").unwrap());
    assert!(run("/count").unwrap() >= 1.0);
    for (name, value) in [
        ("master/slaves_active", 1.0),
        ("master/frameworks_connected", 1.0),
        ("master/elected", 1.0),
        ("master/tasks_running", 0.0),
        ("master/cpus_used", 0.0),
    ] {
        assert_eq!(metrics[name], value, "{name}");
    }
    assert!(metrics["master/cpus_total"].as_f64().unwrap() > 0.0);
    let known: Vec<_> = include_str!("samples/metrics.txt").lines().collect();
    let mut own = Vec::new();
    for name in metrics.as_object().unwrap().keys() {
        match name.strip_prefix("master/frameworks/f/") {
            Some(of_framework) => own.extend(of_framework.split_once('/').map(|(_, name)| name)),
            None => assert!(known.contains(&name.as_str()), "Mesos has no {name}"),
        }
    }
    own.sort_unstable();
    let mut expected = vec![
        "calls",
        "calls/subscribe",
        "events",
        "events/offers",
        "events/subscribed",
        "offers/sent",
        "operations",
        "roles/*/suppressed",
        "subscribed",
    ];
    // The offer may come before or after the answer.
    expected.retain(|name| !name.contains("offers") || own.contains(name));
    assert_eq!(own, expected);
    let answer = client.get("/metrics").await;
    assert!(
        answer.text().contains("\ntepui_master_slaves_active 1\n"),
        "{}",
        answer.text()
    );
    let call = json!({"type": "GET_METRICS", "get_metrics": {}});
    let answer = client.post("/api/v1", &[], &call).await.json();
    assert!(answer["get_metrics"]["metrics"].as_array().unwrap().len() > 30);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn logging_is_changed_for_a_while() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let set = |level: u32, nanos: i64| {
        let part = json!({"level": level, "duration": {"nanoseconds": nanos}});
        json!({"type": "SET_LOGGING_LEVEL", "set_logging_level": part})
    };
    assert_eq!(
        client
            .post("/api/v1", &[], &set(1, 3_600_000_000_000))
            .await
            .status,
        200
    );
    let get = json!({"type": "GET_LOGGING_LEVEL"});
    let answer = client.post("/api/v1", &[], &get).await.json();
    assert_eq!(answer["get_logging_level"]["level"], 1);
    assert_eq!(client.post("/api/v1", &[], &set(9, 1)).await.status, 400);
    assert_eq!(client.post("/api/v1", &[], &set(1, -1)).await.status, 400);
    assert_eq!(client.post("/api/v1", &[], &set(0, 1)).await.status, 200);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn operators_decide_by_forms_and_parts_of_calls() {
    let (_dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let mut client = Client::connect(server.address()).await;
    let weights = br#"[{"role": "dev", "weight": 2.0}]"#;
    assert_eq!(
        client.request("PUT", "/weights", &[], weights).await.status,
        200
    );
    let shown = client.get("/weights").await.json();
    assert_eq!(shown, json!([{"role": "dev", "weight": 2.0}]));
    let machines = json!([{"hostname": "host"}]);
    let window = json!({"machine_ids": machines,
        "unavailability": {"start": {"nanoseconds": 1_000_000}, "duration": {"nanoseconds": 1_000_000}}});
    let schedule = json!({"windows": [window]});
    let answer = client.post("/maintenance/schedule", &[], &schedule).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client.get("/maintenance/schedule").await.json(), schedule);
    let status = client.get("/maintenance/status").await.json();
    assert_eq!(status["draining_machines"][0]["id"]["hostname"], "host");
    for (path, status) in [
        ("/machine/down", 200),
        ("/machine/up", 200),
        ("/machine/up", 400),
    ] {
        let answer = client.post(path, &[], &machines).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let form = format!("frameworkId={}", framework.id().value);
    for (body, status) in [(form.as_str(), 200), (&form, 400), ("x=y", 400)] {
        let answer = client
            .request("POST", "/teardown", &[], body.as_bytes())
            .await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let answer = client
        .request("POST", "/reserve", &[], b"slaveId=x&resources=%5B%5D")
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(
        client.request("DELETE", "/weights", &[], b"").await.status,
        405
    );
    server.stop().await.unwrap();
}
