//! A task that gives way to another of a higher priority (Mesos: REV-03).

use tepui_model::{FrameworkId, Reason, TaskId, TaskState};

use super::{modern, node::Node, sleeper};
use crate::{Exit, MasterCommand};

const WHY: &str = "Preempted by web in role prod of priority 10";

fn preempt(node: &mut Node, task: &str) {
    node.master(MasterCommand::KillTask {
        framework_id: FrameworkId::new("f").unwrap(),
        task_id: TaskId::new(task).unwrap(),
        grace: None,
        preempted: Some(WHY.to_owned()),
    });
}

#[test]
fn a_preempted_task_is_gone_or_lost_however_it_ends_and_the_framework_hears_by_whom() {
    let ends = [
        (
            Exit::signal(15),
            "Command terminated with signal Terminated",
        ),
        (Exit::code(0), "Command exited with status 0"),
    ];
    for (exit, words) in ends {
        for (framework, state) in [
            (modern("f"), TaskState::Gone),
            (super::framework("f"), TaskState::Lost),
        ] {
            let mut node = Node::registered();
            node.run_for(framework, sleeper("t"));
            let container = node.start();
            node.acknowledge_next();
            preempt(&mut node, "t");
            if state == TaskState::Gone {
                let killing = node.update();
                assert_eq!(
                    (killing.state, killing.message.as_deref()),
                    (TaskState::Killing, Some(WHY))
                );
                node.acknowledge("t", killing.uuid);
            }
            assert_eq!(node.signals, [("TERM", container.clone())]);
            node.exit(&container, exit.clone());
            let end = node.update();
            assert_eq!(
                (end.state, end.reason),
                (state, Some(Reason::ContainerPreempted))
            );
            assert_eq!(end.message, Some(format!("{WHY}: {words}")));
        }
    }
}

#[test]
fn a_task_that_was_being_killed_already_ends_as_killed() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    node.kill("t", Some(5));
    preempt(&mut node, "t");
    node.exit(&container, Exit::signal(15));
    let end = node.update();
    assert_eq!((end.state, end.reason), (TaskState::Killed, None));
}

#[test]
fn an_agent_that_dies_in_between_still_says_by_whom() {
    let mut node = Node::registered();
    node.run_for(modern("f"), sleeper("t"));
    let container = node.start();
    node.acknowledge_next();
    preempt(&mut node, "t");
    node.update();
    node.restart();
    node.connect();
    node.register();
    node.exit(&container, Exit::signal(15));
    assert_eq!(node.acknowledge_next(), TaskState::Killing);
    let end = node.update();
    assert_eq!(end.state, TaskState::Gone);
    assert!(end.message.unwrap().starts_with(WHY));
}
