//! Tests of the module that this one belongs to.

use std::sync::Arc;

use tepui_model::{
    AgentId, AgentInfo, Capabilities, Capability, FaultDomain, FrameworkInfo, TaskState,
};
use tepui_proto::v1;

use crate::{
    AgentCommand, Config, Event, Notice, RecordKind, Registration,
    testing::{Cluster, able, agent_info, aware, config, names, of_roles, seconds},
};

#[test]
fn a_new_agent_gets_an_id_a_record_and_is_offered() {
    let mut cluster = Cluster::new();
    let first = cluster.register("one", "cpus:1;mem:32");
    let second = cluster.register("two", "cpus:1;mem:32");
    assert_eq!((first.id.as_str(), second.id.as_str()), ("m-S0", "m-S1"));
    let key = (RecordKind::Agent, "m-S0".to_owned());
    assert!(cluster.registry.contains_key(&key));
    assert!(matches!(cluster.notices[0], Notice::AgentAdded(_)));
    let scheduler = cluster.subscribe(aware());
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 2);
}

#[test]
fn registered_names_the_master_and_how_long_silence_may_last() {
    let mut cluster = Cluster::new();
    let connection = cluster.try_register(Registration::new(agent_info("one", "cpus:1")));
    let commands = cluster.commands(connection);
    let [
        AgentCommand::Registered {
            master,
            silence_limit,
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!((master.id.as_str(), *silence_limit), ("m", seconds(75)));
}

#[test]
fn a_new_agent_replaces_the_disconnected_one_at_its_address() {
    let (mut cluster, scheduler, old) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_agent(&old);
    cluster.events(scheduler.connection);
    let new = cluster.register("one", "cpus:4;mem:1024");
    assert_ne!(new.id, old.id);
    assert_eq!(cluster.update(&scheduler).state, TaskState::Gone);
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
    assert!(
        cluster
            .registry
            .contains_key(&(RecordKind::Gone, old.id.to_string()))
    );
}

#[test]
fn a_silent_agent_is_gone_when_a_new_one_is_at_its_address() {
    let (mut cluster, scheduler, old) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    let new = cluster.register("one", "cpus:4;mem:1024");
    cluster.disconnect_agent(&new);
    cluster.pass(seconds(91));
    assert_eq!(cluster.update(&scheduler).state, TaskState::Gone);
    let kept = |kind, id: &AgentId| cluster.registry.contains_key(&(kind, id.to_string()));
    assert!(kept(RecordKind::Gone, &old.id));
    assert!(kept(RecordKind::Unreachable, &new.id), "it may come back");
}

#[test]
fn an_agent_that_shows_that_it_has_its_id_is_superseded_no_more() {
    let mut cluster = Cluster::new();
    let mut old = cluster.register("one", "cpus:1;mem:32");
    cluster.register("one", "cpus:1;mem:32");
    cluster.reregister(&mut old, None, &[]);
    cluster.disconnect_agent(&old);
    cluster.pass(seconds(76));
    let key = (RecordKind::Unreachable, old.id.to_string());
    assert!(cluster.registry.contains_key(&key));
}

#[test]
fn an_agent_that_lost_its_id_before_a_restart_of_the_master_is_gone() {
    let mut cluster = Cluster::new();
    let old = cluster.register("one", "cpus:1;mem:32");
    cluster.restart();
    let new = cluster.register("one", "cpus:1;mem:32");
    for _ in 0..41 {
        cluster.pass(seconds(15));
        cluster.apply(Event::AgentPong {
            connection: new.connection,
        });
    }
    let key = (RecordKind::Gone, old.id.to_string());
    assert!(cluster.registry.contains_key(&key));
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 1);
}

#[test]
fn two_connected_agents_may_say_the_same_address() {
    let mut cluster = Cluster::new();
    cluster.register("one", "cpus:1;mem:32");
    cluster.register("one", "cpus:1;mem:32");
    assert_eq!(cluster.snapshot().get_agents().agents.len(), 2);
}

#[test]
fn a_replaced_agent_must_register_anew_also_with_the_next_master() {
    let mut cluster = Cluster::new();
    let mut old = cluster.register("one", "cpus:1;mem:32");
    cluster.disconnect_agent(&old);
    cluster.register("one", "cpus:1;mem:32");
    for restart in [false, true] {
        if restart {
            cluster.restart();
        }
        cluster.reregister(&mut old, None, &[]);
        assert_eq!(
            names(&cluster.commands(old.connection)),
            ["refused for ever"]
        );
        assert!(cluster.cut_agents.contains(&old.connection));
    }
}

#[test]
fn an_agent_without_an_id_cannot_bring_tasks() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let mut registration = Registration::new(agent_info("two", "cpus:1"));
    let running = crate::testing::known_task(&scheduler.id, "t", TaskState::Running);
    registration.tasks = vec![running];
    let connection = cluster.try_register(registration);
    assert_eq!(names(&cluster.commands(connection)), ["refused"]);
    assert!(cluster.cut_agents.contains(&connection));
}

