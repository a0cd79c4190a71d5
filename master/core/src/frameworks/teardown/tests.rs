//! Tests of the module that this one belongs to.

use tepui_model::{TaskState, TaskStatus};
use tepui_proto::v1::{self, master::call};

use crate::{
    Action, Ending, Notice, OperatorError, OperatorReply, RecordKind,
    testing::{Cluster, Node, Scheduler, aware, names, resources, seconds},
};

fn running() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.commands(node.connection);
    cluster.settle();
    cluster.events(scheduler.connection);
    (cluster, scheduler, node)
}

#[test]
fn a_torn_down_framework_is_history_and_its_tasks_are_killed() {
    let (mut cluster, scheduler, node) = running();
    cluster.call(scheduler.connection, Action::Teardown);
    assert_eq!(cluster.endings[&scheduler.connection], Ending::Done);
    let view = cluster.snapshot().get_frameworks();
    assert_eq!(
        (view.frameworks.len(), view.completed_frameworks.len()),
        (0, 1)
    );
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["acknowledge t", "kill t"]
    );
    let gone = (RecordKind::Framework, scheduler.id.to_string());
    assert!(!cluster.registry.contains_key(&gone));
    assert!(matches!(
        cluster.notices.last(),
        Some(Notice::OfferRemoved { .. })
    ));
}

#[test]
fn what_its_tasks_take_is_free_only_when_they_have_ended() {
    let (mut cluster, scheduler, node) = running();
    let other = cluster.subscribe(aware());
    cluster.call(scheduler.connection, Action::Teardown);
    cluster.settle();
    assert_eq!(
        cluster.offer(&other).resources,
        resources("cpus:3;mem:1000")
    );
    cluster.commands(node.connection);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    let shutdown = format!("shutdown {}", scheduler.id);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["acknowledge t", &shutdown]
    );
    cluster.settle();
    assert_eq!(cluster.offer(&other).resources, resources("cpus:1;mem:24"));
    assert_eq!(
        cluster.state_of("t"),
        ["TASK_KILLED"],
        "it is kept with its framework"
    );
}

#[test]
fn every_update_of_a_removed_frameworks_task_is_acknowledged_by_the_master() {
    let (mut cluster, scheduler, node) = running();
    cluster.call(scheduler.connection, Action::Teardown);
    cluster.commands(node.connection);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killing);
    assert_eq!(names(&cluster.commands(node.connection)), ["acknowledge t"]);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    cluster.commands(node.connection);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    let shutdown = format!("shutdown {}", scheduler.id);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        [shutdown],
        "and then it is unknown"
    );
}

#[test]
fn an_ended_task_whose_end_nobody_acknowledged_is_settled_at_once() {
    let (mut cluster, scheduler, node) = running();
    cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.call(scheduler.connection, Action::Teardown);
    let shutdown = format!("shutdown {}", scheduler.id);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["acknowledge t", &shutdown]
    );
    assert_eq!(cluster.state_of("t"), ["TASK_FINISHED"]);
}

