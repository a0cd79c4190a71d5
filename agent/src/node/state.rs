//! `/state` of an agent: everything, in the shape that Mesos gives it. A task that runs alone is
//! shown as an executor of its own, since that is what Mesos' clients look for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};
use tepui_agent_core::{Agent, capabilities};
use tepui_edge::http::{
    amounts::{reserved_to, summed},
    shapes,
};
use tepui_model::{FrameworkId, ReservationForm, TaskId};
use tepui_proto::v1;

/// What an agent's core does not know of itself.
#[derive(Debug)]
pub(super) struct About {
    /// Where the sandboxes are.
    pub(super) sandboxes: PathBuf,
    /// When its program was started.
    pub(super) started: SystemTime,
    /// Its flags by name.
    pub(super) flags: Map<String, Value>,
    /// The host of its master, while there is a link.
    pub(super) master: Option<String>,
}

/// Everything.
pub(super) fn whole(agent: &Agent, about: About) -> Value {
    let info = agent.get_agent().agent_info.unwrap_or_default();
    let started = about.started.duration_since(UNIX_EPOCH);
    let id = info.id.as_ref().map(|id| id.value.clone());
    let total = agent.resources().to_proto_as(ReservationForm::Both, None);
    let (reserved, free): (Vec<_>, Vec<_>) = total
        .iter()
        .cloned()
        .partition(|resource| reserved_to(resource).is_some());
    let used = agent.figures().used.to_proto(None);
    let (used_reserved, used_free): (Vec<_>, Vec<_>) = used
        .into_iter()
        .partition(|resource| reserved_to(resource).is_some());
    let place = Place {
        sandboxes: &about.sandboxes,
        agent: id.clone().unwrap_or_default(),
    };
    let capabilities = capabilities().to_proto();
    let capabilities = capabilities.iter().map(|it| it.r#type().as_str_name());
    let mut map = shapes::version(env!("CARGO_PKG_VERSION"));
    map.extend(shapes::object(json!({
        "start_time": started.as_ref().map_or(0.0, Duration::as_secs_f64),
        "id": id,
        "pid": format!("slave(1)@{}:{}", info.hostname, info.port()),
        "hostname": info.hostname,
        "capabilities": capabilities.collect::<Vec<_>>(),
        "resources": summed(&total),
        "reserved_resources": by_role(&reserved, summed),
        "unreserved_resources": summed(&free),
        "reserved_resources_full": by_role(&reserved, |list| json!(list)),
        "unreserved_resources_full": free,
        "reserved_resources_allocated": by_role(&used_reserved, summed),
        "unreserved_resources_allocated": summed(&used_free),
        "resource_providers": [],
        "attributes": shapes::attributes(&info.attributes),
        "flags": about.flags,
        "frameworks": frameworks(agent, &place, false),
        "completed_frameworks": frameworks(agent, &place, true),
    })));
    let parts = [
        ("master_hostname", about.master.map(|it| json!(it))),
        ("domain", info.domain.map(|it| json!(it))),
    ];
    map.extend(set(parts));
    Value::Object(map)
}

/// The parts that are there.
fn set<const N: usize>(parts: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let set = parts.into_iter();
    set.filter_map(|(name, part)| Some((name.to_owned(), part?)))
        .collect()
}

/// Where the sandboxes of an agent are.
struct Place<'a> {
    sandboxes: &'a Path,
    agent: String,
}

impl Place<'_> {
    fn folder(&self, framework: &str, executor: &str, container: Option<&str>) -> String {
        let run = container.unwrap_or("latest");
        let below = format!(
            "{}/frameworks/{framework}/executors/{executor}/runs/{run}",
            self.agent
        );
        self.sandboxes.join(below).display().to_string()
    }
}

