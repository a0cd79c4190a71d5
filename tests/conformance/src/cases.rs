//! The calls, each as Mesos' documents write it. `@master` stands for the master's id.

use serde_json::{Value, json};

fn agent() -> Value {
    json!({"value": "@master-S0"})
}

fn part(kind: &str, part: Value) -> Value {
    json!({"type": kind, kind.to_lowercase(): part})
}

fn reserved(megabytes: u32) -> Value {
    json!([{"name": "disk", "type": "SCALAR", "scalar": {"value": megabytes},
        "reservations": [{"type": "DYNAMIC", "role": "r"}]}])
}

fn volume(megabytes: u32) -> Value {
    let mut volume = reserved(megabytes);
    volume[0]["disk"] = json!({"persistence": {"id": "v"},
        "volume": {"container_path": "data", "mode": "RW"}});
    volume
}

/// What an operator does with resources, from their reservation to its end.
fn resources() -> Vec<Value> {
    let order = |kind, list: &str, resources: Value| {
        part(kind, json!({"agent_id": agent(), list: resources}))
    };
    vec![
        order("RESERVE_RESOURCES", "resources", reserved(128)),
        order("CREATE_VOLUMES", "volumes", volume(64)),
        part(
            "GROW_VOLUME",
            json!({"agent_id": agent(), "volume": volume(64)[0], "addition": reserved(64)[0]}),
        ),
        part(
            "SHRINK_VOLUME",
            json!({"agent_id": agent(), "volume": volume(128)[0], "subtract": {"value": 64}}),
        ),
        order("DESTROY_VOLUMES", "volumes", volume(64)),
        order("UNRESERVE_RESOURCES", "resources", reserved(128)),
    ]
}

/// All 39 calls of the operator API but SUBSCRIBE, in an order in which they make sense.
pub fn operator() -> Vec<Value> {
    let machines = json!({"machines": [{"hostname": "elsewhere"}]});
    let window = json!({"machine_ids": [{"hostname": "elsewhere"}],
        "unavailability": {"start": {"nanoseconds": 1_000_000}}});
    let mut calls: Vec<Value> = reads();
    calls.extend([
        part(
            "SET_LOGGING_LEVEL",
            json!({"level": 0, "duration": {"nanoseconds": 1}}),
        ),
        part("LIST_FILES", json!({"path": "/x"})),
        part("READ_FILE", json!({"path": "/x", "offset": 0, "length": 1})),
        part(
            "UPDATE_WEIGHTS",
            json!({"weight_infos": [{"role": "r", "weight": 2.5}]}),
        ),
    ]);
    calls.extend(resources());
    calls.extend([
        part(
            "UPDATE_MAINTENANCE_SCHEDULE",
            json!({"schedule": {"windows": [window]}}),
        ),
        part("START_MAINTENANCE", machines.clone()),
        part("STOP_MAINTENANCE", machines),
        part(
            "UPDATE_QUOTA",
            json!({"force": true, "quota_configs": [{"role": "q",
            "limits": {"cpus": {"value": 1.0}}}]}),
        ),
        part(
            "SET_QUOTA",
            json!({"quota_request": {"force": true, "role": "p",
            "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}]}}),
        ),
        part("REMOVE_QUOTA", json!({"role": "p"})),
        part("DEACTIVATE_AGENT", json!({"agent_id": agent()})),
        part("REACTIVATE_AGENT", json!({"agent_id": agent()})),
        part(
            "DRAIN_AGENT",
            json!({"agent_id": agent(), "max_grace_period": {"seconds": "10"},
            "mark_gone": false}),
        ),
        part(
            "TEARDOWN",
            json!({"framework_id": {"value": "@master-9999"}}),
        ),
        part("MARK_AGENT_GONE", json!({"agent_id": {"value": "nobody"}})),
    ]);
    calls.extend(reads());
    calls
}

fn reads() -> Vec<Value> {
    let kinds = [
        "GET_HEALTH",
        "GET_FLAGS",
        "GET_VERSION",
        "GET_LOGGING_LEVEL",
        "GET_STATE",
        "GET_AGENTS",
        "GET_FRAMEWORKS",
        "GET_EXECUTORS",
        "GET_OPERATIONS",
        "GET_TASKS",
        "GET_ROLES",
        "GET_WEIGHTS",
        "GET_MASTER",
        "GET_MAINTENANCE_STATUS",
        "GET_MAINTENANCE_SCHEDULE",
        "GET_QUOTA",
    ];
    let mut calls: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
    calls.push(part(
        "GET_METRICS",
        json!({"timeout": {"nanoseconds": 1_000_000_000}}),
    ));
    calls
}

/// All 20 calls of the scheduler API but SUBSCRIBE, which comes first of itself, and TEARDOWN last.
pub fn scheduler() -> Vec<Value> {
    let task = json!({"task_id": {"value": "t"}, "agent_id": agent()});
    let uuid = "AAECAwQFBgcICQoLDA0ODw==";
    let offers = json!([{"value": "@master-O9999"}]);
    let launch = json!({"type": "LAUNCH", "launch": {"task_infos": [{"name": "t",
        "task_id": {"value": "t"}, "agent_id": agent(), "command": {"value": "true"},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}]}]}});
    let info = json!({"user": "u", "name": "new", "roles": ["r", "s"], "failover_timeout": 100.0,
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]});
    let nobody = json!({"executor_id": {"value": "e"}, "agent_id": agent()});
    let mut message = nobody.clone();
    message["data"] = json!("aGk=");
    let operation = json!({"operation_id": {"value": "o"}, "agent_id": agent()});
    let mut acknowledge_operation = operation.clone();
    acknowledge_operation["uuid"] = json!(uuid);
    let mut acknowledge = task.clone();
    acknowledge["uuid"] = json!(uuid);
    vec![
        part(
            "ACCEPT",
            json!({"offer_ids": offers, "operations": [launch]}),
        ),
        part(
            "DECLINE",
            json!({"offer_ids": offers, "filters": {"refuse_seconds": 1.5}}),
        ),
        part(
            "ACCEPT_INVERSE_OFFERS",
            json!({"inverse_offer_ids": offers}),
        ),
        part(
            "DECLINE_INVERSE_OFFERS",
            json!({"inverse_offer_ids": offers}),
        ),
        part("SUPPRESS", json!({"roles": ["r"]})),
        part("REVIVE", json!({"roles": ["r"]})),
        part("KILL", json!({"task_id": {"value": "unknown"}})),
        part("SHUTDOWN", nobody),
        part("ACKNOWLEDGE", acknowledge),
        part("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation),
        part("RECONCILE", json!({"tasks": [task]})),
        part("RECONCILE_OPERATIONS", json!({"operations": [operation]})),
        part("MESSAGE", message),
        part(
            "REQUEST",
            json!({"requests": [{"resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}]}]}),
        ),
        part("UPDATE_FRAMEWORK", json!({"framework_info": info})),
        json!({"type": "TEARDOWN"}),
    ]
}
