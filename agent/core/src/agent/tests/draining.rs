//! An agent that an operator drains, or sends away for good.

use std::time::Duration;

use tepui_model::{Reason, TaskState};

use super::{modern, node::Node, sleeper};
use crate::{Exit, MasterCommand, limits::DEFAULT_KILL_GRACE};

fn drain(node: &mut Node, seconds: Option<u64>, mark_gone: bool) {
    node.master(MasterCommand::Drain {
        max_grace_period: seconds.map(Duration::from_secs),
        mark_gone,
    });
}

fn dismissal() -> MasterCommand {
    MasterCommand::Refused {
        message: "gone".to_owned(),
        forget_identity: true,
        shut_down: true,
    }
}

#[test]
fn a_drain_kills_every_task_and_says_why() {
    let mut node = Node::registered();
    node.run_for(modern("f"), sleeper("t"));
    let container = node.start();
    node.acknowledge_next();
    drain(&mut node, None, false);
    let killing = node.update();
    assert_eq!(
        (killing.state, killing.reason),
        (TaskState::Killing, Some(Reason::AgentDraining))
    );
    node.acknowledge("t", killing.uuid);
    assert_eq!(node.signals, [("TERM", container.clone())]);
    node.pass(DEFAULT_KILL_GRACE.as_secs());
    assert_eq!(node.signals[1..], [("KILL", container.clone())]);
    node.exit(&container, Exit::signal(9));
    let killed = node.update();
    assert_eq!(
        (killed.state, killed.reason),
        (TaskState::Killed, Some(Reason::AgentDraining))
    );
}

#[test]
fn the_grace_period_is_the_tasks_own_up_to_the_drains() {
    for (most, seconds) in [(Some(1), 1), (Some(60), DEFAULT_KILL_GRACE.as_secs())] {
        let mut node = Node::registered();
        node.run("t");
        node.start();
        drain(&mut node, most, false);
        node.pass(seconds - 1);
        assert_eq!(node.signals.len(), 1);
        node.pass(1);
        assert_eq!(node.signals.len(), 2);
    }
}

#[test]
fn tasks_of_an_agent_that_will_not_come_back_are_gone_for_frameworks_that_know_the_state() {
    for (framework, state) in [
        (modern("f"), TaskState::GoneByOperator),
        (super::framework("f"), TaskState::Killed),
    ] {
        let mut node = Node::registered();
        node.run_for(framework, sleeper("t"));
        let container = node.start();
        node.acknowledge_next();
        drain(&mut node, Some(0), true);
        if let [killing] = &node.updates()[..] {
            assert_eq!(
                killing.state,
                TaskState::Killing,
                "it still holds its resources"
            );
            node.acknowledge("t", killing.uuid);
        }
        node.exit(&container, Exit::signal(9));
        let end = node.update();
        assert_eq!(
            (end.state, end.reason),
            (state, Some(Reason::AgentDraining))
        );
        node.acknowledge("t", end.uuid);
        assert!(!node.knows("t"));
    }
}

#[test]
fn a_task_that_ends_well_when_asked_has_finished() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    drain(&mut node, None, true);
    node.exit(&container, Exit::code(0));
    let end = node.update();
    assert_eq!((end.state, end.reason), (TaskState::Finished, None));
}

#[test]
fn a_launch_during_a_drain_is_dropped_and_one_after_it_is_not() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    drain(&mut node, None, false);
    node.run_for(modern("late"), sleeper("late"));
    let dropped = node.update();
    assert_eq!(
        (dropped.state, dropped.reason),
        (TaskState::Dropped, Some(Reason::AgentDraining))
    );
    node.master(MasterCommand::Acknowledge {
        framework_id: modern("late").id.unwrap(),
        task_id: sleeper("late").id,
        uuid: dropped.uuid.unwrap(),
    });
    node.exit(&container, Exit::signal(9));
    node.acknowledge_next();
    node.run("next");
    assert_eq!(node.launched.len(), 2);
}

#[test]
fn a_restarted_agent_still_tells_why_its_tasks_end() {
    let mut node = Node::registered();
    node.run_for(modern("f"), sleeper("t"));
    let container = node.start();
    node.acknowledge_next();
    drain(&mut node, Some(2), true);
    node.acknowledge_next();
    node.restart();
    node.connect();
    node.register();
    assert_eq!(node.acknowledge_next(), TaskState::Killing, "said again");
    node.exit(&container, Exit::signal(15));
    let end = node.update();
    assert_eq!(
        (end.state, end.reason),
        (TaskState::GoneByOperator, Some(Reason::AgentDraining))
    );
}

#[test]
fn an_agent_that_is_sent_away_ends_its_tasks_then_itself() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.master(dismissal());
    node.connect();
    assert!(!node.left);
    node.exit(&container, Exit::signal(15));
    assert!(node.left);
    node.flush();
    assert!(node.disk.is_empty());
}

#[test]
fn an_agent_that_was_never_taken_in_can_be_sent_away() {
    let mut node = Node::new();
    node.connect();
    node.master(dismissal());
    assert!(node.left);
}
