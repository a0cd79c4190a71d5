//! Tests of the module that this one belongs to.

use tepui_proto::v1::master::{Call, call};

use crate::{
    Event,
    OperationState::{self, Finished, GoneByOperator, Unreachable},
    testing::{
        Cluster, Node, Scheduler,
        operations::{named, reserve, reserved, web_pair},
        seconds,
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
