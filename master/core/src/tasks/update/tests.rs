//! Tests of the module that this one belongs to.

use tepui_model::{StatusUuid, TaskState};

use crate::{
    Notice,
    testing::{Cluster, Node, Scheduler, aware, names, resources, seconds, task_info},
};

fn launched() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:4;mem:1024");
    cluster.commands(node.connection);
    cluster.events(scheduler.connection);
    (cluster, scheduler, node)
}

#[test]
fn an_update_goes_to_the_framework_and_its_acknowledgement_to_the_agent() {
    let (mut cluster, scheduler, node) = launched();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    let update = cluster.update(&scheduler);
    assert_eq!(
        (update.state, update.uuid),
        (TaskState::Running, Some(uuid))
    );
    assert_eq!(update.agent_id, Some(node.id.clone()));
    assert!(
        cluster.commands(node.connection).is_empty(),
        "the master acknowledges nothing itself"
    );
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    assert_eq!(names(&cluster.commands(node.connection)), ["acknowledge t"]);
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
}

#[test]
fn an_update_told_again_goes_to_the_framework_again_and_counts_once() {
    let (mut cluster, scheduler, node) = launched();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.notices.clear();
    let told = ("t", TaskState::Running, uuid);
    cluster.report_again(&node, &scheduler.id, told, TaskState::Running);
    assert_eq!(cluster.updates(&scheduler).len(), 2);
    assert!(cluster.notices.is_empty());
}

#[test]
fn what_an_ended_task_took_is_free_at_once() {
    let (mut cluster, scheduler, node) = launched();
    cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.settle();
    assert_eq!(
        cluster.offer(&scheduler).resources,
        resources("cpus:4;mem:1024")
    );
}

#[test]
fn the_newest_state_frees_resources_before_its_update_is_told() {
    let (mut cluster, scheduler, node) = launched();
    let told = ("t", TaskState::Running, StatusUuid::from_bytes([1; 16]));
    cluster.report_again(&node, &scheduler.id, told, TaskState::Finished);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Running);
    assert_eq!(cluster.state_of("t"), ["TASK_FINISHED"]);
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1);
    let view = cluster.snapshot().get_tasks();
    assert_eq!(
        view.tasks[0].status_update_state().as_str_name(),
        "TASK_RUNNING"
    );
}

#[test]
fn a_task_is_forgotten_only_when_its_end_is_acknowledged() {
    let (mut cluster, scheduler, node) = launched();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 1);
    cluster.acknowledge(&scheduler, &node, "t", StatusUuid::from_bytes([99; 16]));
    assert_eq!(
        cluster.snapshot().get_tasks().tasks.len(),
        1,
        "that was another update"
    );
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    let view = cluster.snapshot().get_tasks();
    assert_eq!((view.tasks.len(), view.completed_tasks.len()), (0, 1));
}

#[test]
fn an_end_is_final() {
    let (mut cluster, scheduler, node) = launched();
    cluster.report(&node, &scheduler.id, "t", TaskState::Failed);
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    assert_eq!(cluster.state_of("t"), ["TASK_FAILED"]);
}

#[test]
fn watchers_hear_of_each_state_once() {
    let (mut cluster, scheduler, node) = launched();
    let added = cluster.notices.iter().filter_map(Notice::to_event);
    assert_eq!(added.filter(|event| event.task_added.is_some()).count(), 1);
    cluster.notices.clear();
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    let events: Vec<_> = cluster
        .notices
        .iter()
        .filter_map(Notice::to_event)
        .collect();
    let updated = events[0].task_updated.as_ref().unwrap();
    assert_eq!(updated.state().as_str_name(), "TASK_RUNNING");
    assert_eq!(events.len(), 1);
}

#[test]
fn an_acknowledgement_for_an_agent_that_is_away_is_dropped() {
    let (mut cluster, scheduler, node) = launched();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.disconnect_agent(&node);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    assert_eq!(cluster.warnings.len(), 1);
    assert_eq!(
        cluster.snapshot().get_tasks().tasks.len(),
        1,
        "the agent will tell it again"
    );
}

#[test]
fn a_framework_cannot_acknowledge_anothers_update() {
    let (mut cluster, scheduler, node) = launched();
    let other = cluster.subscribe(aware());
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&other, &node, "t", uuid);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 1);
    let commands = cluster.commands(node.connection);
    let Some(crate::AgentCommand::Acknowledge { framework_id, .. }) = commands.first() else {
        panic!("{commands:?}");
    };
    assert_eq!(*framework_id, other.id, "which the agent does not have");
}

