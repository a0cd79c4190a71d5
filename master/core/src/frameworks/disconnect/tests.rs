//! Tests of the module that this one belongs to.

use core::time::Duration;

use tepui_model::{Filters, TaskState};

use crate::{
    FrameworkEvent, Notice, RecordKind,
    testing::{Cluster, aware, names, seconds, task_info, with_timeout},
};

#[test]
fn a_framework_that_is_away_has_no_offers_and_others_get_them() {
    let (mut cluster, first, _) = Cluster::pair(aware());
    let second = cluster.subscribe(aware());
    cluster.disconnect_framework(&first);
    cluster.settle();
    assert_eq!(cluster.offers(&second).len(), 1);
    let removed = cluster.notices.iter();
    let ends = removed.filter(|notice| matches!(notice, Notice::OfferRemoved { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn tasks_run_on_until_the_framework_is_back_in_time() {
    let (mut cluster, scheduler, node) = Cluster::pair(with_timeout(60.0));
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_framework(&scheduler);
    cluster.pass(seconds(59));
    let again = cluster.subscribe(with_timeout(60.0).with_id(scheduler.id.clone()));
    cluster.pass(seconds(10));
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
    cluster.events(again.connection);
    cluster.report(&node, &again.id, "t", TaskState::Running);
    assert_eq!(cluster.update(&again).state, TaskState::Running);
    let commands = names(&cluster.commands(node.connection));
    assert!(!commands.contains(&"kill t".to_owned()), "{commands:?}");
}

#[test]
fn a_framework_that_does_not_come_back_is_removed_with_its_tasks() {
    let (mut cluster, scheduler, node) = Cluster::pair(with_timeout(60.0));
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_framework(&scheduler);
    cluster.commands(node.connection);
    cluster.pass(Duration::from_millis(60_001));
    let commands = names(&cluster.commands(node.connection));
    assert!(commands.contains(&"kill t".to_owned()), "{commands:?}");
    assert!(cluster.snapshot().get_frameworks().frameworks.is_empty());
}

#[test]
fn without_a_timeout_a_framework_is_removed_at_once() {
    let (mut cluster, scheduler, _) = Cluster::pair(with_timeout(0.0));
    cluster.disconnect_framework(&scheduler);
    let view = cluster.snapshot().get_frameworks();
    assert_eq!(
        (view.frameworks.len(), view.completed_frameworks.len()),
        (0, 1)
    );
}

#[test]
fn the_deadline_survives_a_restart_of_the_master() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_timeout(60.0));
    cluster.disconnect_framework(&scheduler);
    cluster.pass(seconds(30));
    cluster.restart();
    cluster.pass(seconds(29));
    assert_eq!(cluster.snapshot().get_frameworks().frameworks.len(), 1);
    cluster.pass(seconds(2));
    assert!(cluster.snapshot().get_frameworks().frameworks.is_empty());
    let removed = (RecordKind::RemovedFramework, scheduler.id.to_string());
    assert!(cluster.registry.contains_key(&removed));
}

#[test]
fn a_framework_whose_deadline_passed_while_no_master_ran_has_a_moment_to_come_back() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_timeout(60.0));
    cluster.disconnect_framework(&scheduler);
    cluster.now += seconds(3600);
    cluster.restart();
    cluster.pass(seconds(9));
    assert_eq!(
        cluster.subscribe(aware().with_id(scheduler.id.clone())).id,
        scheduler.id
    );
}

#[test]
fn a_framework_that_was_connected_when_the_master_died_has_as_long_as_agents() {
    let mut cluster = Cluster::new();
    cluster.subscribe(with_timeout(0.0));
    cluster.restart();
    cluster.pass(seconds(599));
    assert_eq!(cluster.snapshot().get_frameworks().frameworks.len(), 1);
    cluster.restart();
    cluster.pass(seconds(2));
    let left = cluster.snapshot().get_frameworks().frameworks.len();
    assert_eq!(left, 1, "the moment after a restart");
    cluster.pass(seconds(10));
    assert!(
        cluster.snapshot().get_frameworks().frameworks.is_empty(),
        "not 599 s more"
    );
}

#[test]
fn a_master_that_slept_does_not_remove_who_could_not_be_heard() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_timeout(60.0));
    cluster.disconnect_framework(&scheduler);
    cluster.now += seconds(600);
    cluster.apply(crate::Event::Wake);
    assert_eq!(cluster.snapshot().get_frameworks().frameworks.len(), 1);
    cluster.pass(seconds(16));
    assert!(cluster.snapshot().get_frameworks().frameworks.is_empty());
}

#[test]
fn a_deadline_that_ends_while_the_master_wakes_up_is_not_over() {
    for slept in [58, 61] {
        let mut cluster = Cluster::new();
        let scheduler = cluster.subscribe(with_timeout(60.0));
        cluster.disconnect_framework(&scheduler);
        cluster.now += seconds(slept);
        cluster.apply(crate::Event::Wake);
        cluster.pass(seconds(14));
        assert_eq!(cluster.snapshot().get_frameworks().frameworks.len(), 1);
        cluster.pass(seconds(2));
        assert!(cluster.snapshot().get_frameworks().frameworks.is_empty());
    }
}

#[test]
fn what_a_framework_refused_is_offered_to_it_again_when_it_is_back() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::refuse(seconds(3600)));
    cluster.disconnect_framework(&scheduler);
    let again = cluster.subscribe(aware().with_id(scheduler.id));
    cluster.settle();
    assert_eq!(cluster.offers(&again).len(), 1);
}

#[test]
fn updates_for_a_framework_that_is_away_wait_at_the_agent() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_framework(&scheduler);
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    let again = cluster.subscribe(aware().with_id(scheduler.id.clone()));
    let told = ("t", TaskState::Running, uuid);
    cluster.report_again(&node, &scheduler.id, told, TaskState::Running);
    let update = cluster.update(&again);
    assert_eq!(
        (update.state, update.uuid),
        (TaskState::Running, Some(uuid))
    );
}

#[test]
fn the_end_of_a_stream_that_failed_over_changes_nothing() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let again = cluster.subscribe(aware().with_id(scheduler.id.clone()));
    cluster.disconnect_framework(&scheduler);
    cluster.settle();
    let events = cluster.events(again.connection);
    let offers = events.iter().find_map(|event| match event {
        FrameworkEvent::Offers { offers, .. } => Some(offers.clone()),
        _ => None,
    });
    let offer = offers.unwrap().remove(0);
    cluster.accept(
        &again,
        &[&offer.id],
        vec![task_info("t", &node.id, "cpus:1")],
    );
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn a_framework_that_came_back_has_no_deadline_for_the_next_master() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_timeout(60.0));
    cluster.disconnect_framework(&scheduler);
    cluster.subscribe(with_timeout(60.0).with_id(scheduler.id.clone()));
    cluster.pass(seconds(300));
    cluster.restart();
    cluster.pass(seconds(599));
    assert_eq!(cluster.snapshot().get_frameworks().frameworks.len(), 1);
}
