//! Tests of the module that this one belongs to.

use tepui_model::TaskState;
use tepui_proto::v1::master::{Call, call};

use crate::{
    Action, Event,
    OperationState::{self, Finished, GoneByOperator, Unreachable},
    testing::{
        Cluster, Node, Scheduler,
        operations::{named, reserve, reserved, web_pair},
        refining, seconds, task_info,
    },
};

fn reserving() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = web_pair();
    let operations = ["a", "b"].map(|name| named(name, reserve(&reserved("cpus:1", "web"))));
    cluster.do_all(&scheduler, operations.into());
    let (uuid, _) = cluster.applied(&node).remove(0);
    cluster.report_operation(&node, uuid, Finished);
    cluster.operation_ends(&scheduler);
    (cluster, scheduler, node)
}

fn ends(cluster: &mut Cluster, scheduler: &Scheduler) -> Vec<(String, OperationState)> {
    let ends = cluster.operation_ends(scheduler).into_iter();
    ends.map(|(name, state, _)| (name, state)).collect()
}

#[test]
fn operations_of_an_unreachable_agent_are_unreachable_unless_they_have_ended() {
    let (mut cluster, scheduler, node) = reserving();
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let told = ends(&mut cluster, &scheduler);
    assert_eq!(told, [("b".to_owned(), Unreachable)]);
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn operations_of_an_agent_that_is_marked_gone_are_gone() {
    let (mut cluster, scheduler, node) = reserving();
    let call = Call {
        r#type: Some(call::Type::MarkAgentGone.into()),
        mark_agent_gone: Some(call::MarkAgentGone {
            agent_id: (&node.id).into(),
        }),
        ..Call::default()
    };
    cluster.v1(call).unwrap();
    let told = ends(&mut cluster, &scheduler);
    assert_eq!(told, [("b".to_owned(), GoneByOperator)]);
}

#[test]
fn operations_of_an_agent_that_leaves_are_gone_with_it() {
    let (mut cluster, scheduler, node) = reserving();
    let connection = node.connection;
    cluster.apply(Event::AgentUnregister { connection });
    let told = ends(&mut cluster, &scheduler);
    assert_eq!(told, [("b".to_owned(), GoneByOperator)]);
}

/// Found by the simulator: one agent brought the removed framework back, and another still had an
/// operation of it, which was not found under its name then.
#[test]
fn a_removed_framework_that_an_agent_brings_back_knows_its_operations_on_others() {
    let (mut cluster, scheduler, node) = reserving();
    let mut other = cluster.register("two", "cpus:4;mem:1024");
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    let offer = offers.iter().find(|offer| offer.agent_id == other.id);
    let task = task_info("t", &other.id, "cpus:1");
    cluster.accept(&scheduler, &[&offer.unwrap().id], vec![task]);
    cluster.report(&other, &scheduler.id, "t", TaskState::Running);
    cluster.disconnect_agent(&other);
    for _ in 0..8 {
        cluster.pass(seconds(10));
        let connection = node.connection;
        cluster.apply(Event::AgentPong { connection });
    }
    cluster.call(scheduler.connection, Action::Teardown);
    assert_eq!(cluster.shown_operations().len(), 1);
    let known = [("t", "cpus:1", TaskState::Running)];
    let framework = (&scheduler.id, refining(&["web"]));
    cluster.reregister(&mut other, Some(framework), &known);
    cluster.master.check().unwrap();
    let operations = cluster.master.frameworks.iter();
    assert_eq!(operations.map(|it| it.operations.len()).sum::<usize>(), 1);
}
