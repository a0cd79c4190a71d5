//! What an agent makes of what an earlier one left: the cases of the table in `recovery.rs`.

use tepui_model::{ContainerId, Reason, TaskInfo, TaskState, Time};
use tepui_proto::v1;

use super::{
    config, framework, modern,
    node::{Machine, Node},
    sleeper, wire_task,
};
use crate::{
    Agent, Effects, Exit, FoundContainer, Kind, Reconfiguration, Recovered, RecoveryError,
};

/// Restarts, connects and registers.
fn back(node: &mut Node) {
    node.restart();
    node.connect();
    node.register();
}

#[test]
fn a_running_task_is_found_again_and_its_end_is_reported() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    node.flush();
    back(&mut node);
    assert_eq!(
        node.registration().tasks[0].latest.state,
        TaskState::Running
    );
    assert_eq!(node.launched.len(), 1);
    node.exit(&container, Exit::code(3));
    assert_eq!(node.acknowledge_next(), TaskState::Failed);
}

#[test]
fn a_task_that_was_never_started_is_started_once() {
    let mut node = Node::registered();
    node.run("t");
    back(&mut node);
    assert_eq!(node.launches.len(), 1);
    assert_eq!(node.launched[0], node.launched[1], "the same container");
    node.start();
    assert_eq!(node.acknowledge_next(), TaskState::Running);
}

#[test]
fn a_task_that_started_unseen_is_reported_as_running() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.launches[0].container.clone();
    node.containers.insert(container, Machine::Runs);
    back(&mut node);
    assert!(node.launches.is_empty());
    assert_eq!(node.acknowledge_next(), TaskState::Running);
}

#[test]
fn an_exit_while_the_agent_was_away_is_reported() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    node.containers
        .insert(container, Machine::Ended(Exit::code(0)));
    node.flush();
    back(&mut node);
    assert_eq!(node.acknowledge_next(), TaskState::Finished);
    assert!(node.containers.is_empty());
}

#[test]
fn updates_that_wait_are_sent_by_the_next_agent_in_the_same_order() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let running = node.update();
    node.exit(&container, Exit::code(0));
    node.restart();
    node.restart();
    node.connect();
    node.register();
    let again = node.update();
    assert_eq!(again.uuid, running.uuid);
    node.acknowledge("t", again.uuid);
    assert_eq!(node.acknowledge_next(), TaskState::Finished);
}

#[test]
fn an_acknowledged_update_is_not_sent_after_a_later_one() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let running = node.update();
    node.exit(&container, Exit::code(0));
    node.acknowledge("t", running.uuid);
    assert_eq!(node.states(), [TaskState::Finished]);
    back(&mut node);
    assert_eq!(node.states(), [TaskState::Finished]);
}

#[test]
fn a_kill_goes_on_where_it_was() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.kill("t", Some(60));
    node.pass(50);
    back(&mut node);
    assert_eq!(
        node.signals,
        [("TERM", container.clone()), ("TERM", container.clone())]
    );
    node.pass(10);
    assert_eq!(node.signals[2..], [("KILL", container.clone())]);
    let running = node.updates().remove(0);
    node.exit(&container, Exit::signal(9));
    node.acknowledge("t", running.uuid);
    assert_eq!(node.acknowledge_next(), TaskState::Killed);
}

#[test]
fn a_kill_that_was_late_before_the_restart_is_carried_out_at_once() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.kill("t", Some(1));
    node.now = Time::from_micros(60_000_000);
    node.restart();
    assert_eq!(node.signals.last(), Some(&("KILL", container)));
}

#[test]
fn a_task_killed_before_it_was_ever_started_is_not_started() {
    let mut node = Node::registered();
    node.run("t");
    node.kill("t", None);
    back(&mut node);
    assert!(node.launches.is_empty());
    let killed = node.update();
    assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
}

#[test]
fn after_a_reboot_tasks_are_reported_lost_once() {
    for (info, ran, lost) in [
        (super::framework("f"), true, TaskState::Lost),
        (modern("f"), true, TaskState::Gone),
        (modern("f"), false, TaskState::Dropped),
    ] {
        let mut node = Node::registered();
        node.run_for(info, sleeper("t"));
        if ran {
            node.start();
            node.acknowledge_next();
        }
        node.flush();
        node.containers.clear();
        node.config.boot_id = "another".to_owned();
        back(&mut node);
        assert!(node.launches.is_empty());
        assert_eq!(node.acknowledge_next(), lost);
        node.flush();
        back(&mut node);
        assert_eq!(node.states(), []);
    }
}

#[test]
fn a_container_without_a_task_is_killed_and_removed() {
    let mut node = Node::registered();
    let stray = ContainerId::new("stray").unwrap();
    let ended = ContainerId::new("ended").unwrap();
    node.containers.insert(stray.clone(), Machine::Runs);
    node.containers.insert(ended, Machine::Ended(Exit::code(0)));
    node.restart();
    assert_eq!(node.signals, [("KILL", stray.clone())]);
    node.pass(5);
    assert_eq!(node.signals.len(), 2, "again, if that ended nothing");
    node.exit(&stray, Exit::signal(9));
    assert!(node.containers.is_empty());
    assert_eq!(node.agent.next_wake(), None);
}

