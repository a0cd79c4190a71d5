//! Tests of the module that this one belongs to.

use core::time::Duration;

use tepui_model::{AgentId, Reason, TaskId, TaskState};

use crate::{
    Action, AgentCommand, OperatorCall, OperatorError,
    calls::Kill,
    testing::{Cluster, Node, Scheduler, aware, names, seconds, short},
};

fn running() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.commands(node.connection);
    cluster.events(scheduler.connection);
    (cluster, scheduler, node)
}

#[test]
fn a_kill_goes_to_the_tasks_agent_with_its_grace() {
    let (mut cluster, scheduler, node) = running();
    let grace = Some(Duration::from_secs(7));
    let task_id = TaskId::new("t").unwrap();
    let kill = Kill {
        task_id,
        agent_id: Some(node.id.clone()),
        grace,
    };
    cluster.call(scheduler.connection, Action::Kill(kill));
    let commands = cluster.commands(node.connection);
    let [
        AgentCommand::KillTask {
            framework_id,
            grace: told,
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!((framework_id, *told), (&scheduler.id, grace));
}

#[test]
fn a_kill_that_names_another_agent_is_ignored() {
    let (mut cluster, scheduler, node) = running();
    let agent_id = Some(AgentId::new("other").unwrap());
    let kill = Kill {
        task_id: TaskId::new("t").unwrap(),
        agent_id,
        grace: None,
    };
    cluster.call(scheduler.connection, Action::Kill(kill));
    assert!(cluster.commands(node.connection).is_empty());
    assert_eq!(cluster.warnings.len(), 1);
}

#[test]
fn a_kill_of_an_unknown_task_is_answered_by_its_state() {
    let (mut cluster, scheduler, _) = running();
    cluster.kill(&scheduler, "nothing");
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Unknown, Some(Reason::Reconciliation))
    );
}

/// The agent comes back with the task, and is told to kill it.
fn is_killed_when_back(mut cluster: Cluster, scheduler: &Scheduler, mut node: Node) {
    let known = [("t", "cpus:1", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["registered", "kill t"]
    );
}

#[test]
fn a_kill_to_an_agent_that_is_away_is_told_when_it_is_back() {
    let (mut cluster, scheduler, node) = running();
    cluster.disconnect_agent(&node);
    cluster.kill(&scheduler, "t");
    is_killed_when_back(cluster, &scheduler, node);
}

#[test]
fn a_kill_of_an_unreachable_task_is_told_when_its_agent_is_back() {
    let (mut cluster, scheduler, node) = running();
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.events(scheduler.connection);
    cluster.kill(&scheduler, "t");
    assert_eq!(cluster.update(&scheduler).state, TaskState::Unreachable);
    is_killed_when_back(cluster, &scheduler, node);
}

#[test]
fn a_framework_cannot_kill_anothers_task() {
    let (mut cluster, _, node) = running();
    let other = cluster.subscribe(aware());
    cluster.kill(&other, "t");
    assert!(cluster.commands(node.connection).is_empty());
}

fn operator_kill(
    cluster: &mut Cluster,
    framework: Option<&Scheduler>,
) -> Result<(), OperatorError> {
    let framework_id = framework.map(|scheduler| scheduler.id.clone());
    let task_id = TaskId::new("t").unwrap();
    let call = OperatorCall::KillTask {
        framework_id,
        task_id,
        grace: None,
    };
    cluster.operate(call).map(|_| ())
}

#[test]
fn an_operator_kills_a_task_by_its_id_alone() {
    let (mut cluster, scheduler, node) = running();
    operator_kill(&mut cluster, None).unwrap();
    assert_eq!(names(&cluster.commands(node.connection)), ["kill t"]);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Killed);
    let error = operator_kill(&mut cluster, None).unwrap_err();
    assert_eq!(error.to_string(), "no task t that has not ended was found");
}

#[test]
fn an_operator_must_name_the_framework_when_two_have_such_a_task() {
    let (mut cluster, first, node) = running();
    cluster.settle();
    cluster.call(first.connection, Action::Suppress(Vec::new()));
    let offer = cluster.offer(&first);
    cluster.decline(&first, &offer.id, tepui_model::Filters::NONE);
    let second = cluster.subscribe(aware());
    cluster.settle();
    cluster.launch(&second, "t", "cpus:1");
    cluster.commands(node.connection);
    let error = operator_kill(&mut cluster, None).unwrap_err();
    assert!(matches!(error, OperatorError::Invalid(_)), "{error}");
    operator_kill(&mut cluster, Some(&second)).unwrap();
    assert_eq!(names(&cluster.commands(node.connection)), ["kill t"]);
}
