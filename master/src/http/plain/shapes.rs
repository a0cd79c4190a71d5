//! Agents, frameworks and tasks as the endpoints without a version show them, made of the answers
//! of the v1 API.

use serde_json::{Map, Value, json};
use tepui_edge::http::{
    amounts::{reserved_to, summed},
    shapes::{attributes, id, object},
};
use tepui_proto::v1::{
    self,
    master::response::{get_agents, get_executors, get_frameworks},
};

fn seconds(time: Option<&v1::TimeInfo>) -> f64 {
    time.map_or(0.0, |time| time.nanoseconds as f64 / 1e9)
}

pub(super) fn agent_id(agent: &get_agents::Agent) -> String {
    id(agent.agent_info.id.as_ref(), |id| &id.value)
}

pub(super) fn framework_id(framework: &get_frameworks::Framework) -> String {
    id(framework.framework_info.id.as_ref(), |id| &id.value)
}

/// An agent. `full` adds its resources one by one, as `/slaves` does.
pub(super) fn agent(agent: &get_agents::Agent, full: bool) -> Map<String, Value> {
    let info = &agent.agent_info;
    let port = info.port();
    let total = &agent.total_resources;
    let (reserved, free): (Vec<_>, Vec<_>) = total
        .iter()
        .cloned()
        .partition(|it| reserved_to(it).is_some());
    let mut roles: Vec<&str> = reserved.iter().filter_map(reserved_to).collect();
    roles.sort_unstable();
    roles.dedup();
    let of_role = |role: &str| -> Vec<v1::Resource> {
        let mine = |it: &&v1::Resource| reserved_to(it) == Some(role);
        reserved.iter().filter(mine).cloned().collect()
    };
    let by_role = |show: &dyn Fn(Vec<v1::Resource>) -> Value| -> Map<String, Value> {
        let each = roles
            .iter()
            .map(|role| ((*role).to_owned(), show(of_role(role))));
        each.collect()
    };
    let capabilities = agent
        .capabilities
        .iter()
        .map(|it| it.r#type().as_str_name());
    let mut map = object(json!({
        "id": agent_id(agent),
        "hostname": info.hostname,
        "port": port,
        "attributes": attributes(&info.attributes),
        "pid": agent.pid(),
        "registered_time": seconds(agent.registered_time.as_ref()),
        "resources": summed(total),
        "used_resources": summed(&agent.allocated_resources),
        "offered_resources": summed(&agent.offered_resources),
        "reserved_resources": by_role(&|it| summed(&it)),
        "unreserved_resources": summed(&free),
        "active": agent.active,
        "deactivated": agent.deactivated(),
        "version": agent.version,
        "capabilities": capabilities.collect::<Vec<_>>(),
    }));
    if let Some(time) = &agent.reregistered_time {
        map.insert("reregistered_time".to_owned(), json!(seconds(Some(time))));
    }
    if let Some(domain) = &info.domain {
        map.insert("domain".to_owned(), json!(domain));
    }
    if let Some(drain) = &agent.drain_info {
        map.insert("drain_info".to_owned(), json!(drain));
    }
    if full {
        let lists = object(json!({
            "reserved_resources_full": by_role(&|it| json!(it)),
            "unreserved_resources_full": free,
            "used_resources_full": agent.allocated_resources,
            "offered_resources_full": agent.offered_resources,
        }));
        map.extend(lists);
    }
    map
}

/// A custom executor, with its agent.
pub(super) fn executor(executor: &get_executors::Executor) -> Value {
    let info = &executor.executor_info;
    let mut map = object(json!({
        "executor_id": info.executor_id.value,
        "name": info.name(),
        "framework_id": id(info.framework_id.as_ref(), |id| &id.value),
        "command": info.command.as_ref().map(command),
        "resources": summed(&info.resources),
        "slave_id": executor.agent_id.value,
    }));
    let allocated = info.resources.first();
    let role = allocated.and_then(|it| it.allocation_info.as_ref());
    let parts = [
        ("role", role.map(|it| json!(it.role()))),
        ("labels", info.labels.as_ref().map(|it| json!(it.labels))),
        (
            "type",
            info.r#type.map(|_| json!(info.r#type().as_str_name())),
        ),
    ];
    let set = parts.into_iter();
    map.extend(set.filter_map(|(name, part)| Some((name.to_owned(), part?))));
    Value::Object(map)
}

/// A command as Mesos' pages show it: arguments are `argv`.
fn command(command: &v1::CommandInfo) -> Value {
    let uri =
        |uri: &v1::command_info::Uri| json!({"value": uri.value, "executable": uri.executable()});
    let mut map = object(json!({
        "shell": command.shell(),
        "argv": command.arguments,
        "uris": command.uris.iter().map(uri).collect::<Vec<_>>(),
    }));
    let parts = [
        ("value", command.value.as_ref().map(|it| json!(it))),
        (
            "environment",
            command.environment.as_ref().map(|it| json!(it)),
        ),
    ];
    let set = parts.into_iter();
    map.extend(set.filter_map(|(name, part)| Some((name.to_owned(), part?))));
    map.into()
}

/// What every view of a framework begins with.
pub(super) fn framework(framework: &get_frameworks::Framework) -> Map<String, Value> {
    let info = &framework.framework_info;
    let capabilities = info.capabilities.iter().map(|it| it.r#type().as_str_name());
    object(json!({
        "id": framework_id(framework),
        "name": info.name,
        "used_resources": summed(&framework.allocated_resources),
        "offered_resources": summed(&framework.offered_resources),
        "capabilities": capabilities.collect::<Vec<_>>(),
        "hostname": info.hostname(),
        "webui_url": info.webui_url(),
        "active": framework.active,
        "connected": framework.connected,
        "recovered": framework.recovered,
    }))
}

/// The whole framework, but for its tasks and executors. A framework over HTTP has no `pid`.
pub(super) fn whole_framework(view: &get_frameworks::Framework) -> Map<String, Value> {
    let info = &view.framework_info;
    let both = [&view.allocated_resources[..], &view.offered_resources[..]].concat();
    let mut map = framework(view);
    map.extend(object(json!({
        "user": info.user,
        "failover_timeout": info.failover_timeout(),
        "checkpoint": info.checkpoint(),
        "registered_time": seconds(view.registered_time.as_ref()),
        "unregistered_time": seconds(view.unregistered_time.as_ref()),
        "resources": summed(&both),
        "offers": view.offers,
        "offer_constraints": view.offer_constraints.clone().unwrap_or_default(),
    })));
    if view.reregistered_time != view.registered_time {
        let time = seconds(view.reregistered_time.as_ref());
        map.insert("reregistered_time".to_owned(), json!(time));
    }
    if let Some(principal) = &info.principal {
        map.insert("principal".to_owned(), json!(principal));
    }
    if let Some(labels) = &info.labels {
        map.insert("labels".to_owned(), json!(labels.labels));
    }
    let multi = v1::framework_info::capability::Type::MultiRole;
    if info.capabilities.iter().any(|it| it.r#type() == multi) {
        map.insert("roles".to_owned(), json!(info.roles));
    } else {
        #[allow(deprecated)] // Frameworks without MULTI_ROLE still use it.
        map.insert("role".to_owned(), json!(info.role()));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_has_the_shape_of_mesos() {
        let uri = v1::command_info::Uri {
            value: "http://h/e".to_owned(),
            executable: Some(true),
            ..v1::command_info::Uri::default()
        };
        let shown = executor(&get_executors::Executor {
            executor_info: v1::ExecutorInfo {
                executor_id: v1::ExecutorId {
                    value: "e".to_owned(),
                },
                framework_id: Some(v1::FrameworkId {
                    value: "f".to_owned(),
                }),
                r#type: Some(v1::executor_info::Type::Custom.into()),
                command: Some(v1::CommandInfo {
                    value: Some("./e".to_owned()),
                    arguments: vec!["a".to_owned()],
                    uris: vec![uri],
                    ..v1::CommandInfo::default()
                }),
                ..v1::ExecutorInfo::default()
            },
            agent_id: v1::AgentId {
                value: "s".to_owned(),
            },
        });
        let expected = json!({
            "executor_id": "e",
            "name": "",
            "framework_id": "f",
            "slave_id": "s",
            "type": "CUSTOM",
            "resources": {"cpus": 0.0, "mem": 0.0, "disk": 0.0, "gpus": 0.0},
            "command": {"shell": true, "value": "./e", "argv": ["a"],
                "uris": [{"value": "http://h/e", "executable": true}]},
        });
        assert_eq!(shown, expected);
    }
}
