//! Tests of the module that this one belongs to.

use tepui_model::{FrameworkId, Reason, TaskState};

use crate::{
    RecordKind,
    testing::{
        Cluster, Node, Scheduler, agent_info, aware, names, resources, seconds, short, unaware,
    },
};

fn running(info: tepui_model::FrameworkInfo) -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(info);
    cluster.launch(&scheduler, "t", "cpus:1;mem:24");
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    cluster.events(scheduler.connection);
    cluster.commands(node.connection);
    (cluster, scheduler, node)
}

const RUNNING: [(&str, &str, TaskState); 1] = [("t", "cpus:1;mem:24", TaskState::Running)];

#[test]
fn an_agent_that_comes_back_keeps_its_id_and_its_tasks() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &RUNNING);
    assert_eq!(names(&cluster.commands(node.connection)), ["registered"]);
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
    assert_eq!(cluster.updates(&scheduler).len(), 0);
    cluster.settle();
    let offer = &cluster.master.offers_to(None)[0];
    assert_eq!(offer.resources, resources("cpus:3;mem:1000"));
}

#[test]
fn a_new_stream_of_an_agent_ends_the_old_one() {
    let (mut cluster, scheduler, mut node) = running(aware());
    let old = node.connection;
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &RUNNING);
    assert!(cluster.cut_agents.contains(&old));
    cluster.disconnect_agent(&Node {
        connection: old,
        ..node.clone()
    });
    assert!(
        cluster.snapshot().get_agents().agents[0].active,
        "the old stream's end is no news"
    );
}

#[test]
fn a_task_that_never_arrived_is_dropped() {
    for (info, state) in [(aware(), TaskState::Dropped), (unaware(), TaskState::Lost)] {
        let (mut cluster, scheduler, mut node) = Cluster::pair(info);
        cluster.launch(&scheduler, "t", "cpus:1");
        cluster.settle();
        cluster.events(scheduler.connection);
        cluster.disconnect_agent(&node);
        cluster.reregister(&mut node, None, &[]);
        let status = cluster.update(&scheduler);
        assert_eq!(short(&status), (state, Some(Reason::Reconciliation)));
        assert_eq!(status.uuid, None, "nobody acknowledges it");
        cluster.settle();
        assert_eq!(
            cluster.offer(&scheduler).resources,
            resources("cpus:4;mem:1024")
        );
    }
}

#[test]
fn an_ended_task_that_its_agent_forgot_is_told_once_more() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.report(&node, &scheduler.id, "t", TaskState::Failed);
    cluster.events(scheduler.connection);
    cluster.disconnect_agent(&node);
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Failed);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 0);
}

#[test]
fn a_task_that_ended_while_its_agent_was_away_is_freed() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    let known = [("t", "cpus:1;mem:24", TaskState::Finished)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    cluster.settle();
    assert_eq!(
        cluster.offer(&scheduler).resources,
        resources("cpus:4;mem:1024")
    );
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    assert_eq!(cluster.snapshot().get_tasks().completed_tasks.len(), 1);
}

#[test]
fn the_next_master_learns_tasks_from_their_agents_and_charges_them() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.restart();
    assert_eq!(cluster.snapshot().get_agents().recovered_agents.len(), 1);
    let again = cluster.subscribe(aware().with_id(scheduler.id.clone()));
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &RUNNING);
    cluster.settle();
    assert_eq!(
        cluster.offer(&again).resources,
        resources("cpus:3;mem:1000")
    );
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
    assert!(cluster.snapshot().get_agents().recovered_agents.is_empty());
}

#[test]
fn a_framework_that_only_an_agent_knows_is_learned_and_may_come_back() {
    let (mut cluster, _, mut node) = running(aware());
    cluster
        .registry
        .retain(|(kind, _), _| *kind != RecordKind::Framework);
    cluster.restart();
    let id = FrameworkId::new("m-0000").unwrap();
    cluster.reregister(&mut node, Some((&id, aware())), &RUNNING);
    let view = cluster.snapshot().get_frameworks();
    assert!(view.frameworks[0].recovered);
    assert!(
        cluster
            .registry
            .contains_key(&(RecordKind::Framework, "m-0000".to_owned()))
    );
    assert_eq!(cluster.subscribe(aware().with_id(id.clone())).id, id);
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
}

