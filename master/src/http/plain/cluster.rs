//! `/state` and its likes: everything, or parts of it.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Map, Value, json};
use tepui_edge::http::{
    Page, Refusal,
    shapes::{object, task as task_shape, version},
};
use tepui_proto::v1::{
    self,
    master::{call, response::GetState},
};
use tokio::task::spawn_blocking;

use super::{super::Site, flag_map, shapes};
use crate::desk::ask;

/// How many tasks `/tasks` shows when it is not told.
const TASKS: usize = 100;

async fn state_of(site: &Site) -> Result<GetState, Refusal> {
    let answer = site.desk.read(call::Type::GetState).await?;
    Ok(answer.get_state.unwrap_or_default())
}

/// Writing a large state takes a while, which other tasks need not feel.
async fn show(
    page: Page,
    state: GetState,
    shape: impl FnOnce(&GetState) -> Value + Send + 'static,
) -> Result<Response, Refusal> {
    let shaped = spawn_blocking(move || shape(&state)).await;
    Ok(page.show(shaped.map_err(|_| failed())?).await)
}

fn failed() -> Refusal {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Refusal::new(status, "The answer cannot be written")
}

/// Everything.
pub(super) async fn state(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let master = site.desk.read(call::Type::GetMaster).await?;
    let master = master.get_master.unwrap_or_default();
    let flags = flag_map(&site);
    let snapshot = site.desk.snapshot(ask(call::Type::GetState)).await?;
    let unreachable = snapshot.unreachable();
    let state = spawn_blocking(move || snapshot.get_state()).await;
    let state = state.map_err(|_| failed())?;
    show(page, state, move |state| {
        let info = master.master_info.unwrap_or_default();
        let mut map = version(info.version());
        map.extend(object(json!({
            "start_time": master.start_time,
            "elected_time": master.elected_time,
            "id": info.id,
            "pid": info.pid(),
            "hostname": info.hostname(),
            "capabilities":
                info.capabilities.iter().map(|it| it.r#type().as_str_name()).collect::<Vec<_>>(),
            "leader": info.pid(),
            "leader_info": {
                "id": info.id, "pid": info.pid(), "port": info.port, "hostname": info.hostname(),
            },
            "flags": flags,
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        })));
        map.extend(agent_counts(state));
        map.insert("unreachable_slaves".to_owned(), json!(unreachable as f64));
        map.extend(agents(state, false));
        map.extend(frameworks_of(state));
        Value::Object(map)
    })
    .await
}

fn agent_counts(state: &GetState) -> Map<String, Value> {
    let agents = state.get_agents.iter().flat_map(|it| &it.agents);
    let (active, other): (Vec<_>, Vec<_>) = agents.partition(|agent| agent.active);
    object(json!({
        "activated_slaves": active.len() as f64,
        "deactivated_slaves": other.len() as f64,
    }))
}

fn agents(state: &GetState, full: bool) -> Map<String, Value> {
    let agents = state.get_agents.iter().flat_map(|it| &it.agents);
    let agents: Vec<_> = agents.map(|agent| shapes::agent(agent, full)).collect();
    let recovered = state.get_agents.iter().flat_map(|it| &it.recovered_agents);
    let recovered = recovered.map(|info| json!({"id": info.id, "hostname": info.hostname}));
    object(json!({"slaves": agents, "recovered_slaves": recovered.collect::<Vec<_>>()}))
}

/// The tasks of each framework: that run, that are out of reach, that have ended.
fn tasks_of(state: &GetState) -> BTreeMap<&str, [Vec<Value>; 3]> {
    let mut all: BTreeMap<&str, [Vec<Value>; 3]> = BTreeMap::new();
    let Some(tasks) = &state.get_tasks else {
        return all;
    };
    let lists = [
        &tasks.tasks,
        &tasks.unreachable_tasks,
        &tasks.completed_tasks,
    ];
    for (index, list) in lists.into_iter().enumerate() {
        for task in list {
            let lists = all.entry(&task.framework_id.value).or_default();
            lists[index].push(task_shape(task));
        }
    }
    all
}

/// The custom executors of each framework.
fn executors_of(state: &GetState) -> BTreeMap<&str, Vec<Value>> {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for executor in state.get_executors.iter().flat_map(|it| &it.executors) {
        let framework = executor.executor_info.framework_id.as_ref();
        let list = all.entry(framework.map_or("", |id| &id.value)).or_default();
        list.push(shapes::executor(executor));
    }
    all
}

fn frameworks_of(state: &GetState) -> Map<String, Value> {
    let (mut tasks, mut executors) = (tasks_of(state), executors_of(state));
    let mut show = |view: &v1::master::response::get_frameworks::Framework| {
        let mut map = shapes::whole_framework(view);
        let id = shapes::framework_id(view);
        let [live, lost, ended] = tasks.remove(&*id).unwrap_or_default();
        let executors = executors.remove(&*id).unwrap_or_default();
        map.insert("executors".to_owned(), Value::Array(executors));
        map.insert("tasks".to_owned(), Value::Array(live));
        map.insert("unreachable_tasks".to_owned(), Value::Array(lost));
        map.insert("completed_tasks".to_owned(), Value::Array(ended));
        Value::Object(map)
    };
    let Some(view) = &state.get_frameworks else {
        return Map::new();
    };
    let live: Vec<_> = view.frameworks.iter().map(&mut show).collect();
    let completed: Vec<_> = view.completed_frameworks.iter().map(&mut show).collect();
    object(json!({"frameworks": live, "completed_frameworks": completed}))
}

/// The agents.
pub(super) async fn slaves(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let wanted = page.parameter("slave_id").map(str::to_owned);
    let mut state = state_of(&site).await?;
    if let (Some(wanted), Some(view)) = (wanted, &mut state.get_agents) {
        view.agents
            .retain(|agent| shapes::agent_id(agent) == wanted);
    }
    show(page, state, |state| Value::Object(agents(state, true))).await
}

/// The frameworks with their tasks.
pub(super) async fn frameworks(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let wanted = page.parameter("framework_id").map(str::to_owned);
    let mut state = state_of(&site).await?;
    if let (Some(wanted), Some(view)) = (wanted, &mut state.get_frameworks) {
        view.frameworks
            .retain(|it| shapes::framework_id(it) == wanted);
        view.completed_frameworks
            .retain(|it| shapes::framework_id(it) == wanted);
    }
    show(page, state, |state| {
        let mut map = frameworks_of(state);
        map.insert("unregistered_frameworks".to_owned(), json!([]));
        Value::Object(map)
    })
    .await
}

/// A page of the tasks, the newest first unless it is told otherwise.
pub(super) async fn tasks(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let number = |name: &str| page.parameter(name).and_then(|it| it.parse::<usize>().ok());
    let (limit, offset) = (
        number("limit").unwrap_or(TASKS),
        number("offset").unwrap_or(0),
    );
    let ascending = page.parameter("order") == Some("asc");
    let framework = page.parameter("framework_id").map(str::to_owned);
    let id = page.parameter("task_id").map(str::to_owned);
    let state = state_of(&site).await?;
    show(page, state, move |state| {
        let lists = state.get_tasks.iter();
        let all = lists.flat_map(|it| [&it.tasks, &it.unreachable_tasks, &it.completed_tasks]);
        let is_wanted = |task: &&v1::Task| {
            framework
                .as_ref()
                .is_none_or(|it| task.framework_id.value == *it)
                && id.as_ref().is_none_or(|it| task.task_id.value == *it)
        };
        let mut tasks: Vec<_> = all.flatten().filter(is_wanted).collect();
        let time = |task: &v1::Task| task.statuses.first().map_or(0.0, |it| it.timestamp());
        tasks.sort_by(|a, b| time(a).total_cmp(&time(b)));
        if !ascending {
            tasks.reverse();
        }
        let shown = tasks.into_iter().skip(offset).take(limit);
        json!({"tasks": shown.map(task_shape).collect::<Vec<_>>()})
    })
    .await
}

/// The agents and frameworks with the numbers of their tasks.
pub(super) async fn summary(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let master = site.desk.read(call::Type::GetMaster).await?;
    let hostname = master
        .get_master
        .and_then(|it| it.master_info)
        .unwrap_or_default()
        .hostname;
    let state = state_of(&site).await?;
    show(page, state, move |state| {
        let (by_agent, by_framework) = counts(state);
        let agents = state
            .get_agents
            .iter()
            .flat_map(|it| &it.agents)
            .map(|agent| {
                let mut map = shapes::agent(agent, false);
                let count = by_agent.get(&shapes::agent_id(agent));
                map.extend(count.cloned().unwrap_or_default().show("framework_ids"));
                map
            });
        let frameworks = state
            .get_frameworks
            .iter()
            .flat_map(|it| &it.frameworks)
            .map(|view| {
                let mut map = shapes::framework(view);
                let count = by_framework.get(&shapes::framework_id(view));
                map.extend(count.cloned().unwrap_or_default().show("slave_ids"));
                map
            });
        json!({
            "hostname": hostname,
            "slaves": agents.collect::<Vec<_>>(),
            "frameworks": frameworks.collect::<Vec<_>>(),
        })
    })
    .await
}

/// The tasks of one agent or framework, by state, and whom else they concern.
#[derive(Clone, Default)]
struct Count {
    states: BTreeMap<&'static str, usize>,
    others: BTreeSet<String>,
}

impl Count {
    fn show(self, others: &str) -> Map<String, Value> {
        const STATES: [&str; 10] = [
            "TASK_STAGING",
            "TASK_STARTING",
            "TASK_RUNNING",
            "TASK_KILLING",
            "TASK_FINISHED",
            "TASK_KILLED",
            "TASK_FAILED",
            "TASK_LOST",
            "TASK_ERROR",
            "TASK_UNREACHABLE",
        ];
        let number = |name| self.states.get(name).copied().unwrap_or_default();
        let mut map: Map<String, Value> = STATES
            .iter()
            .map(|name| ((*name).to_owned(), json!(number(*name))))
            .collect();
        map.insert(others.to_owned(), json!(self.others));
        map
    }
}

type Counts = BTreeMap<String, Count>;

fn counts(state: &GetState) -> (Counts, Counts) {
    let (mut by_agent, mut by_framework) = (Counts::new(), Counts::new());
    let lists = state.get_tasks.iter();
    let all = lists.flat_map(|it| [&it.tasks, &it.unreachable_tasks, &it.completed_tasks]);
    for task in all.flatten() {
        let (agent, framework) = (&task.agent_id.value, &task.framework_id.value);
        for (counts, key, other) in [
            (&mut by_agent, agent, framework),
            (&mut by_framework, framework, agent),
        ] {
            let count = counts.entry(key.clone()).or_default();
            *count.states.entry(task.state().as_str_name()).or_default() += 1;
            count.others.insert(other.clone());
        }
    }
    (by_agent, by_framework)
}
