//! Tests of the module that this one belongs to.

use tepui_model::{AgentId, OperationId};

use crate::{
    Action, Event,
    OperationState::{self, Finished, GoneByOperator, Pending, Recovering, Unknown, Unreachable},
    OperationStatus,
    calls::OperationQuery,
    testing::{
        Cluster, Scheduler, of_roles,
        operations::{named, reserve, reserved, web_pair},
        seconds,
    },
};

fn ask(
    cluster: &mut Cluster,
    scheduler: &Scheduler,
    queries: &[(&str, Option<&AgentId>)],
) -> Vec<OperationStatus> {
    cluster.events(scheduler.connection);
    let query = |(name, agent): &(&str, Option<&AgentId>)| OperationQuery {
        operation_id: OperationId::new(name).unwrap(),
        agent_id: agent.cloned(),
    };
    let queries = queries.iter().map(query).collect();
    cluster.call(scheduler.connection, Action::ReconcileOperations(queries));
    cluster.operation_updates(scheduler)
}

fn state(
    cluster: &mut Cluster,
    scheduler: &Scheduler,
    name: &str,
    agent: Option<&AgentId>,
) -> OperationState {
    let answers = ask(cluster, scheduler, &[(name, agent)]);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].uuid, None, "no answer wants an acknowledgement");
    assert_eq!(answers[0].id.as_ref().unwrap().as_str(), name);
    answers[0].state
}

#[test]
fn what_is_known_of_an_operation_is_told_again() {
    let (mut cluster, scheduler, node) = web_pair();
    let operations = ["a", "b"].map(|name| named(name, reserve(&reserved("cpus:1", "web"))));
    cluster.do_all(&scheduler, operations.into());
    let sent = cluster.applied(&node);
    cluster.report_operation(&node, sent[1].0, Finished);
    let all = ask(&mut cluster, &scheduler, &[]);
    let states: Vec<_> = all.iter().map(|status| status.state).collect();
    assert_eq!(states, [Pending, Finished]);
    assert!(all.iter().all(|status| status.uuid.is_none()));
    assert_eq!(state(&mut cluster, &scheduler, "b", None), Finished);
}

#[test]
fn an_operation_that_is_not_known_has_the_fate_of_its_agent() {
    let (mut cluster, scheduler, node) = web_pair();
    let stranger = AgentId::new("x-S9").unwrap();
    let place = Some(&node.id);
    assert_eq!(state(&mut cluster, &scheduler, "o", None), Unknown);
    assert_eq!(state(&mut cluster, &scheduler, "o", place), Unknown);
    assert_eq!(
        state(&mut cluster, &scheduler, "o", Some(&stranger)),
        Unknown
    );
    cluster.restart();
    let info = of_roles(&["web"]).with_id(scheduler.id.clone());
    let scheduler = cluster.subscribe(info);
    assert_eq!(state(&mut cluster, &scheduler, "o", place), Recovering);
    cluster.pass(seconds(601));
    assert_eq!(state(&mut cluster, &scheduler, "o", place), Unreachable);
    let other = cluster.register("two", "cpus:1;mem:32");
    let connection = other.connection;
    cluster.apply(Event::AgentUnregister { connection });
    let gone = state(&mut cluster, &scheduler, "o", Some(&other.id));
    assert_eq!(gone, GoneByOperator);
}

#[test]
fn a_framework_hears_of_its_own_operations_only() {
    let (mut cluster, scheduler, node) = web_pair();
    let operation = named("a", reserve(&reserved("cpus:1", "web")));
    cluster.do_all(&scheduler, vec![operation]);
    let other = cluster.subscribe(of_roles(&["web"]));
    assert_eq!(ask(&mut cluster, &other, &[]), []);
    assert_eq!(state(&mut cluster, &other, "a", Some(&node.id)), Unknown);
}