#[test]
fn a_framework_learned_from_an_agent_is_removed_when_it_does_not_come_back() {
    let (mut cluster, _, mut node) = running(aware());
    cluster.registry.clear();
    cluster.restart();
    let id = FrameworkId::new("m-0000").unwrap();
    cluster.reregister(&mut node, Some((&id, aware())), &RUNNING);
    cluster.commands(node.connection);
    for _ in 0..41 {
        cluster.pass(seconds(15));
        cluster.apply(crate::Event::AgentPong {
            connection: node.connection,
        });
    }
    let commands = names(&cluster.commands(node.connection));
    assert!(commands.contains(&"kill t".to_owned()), "{commands:?}");
}

#[test]
fn a_task_of_a_framework_nobody_describes_is_shut_down() {
    let mut cluster = Cluster::new();
    let mut node = cluster.register("one", "cpus:4;mem:1024");
    cluster.disconnect_agent(&node);
    let id = FrameworkId::new("unknown").unwrap();
    cluster.reregister(&mut node, Some((&id, aware())), &RUNNING);
    cluster.master.check().unwrap();
    cluster.commands(node.connection);
    let mut registration = crate::Registration::new(node.info.clone());
    let running = crate::testing::known_task(
        &FrameworkId::new("nameless").unwrap(),
        "x",
        TaskState::Running,
    );
    registration.tasks = vec![running];
    node.connection = cluster.try_register(registration);
    let commands = names(&cluster.commands(node.connection));
    assert_eq!(commands, ["registered", "shutdown nameless"]);
}

/// The agent's updates are on their way in order, and its newest state is the last of them.
#[test]
fn a_task_that_comes_back_is_told_no_further_than_its_agent_has_told_it() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.updates(&scheduler);
    let known = [("t", "cpus:1;mem:24", TaskState::Killing)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Running);
    cluster.report(&node, &scheduler.id, "t", TaskState::Killing);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Killing);
}

#[test]
fn an_unreachable_agent_brings_its_tasks_back() {
    for (info, lost) in [
        (aware(), TaskState::Unreachable),
        (unaware(), TaskState::Lost),
    ] {
        let (mut cluster, scheduler, mut node) = running(info.clone());
        cluster.disconnect_agent(&node);
        cluster.pass(seconds(76));
        let told = cluster.updates(&scheduler);
        assert_eq!(told[0].state, lost);
        cluster.reregister(&mut node, Some((&scheduler.id, info)), &RUNNING);
        let status = cluster.update(&scheduler);
        assert_eq!(
            short(&status),
            (TaskState::Running, Some(Reason::AgentReregistered))
        );
        assert_eq!(status.uuid, None);
        let view = cluster.snapshot().get_tasks();
        assert_eq!((view.tasks.len(), view.unreachable_tasks.len()), (1, 0));
        let unreachable = (RecordKind::Unreachable, node.id.to_string());
        assert!(!cluster.registry.contains_key(&unreachable));
        assert!(
            cluster
                .registry
                .contains_key(&(RecordKind::Agent, node.id.to_string()))
        );
    }
}

#[test]
fn an_unreachable_task_that_its_agent_forgot_is_gone() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.events(scheduler.connection);
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Gone);
    assert!(cluster.snapshot().get_tasks().unreachable_tasks.is_empty());
}

#[test]
fn an_agent_cannot_come_back_at_another_address() {
    let (mut cluster, _, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    node.info = agent_info("elsewhere", "cpus:4;mem:1024").with_id(node.id.clone());
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(names(&cluster.commands(node.connection)), ["refused"]);
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
}

#[test]
fn an_agent_may_come_back_with_more_or_less_than_before() {
    let (mut cluster, scheduler, mut node) = running(aware());
    for (total, free) in [
        ("cpus:8;mem:1024", "cpus:7;mem:1000"),
        ("cpus:1;mem:64", "mem:40"),
    ] {
        cluster.disconnect_agent(&node);
        node.info = agent_info("one", total).with_id(node.id.clone());
        cluster.reregister(&mut node, Some((&scheduler.id, aware())), &RUNNING);
        cluster.settle();
        assert_eq!(cluster.master.offers_to(None)[0].resources, resources(free));
    }
}

#[test]
fn coming_back_unchanged_writes_nothing() {
    let (mut cluster, scheduler, mut node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.registry.clear();
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &RUNNING);
    assert!(cluster.registry.is_empty());
}