#[test]
fn tasks_of_a_removed_framework_are_killed_when_their_agent_comes_back() {
    let (mut cluster, scheduler, mut node) = running();
    cluster.disconnect_agent(&node);
    cluster.call(scheduler.connection, Action::Teardown);
    let known = [("t", "cpus:1;mem:24", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    let commands = names(&cluster.commands(node.connection));
    assert_eq!(commands, ["registered", "kill t", "acknowledge t"]);
}

#[test]
fn tasks_of_a_removed_framework_are_killed_also_by_the_next_master() {
    let (mut cluster, scheduler, mut node) = running();
    cluster.disconnect_agent(&node);
    cluster.call(scheduler.connection, Action::Teardown);
    cluster.restart();
    let known = [("t", "cpus:1;mem:24", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["registered", "kill t"]
    );
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    let shutdown = format!("shutdown {}", scheduler.id);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["acknowledge t", &shutdown]
    );
}

#[test]
fn the_tasks_of_a_removed_framework_end_with_their_lost_agent() {
    let (mut cluster, scheduler, node) = running();
    cluster.disconnect_agent(&node);
    cluster.call(scheduler.connection, Action::Teardown);
    cluster.pass(seconds(76));
    assert_eq!(cluster.state_of("t"), ["TASK_UNREACHABLE"]);
    assert!(cluster.snapshot().get_tasks().tasks.is_empty());
}

fn teardown(id: &str) -> v1::master::Call {
    v1::master::Call {
        r#type: Some(call::Type::Teardown.into()),
        teardown: Some(call::Teardown {
            framework_id: v1::FrameworkId {
                value: id.to_owned(),
            },
        }),
        ..Default::default()
    }
}

#[test]
fn an_operator_tears_down_a_framework_which_hears_of_it() {
    let (mut cluster, scheduler, _) = running();
    let reply = cluster.v1(teardown(scheduler.id.as_str()));
    assert!(matches!(reply, Ok(OperatorReply::Done)));
    assert_eq!(
        cluster.error(scheduler.connection).unwrap(),
        "Framework has been removed"
    );
    let again = cluster.v1(teardown(scheduler.id.as_str()));
    let expected = format!("No framework found with ID {}", scheduler.id);
    assert_eq!(again.unwrap_err(), OperatorError::NotFound(expected));
}

#[test]
fn an_operator_is_told_that_there_is_no_such_framework() {
    let mut cluster = Cluster::new();
    let error = cluster.v1(teardown("x")).unwrap_err();
    assert_eq!(error.to_string(), "No framework found with ID x");
}

#[test]
fn removed_frameworks_that_are_kept_to_be_seen_are_bounded() {
    let mut cluster = Cluster::new();
    for _ in 0..60 {
        let scheduler = cluster.subscribe(aware());
        cluster.call(scheduler.connection, Action::Teardown);
    }
    let completed = cluster.snapshot().get_frameworks().completed_frameworks;
    assert_eq!(completed.len(), 50);
    assert_eq!(
        completed[49].framework_info.id.as_ref().unwrap().value,
        "m-0059"
    );
}

#[test]
fn ended_tasks_that_are_kept_to_be_seen_are_bounded() {
    let mut config = crate::testing::config();
    config.max_completed_tasks_per_framework = 3;
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(aware());
    let node = cluster.register("one", "cpus:1;mem:32");
    for number in 0..5 {
        cluster.settle();
        let name = format!("t{number}");
        cluster.launch(&scheduler, &name, "cpus:1");
        let uuid = cluster.report(&node, &scheduler.id, &name, TaskState::Finished);
        cluster.acknowledge(&scheduler, &node, &name, uuid);
    }
    let kept = cluster.snapshot().get_tasks().completed_tasks;
    let names: Vec<_> = kept
        .iter()
        .map(|task| task.task_id.value.as_str())
        .collect();
    assert_eq!(names, ["t2", "t3", "t4"]);
}

#[test]
fn an_update_of_a_framework_nobody_knows_shuts_it_down() {
    let (mut cluster, _, node) = running();
    let unknown = tepui_model::FrameworkId::new("unknown").unwrap();
    let task_id = tepui_model::TaskId::new("x").unwrap();
    cluster.apply(crate::Event::AgentUpdate {
        connection: node.connection,
        framework_id: unknown,
        status: Box::new(TaskStatus::new(task_id, TaskState::Running)),
        latest_state: TaskState::Running,
    });
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["shutdown unknown"]
    );
}

#[test]
fn removed_frameworks_in_the_registry_are_bounded() {
    let mut config = crate::testing::config();
    config.limits.removed_frameworks = 2;
    let mut cluster = Cluster::with(config);
    for _ in 0..4 {
        let scheduler = cluster.subscribe(aware());
        cluster.call(scheduler.connection, Action::Teardown);
        cluster.pass(seconds(1));
    }
    let left: Vec<_> = cluster
        .registry
        .keys()
        .map(|(_, key)| key.as_str())
        .collect();
    assert_eq!(left, ["m-0002", "m-0003"]);
}

#[test]
fn a_framework_cannot_come_back_while_its_tasks_end_though_its_id_is_forgotten() {
    let mut config = crate::testing::config();
    config.limits.removed_frameworks = 1;
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(aware());
    cluster.register("one", "cpus:1;mem:32");
    cluster.settle();
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.call(scheduler.connection, Action::Teardown);
    let other = cluster.subscribe(aware());
    cluster.call(other.connection, Action::Teardown);
    let again = cluster.try_subscribe(aware().with_id(scheduler.id));
    let error = cluster.error(again);
    assert_eq!(error.as_deref(), Some("Framework has been removed"));
}