#[test]
fn a_damaged_record_loses_only_what_it_stood_for() {
    for kind in Kind::ALL {
        let mut node = Node::registered();
        node.run("a");
        node.run("b");
        node.start();
        node.start();
        node.sent.clear();
        let key = node.disk.keys().find(|(known, _)| *known == kind).cloned();
        let key = key.unwrap_or_else(|| (kind, "self".to_owned()));
        node.disk.insert(key, vec![0xff; 7]);
        back(&mut node);
        assert_eq!(node.agent.id().unwrap().as_str(), "m-S0", "{kind}");
        let expected = if kind == Kind::Task { 1 } else { 2 };
        assert_eq!(node.agent.task_count(), expected, "{kind}");
        assert_eq!(
            node.signals.len(),
            2 - expected,
            "{kind}: the container of a lost task"
        );
        assert_eq!(node.launched.len(), 2, "{kind}: nothing is started twice");
    }
}

#[test]
fn a_task_of_unknown_progress_whose_container_is_gone_is_not_started_again() {
    let mut node = Node::registered();
    node.run("t");
    node.disk.retain(|(kind, _), _| *kind != Kind::Progress);
    back(&mut node);
    assert!(node.launches.is_empty());
    assert_eq!(node.acknowledge_next(), TaskState::Failed);
}

#[test]
fn an_agent_that_died_while_giving_up_its_id_goes_on_with_it() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let message = "gone".to_owned();
    node.master(crate::MasterCommand::Refused {
        message,
        forget_identity: true,
        shut_down: false,
    });
    node.restart();
    node.connect();
    assert!(node.signals.len() >= 2);
    node.sent.clear();
    node.exit(&container, Exit::signal(9));
    assert_eq!(node.registration().info.id, None);
}

#[test]
fn an_estimate_of_revocable_resources_may_shrink_under_the_tasks_that_use_them() {
    let mut node = Node::registered();
    let mut task = wire_task("t");
    for resource in &mut task.resources {
        resource.revocable = Some(v1::resource::RevocableInfo {});
    }
    node.run_for(framework("f"), TaskInfo::try_from(task).unwrap());
    let container = node.start();
    let containers = vec![FoundContainer {
        id: container,
        pid: Some(42),
        networks: Vec::new(),
        net_class: None,
    }];
    let records = node.disk.iter();
    let records = records.map(|((kind, key), value)| (*kind, key.clone(), value.clone()));
    let recovered = Recovered {
        records: records.collect(),
        containers,
    };
    let agent = Agent::new(config(), recovered, node.now, &mut Effects::new()).unwrap();
    assert_eq!(agent.tasks.len(), 1);
}

#[test]
fn fewer_resources_than_the_tasks_hold_are_refused() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let records = node.disk.iter();
    let records = records.map(|((kind, key), value)| (*kind, key.clone(), value.clone()));
    let containers = vec![FoundContainer {
        id: container,
        pid: Some(42),
        networks: Vec::new(),
        net_class: None,
    }];
    let recovered = Recovered {
        records: records.collect(),
        containers,
    };
    let mut config = config();
    config.info = config
        .info
        .with_resources("cpus:0.5;mem:8192".parse().unwrap());
    let refused =
        |config| Agent::new(config, recovered.clone(), node.now, &mut Effects::new()).unwrap_err();
    let error = refused(config.clone());
    assert!(
        matches!(error, RecoveryError::Reconfigured { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("--reconfiguration-policy=equal"),
        "{error}"
    );
    config.reconfiguration = Reconfiguration::Any;
    let error = refused(config);
    let RecoveryError::Shrunk { needed, total } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (needed.as_str(), total.as_str()),
        ("cpus:1;mem:64", "cpus:0.5;mem:8192")
    );
    assert!(error.to_string().contains("--resources"));
}

#[test]
fn an_agent_that_has_more_starts_where_it_may_and_tells_its_master() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let records = node.disk.iter();
    let records = records.map(|((kind, key), value)| (*kind, key.clone(), value.clone()));
    let recovered = Recovered {
        records: records.collect(),
        containers: vec![FoundContainer {
            id: container,
            pid: Some(42),
            networks: Vec::new(),
            net_class: None,
        }],
    };
    let mut config = config();
    config.info = config.info.with_resources(
        "cpus:64;mem:65536;disk:1;ports:[31000-32000]"
            .parse()
            .unwrap(),
    );
    config.reconfiguration = Reconfiguration::Additive;
    let mut fx = Effects::new();
    let agent = Agent::new(config.clone(), recovered, node.now, &mut fx).unwrap();
    assert_eq!(agent.resources, config.info.resources);
    let kept = agent.identity.unwrap().info.unwrap();
    assert_eq!(
        kept.resources, config.info.resources,
        "compared with from now on"
    );
}

#[test]
fn g15_a_thousand_updates_wait_for_the_master_in_their_order() {
    let mut node = Node::registered();
    let tasks: Vec<String> = (0..500).map(|number| format!("t{number}")).collect();
    // Two updates of each task, and nobody acknowledges any.
    for task in &tasks {
        node.run(task);
        let container = node.start();
        node.exit(&container, Exit::code(0));
    }
    back(&mut node);
    let mut first = node.updates();
    first.sort_by_key(|status| status.uuid);
    first.dedup_by_key(|status| status.uuid);
    assert_eq!(first.len(), 500, "the first of each, and no other");
    assert!(
        first
            .iter()
            .all(|status| status.state == TaskState::Running)
    );
    for status in first {
        node.acknowledge(status.task_id.as_str(), status.uuid);
        let next = node.update();
        assert_eq!(next.task_id, status.task_id);
        assert_eq!(next.state, TaskState::Finished);
        node.acknowledge(next.task_id.as_str(), next.uuid);
    }
    assert_eq!(node.agent.statuses().count(), 0, "nothing waits any more");
}