fn by_role(list: &[v1::Resource], show: impl Fn(&[v1::Resource]) -> Value) -> Value {
    let mut roles: BTreeMap<&str, Vec<v1::Resource>> = BTreeMap::new();
    for resource in list {
        let role = reserved_to(resource).unwrap_or_default();
        roles.entry(role).or_default().push(resource.clone());
    }
    let shown = roles.iter();
    let shown = shown.map(|(role, list)| ((*role).to_owned(), show(list)));
    Value::Object(shown.collect())
}

fn frameworks(agent: &Agent, place: &Place<'_>, completed: bool) -> Vec<Value> {
    let all = agent.get_frameworks();
    let list = match completed {
        true => all.completed_frameworks,
        false => all.frameworks,
    };
    let executors = executors(agent, place);
    let shown = list.into_iter().map(|framework| {
        let info = framework.framework_info;
        let id = info.id.as_ref().map(|id| id.value.clone());
        let id = id.unwrap_or_default();
        let own = executors.get(&id).cloned().unwrap_or_default();
        let mut map = shapes::object(json!({
            "id": id,
            "name": info.name,
            "user": info.user,
            "failover_timeout": info.failover_timeout(),
            "checkpoint": info.checkpoint(),
            "hostname": info.hostname(),
            "executors": own.live,
            "completed_executors": own.completed,
        }));
        #[allow(deprecated)] // Frameworks without MULTI_ROLE still use it.
        let role = match info.roles.is_empty() {
            true => ("role", json!(info.role())),
            false => ("roles", json!(info.roles)),
        };
        map.insert(role.0.to_owned(), role.1);
        Value::Object(map)
    });
    shown.collect()
}

/// The executors of a framework.
#[derive(Clone, Default)]
struct Executors {
    live: Vec<Value>,
    completed: Vec<Value>,
}

/// The tasks of one executor.
#[derive(Default)]
struct Tasks {
    queued: Vec<v1::Task>,
    launched: Vec<v1::Task>,
    completed: Vec<v1::Task>,
}

fn executors(agent: &Agent, place: &Place<'_>) -> BTreeMap<String, Executors> {
    let tasks = agent.get_tasks();
    let mut by_executor: BTreeMap<(String, String), Tasks> = BTreeMap::new();
    let mut add = |list: Vec<v1::Task>, into: fn(&mut Tasks) -> &mut Vec<v1::Task>| {
        for task in list {
            let own = task.executor_id.as_ref().map(|id| id.value.clone());
            let executor = own.unwrap_or_else(|| task.task_id.value.clone());
            let key = (task.framework_id.value.clone(), executor);
            into(by_executor.entry(key).or_default()).push(task);
        }
    };
    add(tasks.queued_tasks, |it| &mut it.queued);
    add(tasks.launched_tasks, |it| &mut it.launched);
    add(tasks.terminated_tasks, |it| &mut it.completed);
    add(tasks.completed_tasks, |it| &mut it.completed);
    let known = agent.get_executors();
    let containers = containers(agent);
    let infos = known.executors.iter().map(|it| (&it.executor_info, true));
    let ended = known.completed_executors.iter();
    let infos = infos.chain(ended.map(|it| (&it.executor_info, false)));
    let mut all: BTreeMap<String, Executors> = BTreeMap::new();
    for (info, is_live) in infos {
        let framework = info.framework_id.as_ref().map(|id| id.value.clone());
        let key = (
            framework.unwrap_or_default(),
            info.executor_id.value.clone(),
        );
        let tasks = by_executor.remove(&key).unwrap_or_default();
        let shown = custom(place, info, (&key, containers.get(&key)), &tasks);
        push(&mut all, key.0, shown, is_live);
    }
    for (key, tasks) in by_executor {
        let is_live = !tasks.queued.is_empty() || !tasks.launched.is_empty();
        let shown = alone(agent, place, &key, &tasks);
        push(&mut all, key.0, shown, is_live);
    }
    all
}

fn push(all: &mut BTreeMap<String, Executors>, framework: String, shown: Value, is_live: bool) {
    let executors = all.entry(framework).or_default();
    match is_live {
        true => executors.live.push(shown),
        false => executors.completed.push(shown),
    }
}

