//! Tests of the module that this one belongs to.

use prost::Message;
use tepui_model::{Resources, Role, TaskState};
use tepui_proto::v1::{
    self,
    master::{
        Response,
        call::{self, Type},
    },
};

use super::{Form, List, Snapshot};
use crate::testing::{Cluster, aware, of_roles, resources, role, seconds};

/// The resources of a view and the role they are allocated to.
fn read(wire: &[v1::Resource]) -> (Resources, Option<Role>) {
    Resources::from_proto(wire).unwrap()
}

#[test]
fn an_agent_shows_what_is_allocated_and_what_is_offered() {
    let (mut cluster, scheduler, node) = Cluster::pair(of_roles(&["web"]));
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    cluster.settle();
    let agent = &cluster.snapshot().get_agents().agents[0];
    assert_eq!(
        agent.agent_info.id.as_ref().unwrap().value,
        node.id.as_str()
    );
    assert!(agent.active);
    assert_eq!(
        read(&agent.total_resources),
        (resources("cpus:4;mem:1024"), None)
    );
    let web = Some(role("web"));
    assert_eq!(
        read(&agent.allocated_resources),
        (resources("cpus:1;mem:24"), web.clone())
    );
    assert_eq!(
        read(&agent.offered_resources),
        (resources("cpus:3;mem:1000"), web)
    );
}

#[test]
fn a_framework_shows_its_offers_and_what_it_has() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    cluster.settle();
    let framework = &cluster.snapshot().get_frameworks().frameworks[0];
    assert!(framework.active && framework.connected && !framework.recovered);
    assert_eq!(framework.offers.len(), 1);
    assert_eq!(
        read(&framework.allocated_resources).0,
        resources("cpus:1;mem:24")
    );
    assert_eq!(
        read(&framework.offered_resources).0,
        resources("cpus:3;mem:1000")
    );
    cluster.disconnect_framework(&scheduler);
    let framework = &cluster.snapshot().get_frameworks().frameworks[0];
    assert!(!framework.active && !framework.connected);
    assert!(framework.offers.is_empty());
}

#[test]
fn tasks_are_listed_by_where_they_are() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "ended", "cpus:1");
    let uuid = cluster.report(&node, &scheduler.id, "ended", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "ended", uuid);
    cluster.settle();
    cluster.launch(&scheduler, "lost", "cpus:1");
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let other = cluster.register("two", "cpus:1;mem:32");
    cluster.settle();
    let offer = cluster.master.offers_to(None)[0].clone();
    let task = crate::testing::task_info("live", &other.id, "cpus:1");
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    the_parts_are_the_whole(&cluster.snapshot());
    let view = cluster.snapshot().get_tasks();
    let names = |tasks: &[v1::Task]| {
        tasks
            .iter()
            .map(|task| task.task_id.value.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&view.tasks), ["live"]);
    assert_eq!(names(&view.unreachable_tasks), ["lost"]);
    assert_eq!(names(&view.completed_tasks), ["ended"]);
    assert_eq!(view.completed_tasks[0].statuses.len(), 1);
    assert_eq!(
        view.completed_tasks[0].status_update_uuid(),
        uuid.as_bytes()
    );
}

#[test]
fn roles_are_those_subscribed_used_reserved_or_weighted_and_their_ancestors() {
    let mut config = crate::testing::config();
    config.weights = vec![(role("weighted"), tepui_model::Quantity::from_units(2))];
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(of_roles(&["a/b"]));
    cluster.register("one", "cpus:4;mem:1024;cpus(reserved):1");
    cluster.settle();
    cluster.launch(&scheduler, "t", "cpus:1");
    let roles = cluster.master.get_roles().roles;
    let names: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["a", "a/b", "reserved", "weighted"]);
    assert_eq!(read(&roles[1].resources).0, resources("cpus:1"));
    assert_eq!(roles[1].frameworks[0].value, scheduler.id.as_str());
    assert_eq!((roles[1].weight, roles[3].weight), (1.0, 2.0));
}

