//! Tests of the module that this one belongs to.

use tepui_model::{Reason, TaskState};
use tepui_proto::v1::{self, master::call};

use crate::{
    Event, FrameworkEvent, Notice, OperatorError, RecordKind,
    testing::{Cluster, Node, Scheduler, aware, names, seconds, short, unaware},
};

fn running(info: tepui_model::FrameworkInfo) -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(info);
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.settle();
    cluster.events(scheduler.connection);
    (cluster, scheduler, node)
}

#[test]
fn the_tasks_of_a_lost_agent_are_unreachable_since_then() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let events = cluster.events(scheduler.connection);
    let update = events.iter().find_map(|event| match event {
        FrameworkEvent::Update(status) => Some(status),
        _ => None,
    });
    let status = update.unwrap();
    assert_eq!(
        short(status),
        (TaskState::Unreachable, Some(Reason::AgentRemoved))
    );
    assert!(status.unreachable_time.is_some());
    assert_eq!(status.uuid, None);
    assert!(
        status
            .message
            .as_ref()
            .unwrap()
            .starts_with("Agent one is unreachable")
    );
    assert!(matches!(events[0], FrameworkEvent::Rescind(_)));
    assert!(matches!(
        events.last(),
        Some(FrameworkEvent::Failure { .. })
    ));
    assert_eq!(cluster.state_of("t"), ["TASK_UNREACHABLE"]);
}

#[test]
fn a_framework_that_is_not_partition_aware_hears_that_they_are_lost() {
    let (mut cluster, scheduler, node) = running(unaware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Lost, Some(Reason::AgentRemoved))
    );
}

#[test]
fn every_framework_hears_of_the_failure() {
    let (mut cluster, _, node) = running(aware());
    let bystander = cluster.subscribe(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let events = cluster.events(bystander.connection);
    let [
        FrameworkEvent::Failure {
            agent_id,
            executor_id: None,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(*agent_id, node.id);
}

#[test]
fn an_agent_that_unregisters_takes_its_tasks_with_it() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.apply(Event::AgentUnregister {
        connection: node.connection,
    });
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Gone, Some(Reason::AgentRemoved))
    );
    assert_eq!(
        status.message.unwrap(),
        "Agent one removed: the agent unregistered"
    );
    assert!(cluster.snapshot().get_agents().agents.is_empty());
    assert!(matches!(cluster.notices.last(), Some(Notice::AgentRemoved(id)) if *id == node.id));
    assert!(
        cluster
            .registry
            .contains_key(&(RecordKind::Gone, node.id.to_string()))
    );
}

#[test]
fn an_ended_task_stays_ended_when_its_agent_is_lost() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.events(scheduler.connection);
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    assert_eq!(cluster.updates(&scheduler).len(), 0);
    assert_eq!(cluster.state_of("t"), ["TASK_FINISHED"]);
}

#[test]
fn unreachable_tasks_are_bounded() {
    let mut config = crate::testing::config();
    config.max_unreachable_tasks_per_framework = 1;
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(aware());
    let node = cluster.register("one", "cpus:4;mem:1024");
    for task in ["a", "b", "c"] {
        cluster.settle();
        cluster.launch(&scheduler, task, "cpus:1");
    }
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    assert_eq!(cluster.snapshot().get_tasks().unreachable_tasks.len(), 1);
}

fn mark_gone(cluster: &mut Cluster, id: &str) -> Result<(), OperatorError> {
    let call = v1::master::Call {
        r#type: Some(call::Type::MarkAgentGone.into()),
        mark_agent_gone: Some(call::MarkAgentGone {
            agent_id: v1::AgentId { value: id.into() },
        }),
        ..Default::default()
    };
    cluster.v1(call).map(|_| ())
}

#[test]
fn an_operator_gives_up_an_agent_that_is_there() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.commands(node.connection);
    mark_gone(&mut cluster, node.id.as_str()).unwrap();
    let status = cluster.update(&scheduler);
    let expected = (
        TaskState::GoneByOperator,
        Some(Reason::AgentRemovedByOperator),
    );
    assert_eq!(short(&status), expected);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["refused for ever"]
    );
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["refused for ever"]
    );
    mark_gone(&mut cluster, node.id.as_str()).unwrap();
}

#[test]
fn an_operator_gives_up_an_agent_that_is_unreachable() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.events(scheduler.connection);
    mark_gone(&mut cluster, node.id.as_str()).unwrap();
    let status = cluster.update(&scheduler);
    assert_eq!(status.state, TaskState::GoneByOperator);
    assert!(cluster.snapshot().get_tasks().unreachable_tasks.is_empty());
}

#[test]
fn an_operator_is_told_that_there_is_no_such_agent() {
    let mut cluster = Cluster::new();
    let error = mark_gone(&mut cluster, "x").unwrap_err();
    assert_eq!(error, OperatorError::NotFound("Unknown agent x".to_owned()));
}