/// A custom executor with its tasks.
fn custom(
    place: &Place<'_>,
    info: &v1::ExecutorInfo,
    ((framework, executor), container): (&(String, String), Option<&String>),
    tasks: &Tasks,
) -> Value {
    let live = tasks.queued.iter().chain(&tasks.launched);
    let held = live.flat_map(|task| task.resources.iter().cloned());
    let held: Vec<_> = held.chain(info.resources.iter().cloned()).collect();
    let container = container.cloned().or_else(|| container_of(tasks));
    let own = info.resources.first().map(|it| it.allocation_info.as_ref());
    let own = own.flatten().map(|it| it.role());
    let all = tasks
        .launched
        .iter()
        .chain(&tasks.queued)
        .chain(&tasks.completed);
    let role = own.or_else(|| all.filter_map(shapes::role_of).next());
    let mut map = shapes::object(json!({
        "id": executor,
        "name": info.name(),
        "source": info.source(),
        "container": container,
        "directory": place.folder(framework, executor, container.as_deref()),
        "resources": summed(&held),
    }));
    map.extend(set([
        (
            "type",
            info.r#type.map(|_| json!(info.r#type().as_str_name())),
        ),
        ("role", role.map(|it| json!(it))),
        ("labels", info.labels.as_ref().map(|it| json!(it.labels))),
    ]));
    map.extend(lists(tasks));
    Value::Object(map)
}

/// A task that runs alone, as an executor of its own.
fn alone(
    agent: &Agent,
    place: &Place<'_>,
    (framework, executor): &(String, String),
    tasks: &Tasks,
) -> Value {
    let all = tasks.launched.iter().chain(&tasks.queued);
    let all: Vec<&v1::Task> = all.chain(&tasks.completed).collect();
    let first = all.first();
    let container = container_of(tasks);
    let known = FrameworkId::new(framework)
        .ok()
        .zip(TaskId::new(executor).ok());
    let is_known = known.is_some_and(|(framework, task)| {
        agent.is_live(&tepui_agent_core::TaskKey::new(&framework, &task))
    });
    let held: Vec<_> = first.map(|task| task.resources.clone()).unwrap_or_default();
    let mut map = shapes::object(json!({
        "id": executor,
        "name": first.map(|task| task.name.clone()),
        "source": executor,
        "container": container,
        "directory": place.folder(framework, executor, container.as_deref()),
        "resources": summed(&held),
        "active": is_known,
    }));
    let role = first.and_then(|task| shapes::role_of(task));
    let labels = first.and_then(|task| task.labels.as_ref());
    map.extend(set([
        ("role", role.map(|it| json!(it))),
        ("labels", labels.map(|it| json!(it.labels))),
    ]));
    map.extend(lists(tasks));
    Value::Object(map)
}

fn lists(tasks: &Tasks) -> Map<String, Value> {
    let shown = |list: &[v1::Task]| list.iter().map(shapes::task).collect::<Vec<_>>();
    shapes::object(json!({
        "tasks": shown(&tasks.launched),
        "queued_tasks": shown(&tasks.queued),
        "completed_tasks": shown(&tasks.completed),
    }))
}

/// The containers of executors that run.
fn containers(agent: &Agent) -> BTreeMap<(String, String), String> {
    let running = agent.get_containers().into_iter();
    let named = running.filter_map(|it| {
        let key = (it.framework_id?.value, it.executor_id?.value);
        Some((key, it.container_id.value))
    });
    named.collect()
}

/// The container that the newest of the tasks told of.
fn container_of(tasks: &Tasks) -> Option<String> {
    let all = tasks.launched.iter().chain(&tasks.completed);
    let mut statuses = all.flat_map(|task| &task.statuses);
    statuses.find_map(|status| {
        let container = status.container_status.as_ref()?.container_id.as_ref()?;
        Some(container.value.clone())
    })
}