#[test]
fn a_stream_registers_once() {
    let mut cluster = Cluster::new();
    let mut node = cluster.register("one", "cpus:1;mem:32");
    let registration = Box::new(Registration::new(node.info.clone()));
    cluster.apply(Event::RegisterAgent {
        connection: node.connection,
        registration,
    });
    assert!(cluster.cut_agents.contains(&node.connection));
    cluster.reregister(&mut node, None, &[]);
    assert_eq!(names(&cluster.commands(node.connection)), ["registered"]);
}

#[test]
fn an_id_the_master_never_gave_is_taken_with_its_tasks() {
    let (mut cluster, scheduler, mut node) = Cluster::pair(aware());
    node.info = agent_info("two", "cpus:2;mem:64").with_id(AgentId::new("old-S7").unwrap());
    node.id = AgentId::new("old-S7").unwrap();
    let known = [("t", "cpus:1", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &known);
    assert_eq!(names(&cluster.commands(node.connection)), ["registered"]);
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
}

#[test]
fn agents_are_bounded_and_those_there_can_still_come_back() {
    let mut config = crate::testing::config();
    config.limits.agents = 1;
    let mut cluster = Cluster::with(config);
    let mut first = cluster.register("one", "cpus:1;mem:32");
    let connection = cluster.try_register(Registration::new(agent_info("two", "cpus:1")));
    assert_eq!(names(&cluster.commands(connection)), ["refused"]);
    cluster.disconnect_agent(&first);
    cluster.reregister(&mut first, None, &[]);
    assert_eq!(names(&cluster.commands(first.connection)), ["registered"]);
}

fn in_domain(hostname: &str, domain: &str) -> Registration {
    let mut wire = v1::AgentInfo::clone(&agent_info(hostname, "cpus:1;mem:64").wire);
    wire.domain = Some((&domain.parse::<FaultDomain>().unwrap()).into());
    able(AgentInfo::try_from(wire).unwrap())
}

fn of_domain(domain: &str) -> Config {
    let mut config = config();
    config.master.domain = Some((&domain.parse::<FaultDomain>().unwrap()).into());
    config
}

/// Why an agent that registers so is refused.
fn refusal(cluster: &mut Cluster, registration: Registration) -> Option<String> {
    let connection = cluster.try_register(registration);
    let commands = cluster.commands(connection).into_iter();
    commands.fold(None, |found, command| match command {
        AgentCommand::Refused { message, .. } => Some(message),
        _ => found,
    })
}

#[test]
fn a_master_without_a_domain_refuses_agents_with_one() {
    let mut cluster = Cluster::new();
    assert_eq!(
        refusal(&mut cluster, in_domain("one", "north/a")).unwrap(),
        "the agent is in domain north/a and the master in none; set --domain of the master"
    );
    let mut cluster = Cluster::with(of_domain("north/b"));
    assert_eq!(refusal(&mut cluster, in_domain("one", "south/a")), None);
    let nowhere = able(agent_info("two", "cpus:1;mem:64"));
    assert_eq!(refusal(&mut cluster, nowhere), None);
}

#[test]
fn a_master_that_requires_a_domain_refuses_agents_without() {
    let mut cluster = Cluster::with(Config {
        require_agent_domain: true,
        ..of_domain("north/b")
    });
    let nowhere = able(agent_info("one", "cpus:1;mem:64"));
    assert_eq!(
        refusal(&mut cluster, nowhere).unwrap(),
        "the agent is in no domain, and the master requires one; set --domain of the agent"
    );
    assert_eq!(refusal(&mut cluster, in_domain("one", "north/a")), None);
}

#[test]
fn agents_of_other_regions_are_for_frameworks_that_know_regions() {
    let mut cluster = Cluster::with(of_domain("north/b"));
    let plain = cluster.subscribe(of_roles(&["a"]));
    cluster.try_register(in_domain("near", "north/a"));
    cluster.try_register(in_domain("far", "south/a"));
    cluster.settle();
    let near = cluster.offer(&plain);
    assert_eq!(near.hostname, "near");
    assert_eq!(near.domain.as_ref().unwrap().to_string(), "north/a");
    let mut wire = v1::FrameworkInfo::clone(&of_roles(&["b"]).wire);
    let aware: Capabilities = [Capability::RegionAware].into_iter().collect();
    wire.capabilities.extend(aware.to_proto());
    let aware = cluster.subscribe(FrameworkInfo::try_from(wire).unwrap());
    cluster.settle();
    assert_eq!(cluster.offer(&aware).hostname, "far");
}

#[test]
fn only_agents_on_listed_hosts_are_offered() {
    let mut cluster = Cluster::new();
    let hosts = |names: &[&str]| Some(names.iter().map(|name| Arc::from(*name)).collect());
    cluster.apply(Event::Whitelist {
        hosts: hosts(&["two"]),
    });
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    cluster.register("one", "cpus:1;mem:64");
    cluster.register("two", "cpus:1;mem:64");
    cluster.settle();
    assert_eq!(cluster.offer(&scheduler).hostname, "two");
    cluster.apply(Event::Whitelist {
        hosts: hosts(&["one"]),
    });
    cluster.settle();
    assert_eq!(cluster.offer(&scheduler).hostname, "one");
    cluster.register("three", "cpus:1;mem:64");
    cluster.apply(Event::Whitelist { hosts: None });
    cluster.settle();
    assert_eq!(cluster.offer(&scheduler).hostname, "three");
}
