//! Tests of the module that this one belongs to.

use core::time::Duration;

use tepui_model::{FrameworkId, OperationId, StatusUuid};

use crate::{
    AgentCommand, KnownOperation,
    OperationState::{self, Dropped, Finished, Pending},
    OperationStatus, OperationUuid,
    limits::ORPHAN_ADOPTION,
    testing::{
        Cluster, Node, Scheduler, of_roles,
        operations::{named, reserve, reserved, web_pair},
        resources,
    },
};

const PLAIN: &str = "cpus:4;mem:1024;disk:1000;ports:[1-9]";

fn reserving() -> (Cluster, Scheduler, Node, OperationUuid) {
    let (mut cluster, scheduler, node) = web_pair();
    let operation = named("r", reserve(&reserved("cpus:1", "web")));
    cluster.do_all(&scheduler, vec![operation]);
    let (uuid, _) = cluster.applied(&node).remove(0);
    (cluster, scheduler, node, uuid)
}

fn known(
    framework: &FrameworkId,
    uuid: OperationUuid,
    state: OperationState,
    news: Option<StatusUuid>,
) -> KnownOperation {
    let mut operation = Box::new(reserve(&reserved("cpus:1", "web")).to_proto());
    operation.id = Some(OperationId::new("r").unwrap().into());
    KnownOperation {
        framework_id: Some(framework.clone()),
        uuid,
        operation,
        latest: OperationStatus {
            uuid: news,
            ..OperationStatus::new(None, state)
        },
    }
}

#[test]
fn an_operation_that_never_reached_its_agent_is_dropped_and_undone() {
    let (mut cluster, scheduler, mut node, _) = reserving();
    cluster.disconnect_agent(&node);
    cluster.return_with(&mut node, &resources(PLAIN), Vec::new());
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!((ends[0].0.as_str(), ends[0].1), ("r", Dropped));
    assert_eq!(cluster.total(&node), resources(PLAIN));
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_operation_that_the_agent_has_done_stays_and_is_told() {
    let (mut cluster, scheduler, mut node, uuid) = reserving();
    cluster.disconnect_agent(&node);
    let total = resources("cpus:3;mem:1024;disk:1000;ports:[1-9]") + &reserved("cpus:1", "web");
    let news = StatusUuid::from_bytes([1; 16]);
    let done = known(&scheduler.id, uuid, Finished, Some(news));
    cluster.return_with(&mut node, &total, vec![done]);
    assert_eq!(cluster.total(&node), total);
    let updates = cluster.operation_updates(&scheduler);
    assert_eq!((updates[0].state, updates[0].uuid), (Finished, Some(news)));
    cluster.acknowledge_operation(&scheduler, "r", news);
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_operation_survives_the_master() {
    let (mut cluster, scheduler, mut node, uuid) = reserving();
    cluster.restart();
    let total = resources("cpus:3;mem:1024;disk:1000;ports:[1-9]") + &reserved("cpus:1", "web");
    let pending = known(&scheduler.id, uuid, Pending, None);
    cluster.return_with(&mut node, &total, vec![pending]);
    assert_eq!(
        cluster.shown_operations(),
        [("r".to_owned(), "OPERATION_PENDING")]
    );
    let again = cluster.subscribe(of_roles(&["web"]).with_id(scheduler.id.clone()));
    let news = cluster.report_operation(&node, uuid, Finished);
    assert_eq!(cluster.operation_ends(&again)[0].1, Finished);
    cluster.acknowledge_operation(&again, "r", news);
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_operation_of_a_framework_that_nobody_knows_is_adopted_after_a_while() {
    let mut cluster = Cluster::new();
    let mut node = cluster.register("one", PLAIN);
    let lost = FrameworkId::new("old-0000").unwrap();
    let uuid = OperationUuid::from_bytes([3; 16]);
    let news = StatusUuid::from_bytes([1; 16]);
    cluster.disconnect_agent(&node);
    let orphan = known(&lost, uuid, Finished, Some(news));
    cluster.return_with(&mut node, &resources(PLAIN), vec![orphan]);
    let acknowledged = |cluster: &mut Cluster| {
        let commands = cluster.commands(node.connection);
        let is =
            |command: &AgentCommand| matches!(command, AgentCommand::AcknowledgeOperation { .. });
        commands.iter().any(is)
    };
    assert!(!acknowledged(&mut cluster), "its framework may come back");
    assert_eq!(cluster.shown_operations().len(), 1);
    for _ in 0..70 {
        cluster.pass(Duration::from_secs(10));
        let connection = node.connection;
        cluster.apply(crate::Event::AgentPong { connection });
    }
    assert!(cluster.now.as_seconds() > 1000.0 + ORPHAN_ADOPTION.as_secs_f64());
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    assert!(acknowledged(&mut cluster));
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn a_framework_that_the_master_did_not_know_finds_its_operations() {
    let mut cluster = Cluster::new();
    let mut node = cluster.register("one", PLAIN);
    let id = FrameworkId::new("old-0000").unwrap();
    let uuid = OperationUuid::from_bytes([3; 16]);
    let news = StatusUuid::from_bytes([1; 16]);
    cluster.disconnect_agent(&node);
    let done = known(&id, uuid, Finished, Some(news));
    cluster.return_with(&mut node, &resources(PLAIN), vec![done]);
    let scheduler = cluster.subscribe(of_roles(&["web"]).with_id(id));
    cluster.report_operation_again(&node, uuid, Finished, Some(news));
    assert_eq!(cluster.operation_ends(&scheduler)[0].1, Finished);
    cluster.acknowledge_operation(&scheduler, "r", news);
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_agent_without_an_id_brings_no_operations() {
    let (mut cluster, scheduler, node, uuid) = reserving();
    let mut registration = crate::testing::able(crate::testing::agent_info("two", "cpus:1"));
    registration.operations = vec![known(&scheduler.id, uuid, Pending, None)];
    let connection = cluster.try_register(registration);
    let told = crate::testing::names(&cluster.commands(connection));
    assert_eq!(told, ["refused"]);
    assert_eq!(cluster.shown_operations().len(), 1);
    assert!(cluster.total(&node).contains(&reserved("cpus:1", "web")));
}