#[test]
fn the_state_is_all_of_it_together() {
    let (cluster, ..) = Cluster::pair(aware());
    let state = cluster.snapshot().get_state();
    assert_eq!(state.get_agents.unwrap().agents.len(), 1);
    assert_eq!(state.get_frameworks.unwrap().frameworks.len(), 1);
    assert!(state.get_tasks.unwrap().tasks.is_empty());
    assert!(state.get_executors.unwrap().executors.is_empty());
}

#[test]
fn the_master_says_since_when_it_runs() {
    let (cluster, ..) = Cluster::pair(aware());
    let view = cluster.master.get_master();
    assert_eq!(view.start_time(), 1000.0);
    assert_eq!(view.master_info.unwrap().id, "m");
}

#[test]
fn a_snapshot_shows_what_was_while_the_core_goes_on() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    cluster.settle();
    let snapshot = cluster.snapshot();
    let before = snapshot.get_state();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    assert_eq!(snapshot.get_state(), before);
    let after = cluster.snapshot().get_tasks();
    assert_eq!((after.tasks.len(), after.completed_tasks.len()), (0, 1));
}

/// A message in pieces is the sum of them, in both forms and however often it is asked for.
fn the_parts_are_the_whole(snapshot: &Snapshot) {
    for kind in [Type::GetState, Type::GetTasks, Type::GetAgents] {
        let mut expected = snapshot.answer(kind);
        expected.r#type = None;
        for _ in 0..2 {
            assert_eq!(summed(snapshot, kind), expected);
        }
    }
    let state = serde_json::to_value(snapshot.get_state()).unwrap();
    for list in List::ALL {
        let parts = snapshot.parts(list.group()).into_iter();
        let texts = parts.filter(|part| part.list == list).map(|part| {
            let mut text = Vec::new();
            snapshot.write(&part, list.group(), Form::Json, &mut text);
            String::from_utf8(text).unwrap()
        });
        let text = format!("[{}]", texts.collect::<Vec<_>>().join(","));
        let list_of_state = &state[list.group().as_str_name().to_lowercase()][list.name()];
        let expected = list_of_state.as_array().cloned().unwrap_or_default();
        let seen: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(seen, expected, "{list:?}");
    }
}

fn summed(snapshot: &Snapshot, kind: Type) -> Response {
    let mut bytes = Vec::new();
    for part in snapshot.parts(kind) {
        snapshot.write(&part, kind, Form::Protobuf, &mut bytes);
    }
    let mut whole = Response::decode(&*bytes).unwrap();
    // What has no part is empty, and not absent.
    let Response {
        get_state,
        get_tasks,
        get_agents,
        ..
    } = &mut whole;
    match kind {
        Type::GetState => {
            let state = get_state.get_or_insert_default();
            state.get_tasks.get_or_insert_default();
            state.get_executors.get_or_insert_default();
            state.get_frameworks.get_or_insert_default();
            state.get_agents.get_or_insert_default();
        }
        Type::GetTasks => drop(get_tasks.get_or_insert_default()),
        _ => drop(get_agents.get_or_insert_default()),
    }
    whole
}

#[test]
fn what_was_written_before_a_change_is_not_shown_after_it() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    cluster.settle();
    the_parts_are_the_whole(&cluster.snapshot());
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    the_parts_are_the_whole(&cluster.snapshot());
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    the_parts_are_the_whole(&cluster.snapshot());
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    the_parts_are_the_whole(&cluster.snapshot());
}

#[test]
fn the_parts_of_a_snapshot_are_small_and_together_the_whole() {
    let mut cluster = Cluster::new();
    for number in 0..600 {
        cluster.register(&format!("h{number}"), "cpus:1;mem:32");
    }
    let gone = cluster.subscribe(aware());
    cluster.settle();
    cluster.call(gone.connection, crate::Action::Teardown);
    cluster.subscribe(of_roles(&["web"]));
    cluster.settle();
    let snapshot = cluster.snapshot();
    let parts = snapshot.parts(call::Type::GetAgents);
    assert_eq!(parts.len(), 3);
    for part in &parts {
        let mut bytes = Vec::new();
        snapshot.write(part, call::Type::GetAgents, Form::Protobuf, &mut bytes);
        let answer = Response::decode(&*bytes).unwrap();
        assert!(answer.get_agents.unwrap().agents.len() <= 256);
    }
    the_parts_are_the_whole(&snapshot);
}
