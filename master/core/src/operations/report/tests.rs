//! Tests of the module that this one belongs to.

use tepui_model::StatusUuid;

use crate::{
    AgentCommand, FrameworkEvent,
    OperationState::{Dropped, Error, Failed, Finished, Pending},
    OperationUuid,
    testing::{
        Cluster, Node, Scheduler, names,
        operations::{create, named, reserve, reserved, volume, web_pair},
        resources,
    },
};

/// A reservation under the name `r` that is on its way to the agent.
fn reserving() -> (Cluster, Scheduler, Node, OperationUuid) {
    let (mut cluster, scheduler, node) = web_pair();
    let operation = named("r", reserve(&reserved("cpus:1;mem:64", "web")));
    cluster.do_all(&scheduler, vec![operation]);
    let (uuid, info) = cluster.applied(&node).remove(0);
    assert_eq!(info.id.unwrap().value, "r");
    (cluster, scheduler, node, uuid)
}

fn acknowledged(cluster: &mut Cluster, node: &Node) -> Vec<(OperationUuid, StatusUuid)> {
    let commands = cluster.commands(node.connection).into_iter();
    let read = commands.filter_map(|command| match command {
        AgentCommand::AcknowledgeOperation { uuid, status_uuid } => Some((uuid, status_uuid)),
        _ => None,
    });
    read.collect()
}

#[test]
fn the_end_of_an_operation_is_told_until_it_is_acknowledged() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    cluster.report_operation_again(&node, uuid, Pending, None);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    let news = cluster.report_operation(&node, uuid, Finished);
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    let updates = cluster.operation_updates(&scheduler);
    assert_eq!(updates.len(), 2);
    for update in updates {
        assert_eq!((update.state, update.uuid), (Finished, Some(news)));
        assert_eq!(update.agent_id.as_ref(), Some(&node.id));
        assert_eq!(update.id.unwrap().as_str(), "r");
    }
    let shown = [("r".to_owned(), "OPERATION_FINISHED")];
    assert_eq!(cluster.shown_operations(), shown);
    assert_eq!(acknowledged(&mut cluster, &node), []);
    cluster.acknowledge_operation(&scheduler, "r", news);
    assert_eq!(acknowledged(&mut cluster, &node), [(uuid, news)]);
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_acknowledgement_of_anything_else_is_ignored() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    cluster.report_operation(&node, uuid, Finished);
    let other = StatusUuid::from_bytes([9; 16]);
    cluster.acknowledge_operation(&scheduler, "r", other);
    cluster.acknowledge_operation(&scheduler, "x", other);
    assert_eq!(acknowledged(&mut cluster, &node), []);
    assert_eq!(cluster.shown_operations().len(), 1);
    assert!(cluster.warnings.len() >= 2);
}

#[test]
fn what_no_framework_named_is_acknowledged_by_the_master() {
    let (mut cluster, scheduler, node) = web_pair();
    let operation = named("", reserve(&reserved("cpus:1;mem:64", "web")));
    cluster.do_all(&scheduler, vec![operation]);
    let (uuid, _) = cluster.applied(&node).remove(0);
    let news = cluster.report_operation(&node, uuid, Finished);
    assert_eq!(acknowledged(&mut cluster, &node), [(uuid, news)]);
    assert_eq!(cluster.shown_operations(), []);
    assert_eq!(cluster.operation_ends(&scheduler), []);
}

#[test]
fn news_of_an_operation_that_all_is_said_about_are_acknowledged_again() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    let news = cluster.report_operation(&node, uuid, Finished);
    cluster.acknowledge_operation(&scheduler, "r", news);
    acknowledged(&mut cluster, &node);
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    assert_eq!(acknowledged(&mut cluster, &node), [(uuid, news)]);
}

#[test]
fn an_operation_that_the_agent_could_not_do_is_undone_and_its_offers_are_taken_back() {
    for state in [Failed, Error, Dropped] {
        let (mut cluster, scheduler, node, uuid) = reserving();
        cluster.settle();
        let offer = cluster.offer(&scheduler);
        assert!(offer.resources.contains(&reserved("cpus:1", "web")));
        cluster.report_operation(&node, uuid, state);
        let events = cluster.events(scheduler.connection);
        let [
            FrameworkEvent::Rescind(rescinded),
            FrameworkEvent::OperationUpdate(update),
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((rescinded, update.state), (&offer.id, state));
        let before = resources("cpus:4;mem:1024;disk:1000;ports:[1-9]");
        assert_eq!(cluster.total(&node), before);
        cluster.settle();
        assert_eq!(cluster.offer(&scheduler).resources, before);
    }
}

#[test]
fn what_builds_on_an_operation_that_failed_goes_with_it_and_the_rest_stays() {
    let (mut cluster, scheduler, node) = web_pair();
    let operations = vec![
        named("disk", reserve(&reserved("disk:64", "web"))),
        named("data", create(&volume("data", 64, "web"))),
        named("cpus", reserve(&reserved("cpus:1", "web"))),
    ];
    cluster.do_all(&scheduler, operations);
    let sent = cluster.applied(&node);
    cluster.report_operation(&node, sent[0].0, Failed);
    let left = resources("cpus:3;mem:1024;disk:1000;ports:[1-9]") + &reserved("cpus:1", "web");
    assert_eq!(cluster.total(&node), left, "no volume without its disk");
    cluster.report_operation(&node, sent[1].0, Error);
    assert_eq!(cluster.total(&node), left);
    cluster.report_operation(&node, sent[2].0, Finished);
    assert_eq!(cluster.total(&node), left);
    let ends = cluster.operation_ends(&scheduler);
    let states: Vec<_> = ends.iter().map(|(_, state, _)| *state).collect();
    assert_eq!(states, [Failed, Error, Finished]);
}

#[test]
fn an_end_is_final() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    cluster.report_operation(&node, uuid, Finished);
    cluster.operation_ends(&scheduler);
    cluster.report_operation(&node, uuid, Failed);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    assert!(cluster.total(&node).contains(&reserved("cpus:1", "web")));
}

#[test]
fn the_end_of_an_operation_waits_for_a_framework_that_is_away() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    cluster.disconnect_framework(&scheduler);
    let news = cluster.report_operation(&node, uuid, Finished);
    assert_eq!(acknowledged(&mut cluster, &node), []);
    let info = crate::testing::of_roles(&["web"]).with_id(scheduler.id.clone());
    let scheduler = cluster.subscribe(info);
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    assert_eq!(cluster.operation_ends(&scheduler)[0].1, Finished);
}

#[test]
fn the_operations_of_a_removed_framework_are_acknowledged_by_the_master() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    let news = cluster.report_operation(&node, uuid, Finished);
    cluster.call(scheduler.connection, crate::Action::Teardown);
    let told = cluster.commands(node.connection);
    assert!(names(&told).contains(&"acknowledge an operation".to_owned()));
    assert_eq!(cluster.shown_operations(), []);
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    assert_eq!(acknowledged(&mut cluster, &node), [(uuid, news)]);
    assert!(
        cluster.total(&node).contains(&reserved("cpus:1", "web")),
        "reservations outlive their framework"
    );
}

#[test]
fn only_the_agent_itself_speaks_of_its_operations() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    let other = cluster.register("two", "cpus:1;mem:32");
    cluster.report_operation(&other, uuid, Failed);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    assert!(cluster.total(&node).contains(&reserved("cpus:1", "web")));
}