#[test]
fn updates_on_a_stream_that_is_over_change_nothing() {
    let (mut cluster, scheduler, node) = launched();
    cluster.disconnect_agent(&node);
    cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    assert_eq!(cluster.updates(&scheduler).len(), 0);
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

/// A task ended on the first agent, which went away before it heard so; its id is used again on
/// the second.
fn reused() -> (Cluster, Scheduler, Node, Node) {
    let (mut cluster, scheduler, mut first) = launched();
    cluster.disconnect_agent(&first);
    cluster.pass(seconds(76));
    let second = cluster.register("two", "cpus:1;mem:32");
    cluster.settle();
    cluster.events(scheduler.connection);
    cluster.reregister(&mut first, None, &[]);
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    let offer = offers.iter().find(|offer| offer.agent_id == second.id);
    let offer = offer
        .cloned()
        .unwrap_or_else(|| cluster.master.offers_to(None)[0].clone());
    cluster.accept(
        &scheduler,
        &[&offer.id],
        vec![task_info("t", &second.id, "cpus:1")],
    );
    cluster.events(scheduler.connection);
    cluster.commands(first.connection);
    (cluster, scheduler, first, second)
}

#[test]
fn updates_of_an_older_task_of_the_same_id_are_not_taken_for_the_new_ones() {
    let (mut cluster, scheduler, first, second) = reused();
    cluster.report(&first, &scheduler.id, "t", TaskState::Finished);
    assert_eq!(cluster.updates(&scheduler).len(), 0);
    assert_eq!(
        names(&cluster.commands(first.connection)),
        ["acknowledge t"]
    );
    cluster.report(&first, &scheduler.id, "t", TaskState::Running);
    assert_eq!(
        names(&cluster.commands(first.connection)),
        ["acknowledge t", "kill t"]
    );
    cluster.report(&second, &scheduler.id, "t", TaskState::Running);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Running);
}

#[test]
fn an_older_task_of_the_same_id_is_killed_when_its_agent_brings_it() {
    let (mut cluster, scheduler, mut first, second) = reused();
    let framework = Some((&scheduler.id, aware()));
    cluster.reregister(
        &mut first,
        framework,
        &[("t", "cpus:1", TaskState::Running)],
    );
    assert_eq!(
        names(&cluster.commands(first.connection)),
        ["registered", "kill t"]
    );
    let view = cluster.snapshot().get_tasks();
    assert_eq!(view.tasks[0].agent_id.value, second.id.as_str());
}

#[test]
fn an_end_that_nobody_can_acknowledge_settles_the_task() {
    let (mut cluster, scheduler, node) = launched();
    let task_id = tepui_model::TaskId::new("t").unwrap();
    let status = tepui_model::TaskStatus::new(task_id, TaskState::Failed);
    cluster.apply(crate::Event::AgentUpdate {
        connection: node.connection,
        framework_id: scheduler.id.clone(),
        status: Box::new(status),
        latest_state: TaskState::Failed,
    });
    assert_eq!(cluster.update(&scheduler).state, TaskState::Failed);
    let view = cluster.snapshot().get_tasks();
    assert_eq!((view.tasks.len(), view.completed_tasks.len()), (0, 1));
}

#[test]
fn an_end_told_by_the_last_master_is_settled_when_it_is_acknowledged_to_the_next() {
    let (mut cluster, scheduler, mut node) = launched();
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.restart();
    let again = cluster.subscribe(aware().with_id(scheduler.id.clone()));
    let known = [("t", "cpus:4;mem:1024", TaskState::Finished)];
    cluster.reregister_with(
        &mut node,
        Some((&scheduler.id, aware())),
        &known,
        Some(uuid),
    );
    cluster.call(again.connection, crate::Action::Reconcile(Vec::new()));
    assert_eq!(
        cluster.updates(&again).len(),
        0,
        "the agent is about to tell it"
    );
    cluster.acknowledge(&again, &node, "t", uuid);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 0);
}

#[test]
fn a_task_that_its_agent_gave_up_takes_nothing_any_more() {
    let (mut cluster, scheduler, node) = launched();
    cluster.report(&node, &scheduler.id, "t", TaskState::Lost);
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    assert_eq!(cluster.state_of("t"), ["TASK_LOST"]);
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1);
}
