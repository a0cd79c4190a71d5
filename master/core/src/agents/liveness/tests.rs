//! Tests of the module that this one belongs to.

use tepui_model::{TaskId, TaskState};

use crate::{
    Action, Event, FrameworkEvent, RecordKind,
    calls::TaskQuery,
    testing::{Cluster, aware, names, seconds},
};

#[test]
fn an_agent_that_answers_pings_stays() {
    let mut cluster = Cluster::new();
    let node = cluster.register("one", "cpus:1;mem:32");
    cluster.commands(node.connection);
    for _ in 0..20 {
        cluster.pass(seconds(15));
        assert_eq!(names(&cluster.commands(node.connection)), ["ping"]);
        cluster.apply(Event::AgentPong {
            connection: node.connection,
        });
    }
    assert!(cluster.snapshot().get_agents().agents[0].active);
}

#[test]
fn an_agent_that_answers_no_ping_is_unreachable_after_five() {
    let mut cluster = Cluster::new();
    let node = cluster.register("one", "cpus:1;mem:32");
    cluster.pass(seconds(89));
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
    cluster.pass(seconds(2));
    assert!(cluster.snapshot().get_agents().agents.is_empty());
    assert!(cluster.cut_agents.contains(&node.connection));
    assert!(
        cluster
            .registry
            .contains_key(&(RecordKind::Unreachable, node.id.to_string()))
    );
    assert!(
        !cluster
            .registry
            .contains_key(&(RecordKind::Agent, node.id.to_string()))
    );
}

#[test]
fn an_update_counts_as_a_sign_of_life() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    for _ in 0..4 {
        cluster.pass(seconds(60));
        cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    }
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
}

#[test]
fn a_disconnected_agent_is_not_offered_and_has_as_long_as_a_silent_one() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.disconnect_agent(&node);
    let events = cluster.events(scheduler.connection);
    assert!(matches!(&events[..], [FrameworkEvent::Rescind(id)] if *id == offer.id));
    cluster.pass(seconds(74));
    let agent = &cluster.snapshot().get_agents().agents[0];
    assert!(!agent.active);
    assert!(cluster.master.offers_to(None).is_empty());
    cluster.pass(seconds(2));
    assert!(cluster.snapshot().get_agents().agents.is_empty());
}

#[test]
fn a_master_that_slept_pings_again_before_it_gives_an_agent_up() {
    let mut cluster = Cluster::new();
    let node = cluster.register("one", "cpus:1;mem:32");
    cluster.now += seconds(3600);
    cluster.apply(Event::Wake);
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
    cluster.disconnect_agent(&node);
    cluster.now += seconds(3600);
    cluster.apply(Event::Wake);
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
    cluster.pass(seconds(16));
    assert!(cluster.snapshot().get_agents().agents.is_empty());
}

#[test]
fn agents_that_do_not_come_back_after_a_restart_are_unreachable() {
    let mut cluster = Cluster::new();
    let mut node = cluster.register("one", "cpus:1;mem:32");
    cluster.restart();
    let scheduler = cluster.subscribe(aware());
    cluster.pass(seconds(599));
    assert_eq!(cluster.snapshot().get_agents().recovered_agents.len(), 1);
    cluster.pass(seconds(2));
    assert!(cluster.snapshot().get_agents().recovered_agents.is_empty());
    let events = cluster.events(scheduler.connection);
    assert!(
        matches!(&events[..], [FrameworkEvent::Failure { agent_id, .. }] if *agent_id == node.id)
    );
    assert!(
        cluster
            .registry
            .contains_key(&(RecordKind::Unreachable, node.id.to_string()))
    );
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(names(&cluster.commands(node.connection)), ["registered"]);
}

#[test]
fn the_registry_forgets_agents_that_are_lost_for_two_weeks() {
    let mut cluster = Cluster::new();
    let lost = cluster.register("one", "cpus:1;mem:32");
    let gone = cluster.register("two", "cpus:1;mem:32");
    cluster.apply(Event::AgentUnregister {
        connection: gone.connection,
    });
    cluster.disconnect_agent(&lost);
    cluster.pass(seconds(13 * 24 * 3600));
    assert_eq!(cluster.registry.len(), 2);
    cluster.pass(seconds(2 * 24 * 3600));
    assert!(cluster.registry.is_empty());
}

#[test]
fn the_registry_keeps_a_bounded_number_of_lost_agents() {
    let mut config = crate::testing::config();
    config.registry_max_agent_count = 2;
    let mut cluster = Cluster::with(config);
    for host in ["a", "b", "c", "d"] {
        let node = cluster.register(host, "cpus:1;mem:32");
        cluster.disconnect_agent(&node);
        cluster.pass(seconds(76));
    }
    assert_eq!(cluster.registry.len(), 4);
    cluster.pass(seconds(900));
    let left: Vec<_> = cluster
        .registry
        .keys()
        .map(|(_, key)| key.as_str())
        .collect();
    assert_eq!(left, ["m-S2", "m-S3"]);
}

#[test]
fn tasks_of_an_agent_that_the_registry_forgets_are_unknown() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    assert_eq!(cluster.update(&scheduler).state, TaskState::Unreachable);
    cluster.pass(seconds(15 * 24 * 3600));
    assert!(cluster.snapshot().get_tasks().unreachable_tasks.is_empty());
    let query = TaskQuery {
        task_id: TaskId::new("t").unwrap(),
        agent_id: Some(node.id),
    };
    cluster.call(scheduler.connection, Action::Reconcile(vec![query]));
    assert_eq!(cluster.update(&scheduler).state, TaskState::Unknown);
}
