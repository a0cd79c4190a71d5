//! Identity and rights: of the cases U of `docs/reliability.md` those that make sense without
//! authentication, by number.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use serde_json::{Value, json};
use tepui_abuse::{Role, Victim, framework::Framework, http1};

fn states(victim: &Victim) -> Vec<Value> {
    let tasks = victim.ask(Role::Master, "GET_TASKS");
    let tasks = tasks["get_tasks"]["tasks"].as_array().cloned();
    tasks
        .unwrap_or_default()
        .iter()
        .map(|it| it["state"].clone())
        .collect()
}

#[test]
fn u05_a_framework_cannot_touch_the_tasks_of_another() {
    let victim = Victim::start();
    let mut owner = Framework::subscribe(&victim, "owner", &["r"]);
    owner.launch("mine", "exec sleep 1000");
    let mut other = Framework::subscribe(&victim, "other", &["r"]);
    let kill = json!({"type": "KILL", "kill": {"task_id": {"value": "mine"}}});
    // In its own name the task is none that it has.
    assert_eq!(other.call(kill.clone()).status, 202);
    let status = other.hear("UPDATE")["status"].clone();
    assert_eq!(status["reason"], "REASON_RECONCILIATION", "{status}");
    // In the owner's name it lacks the owner's stream.
    let teardown = json!({"type": "TEARDOWN"});
    let shutdown = json!({"type": "SHUTDOWN", "shutdown": {"executor_id": {"value": "mine"}}});
    for call in [kill, teardown, shutdown] {
        for stream_id in [other.stream_id.as_str(), "", "x"] {
            let answer = other.call_as(&owner.id, stream_id, call.clone());
            assert_eq!(answer.status, 400, "{call}: {}", answer.text());
            assert!(
                !answer.text().contains(&owner.stream_id),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(states(&victim), [json!("TASK_RUNNING")]);
    victim.is_unharmed();
}

#[test]
fn u06_a_role_is_not_taken_for_another_that_begins_with_its_name() {
    let victim = Victim::start();
    let agent = &victim.ask(Role::Master, "GET_AGENTS")["get_agents"]["agents"][0];
    let agent_id = agent["agent_info"]["id"].clone();
    for role in ["prod-x", "a/bc", "prod/x"] {
        let resources = json!([{"name": "disk", "type": "SCALAR", "scalar": {"value": 10},
            "reservations": [{"type": "DYNAMIC", "role": role}]}]);
        let reserve = json!({"type": "RESERVE_RESOURCES",
            "reserve_resources": {"agent_id": agent_id, "resources": resources}});
        let answer = victim.operate(Role::Master, &reserve);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    for role in ["prod", "a/b", "a"] {
        let mut framework = Framework::subscribe(&victim, "prefix", &[role]);
        let offers = framework.hear("OFFERS").to_string();
        assert!(offers.contains("disk"), "{offers}");
        for foreign in ["prod-x", "a/bc", "prod/x"] {
            assert!(
                !offers.contains(foreign),
                "{role} is offered {foreign}'s: {offers}"
            );
        }
        assert_eq!(framework.call(json!({"type": "TEARDOWN"})).status, 202);
    }
    victim.is_unharmed();
}

#[test]
fn u15_files_outside_of_sandboxes_are_not_served() {
    if !tepui_cluster_tests::can_isolate() {
        return;
    }
    let victim = Victim::start();
    let mut framework = Framework::subscribe(&victim, "files", &["r"]);
    let command = "ln -s /etc/passwd link; ln -s /etc folder; mkfifo pipe; ln -s .. up; \
        echo made > made; exec sleep 1000";
    framework.launch("makes", command);
    let agent = victim.address(Role::Agent);
    let state: Value = serde_json::from_slice(&http1::get(agent, "/state").body).unwrap();
    let executor = &state["frameworks"][0]["executors"][0];
    let sandbox = executor["directory"].as_str().unwrap().to_owned();
    let read =
        |path: &str| http1::get(agent, &format!("/files/read?path={path}&offset=0&length=9"));
    tepui_cluster_tests::eventually("the task has made its files", || {
        (read(&format!("{sandbox}/made")).status == 200).then_some(())
    });
    let paths = [
        format!("{sandbox}/link"),
        format!("{sandbox}/folder/passwd"),
        format!("{sandbox}/pipe"),
        format!("{sandbox}/up/../../../../../../../etc/passwd"),
        format!("{sandbox}/../../../../../../../../../../../../etc/passwd"),
        format!("{sandbox}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        format!("{sandbox}/made%00"),
        String::new(),
    ];
    for path in paths {
        for page in ["read", "download", "browse"] {
            let query = format!("/files/{page}?path={path}&offset=0");
            let answer = http1::get(agent, &query);
            assert!((400..500).contains(&answer.status), "{query}: {answer:?}");
        }
        let call = json!({"type": "READ_FILE",
            "read_file": {"path": path.replace("%2e", "."), "offset": 0}});
        let answer = victim.operate(Role::Agent, &call);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    victim.is_unharmed();
}
