//! The life of task groups, story by story.

use tepui_model::{Reason, TaskInfo, TaskState};
use tepui_proto::v1::{self, executor_info};

use super::{modern, node::Node, wire_task};
use crate::{AgentReport, ContainerEvent, Exit, MasterCommand, Program};

fn member(id: &str, executor: &str) -> TaskInfo {
    let mut wire = wire_task(id);
    wire.executor = Some(v1::ExecutorInfo {
        r#type: Some(executor_info::Type::Default.into()),
        executor_id: v1::ExecutorId {
            value: executor.to_owned(),
        },
        resources: wire.resources.clone(),
        ..v1::ExecutorInfo::default()
    });
    TaskInfo::try_from(wire).unwrap()
}

impl Node {
    fn run_together(&mut self, tasks: Vec<TaskInfo>, launch_executor: bool) {
        self.master(MasterCommand::RunGroup {
            framework: Box::new(modern("f")),
            tasks,
            launch_executor,
        });
    }

    /// The states that tasks are told to be in, each acknowledged, until there is no more.
    fn told(&mut self) -> Vec<(String, TaskState)> {
        let mut told = Vec::new();
        loop {
            let updates = self.updates();
            if updates.is_empty() {
                return told;
            }
            for update in updates {
                told.push((update.task_id.to_string(), update.state));
                self.acknowledge(update.task_id.as_str(), update.uuid);
            }
        }
    }

    fn executor_exits(&self) -> Vec<Option<i32>> {
        let sent = self.sent.iter();
        let exits = sent.filter_map(|report| match report {
            AgentReport::ExecutorExited { status, .. } => Some(*status),
            _ => None,
        });
        exits.collect()
    }
}

/// A group of two that runs; its executor's container and theirs.
fn running_pair() -> (Node, [tepui_model::ContainerId; 3]) {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    let pod = node.start();
    let containers = [pod, node.start(), node.start()];
    let running = ["a", "b"].map(|id| (id.to_owned(), TaskState::Running));
    assert_eq!(node.told(), running);
    (node, containers)
}

#[test]
fn a_group_is_launched_inside_of_its_executor_s_container_when_that_is_there() {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    assert_eq!(node.launches.len(), 1, "the executor first");
    let plan = node.launches[0].clone();
    assert_eq!((plan.program, plan.parent), (Program::Hold, None));
    assert_eq!(plan.limits.cpus.as_f64() as u32, 3, "for it and both tasks");
    let pod = node.start();
    let parents: Vec<_> = node.launches.iter().map(|it| it.parent.clone()).collect();
    assert_eq!(parents.len(), 2);
    for parent in parents {
        let parent = parent.unwrap();
        assert_eq!(parent.container, pod);
        assert!(parent.sandbox.ends_with(format!("executors/e/runs/{pod}")));
        assert!(!parent.share_processes);
    }
}

#[test]
fn with_the_last_task_the_executor_ends() {
    let (mut node, [pod, a, b]) = running_pair();
    node.exit(&a, Exit::code(0));
    assert_eq!(node.told(), [("a".to_owned(), TaskState::Finished)]);
    assert!(node.signals.is_empty(), "one that ends well ends alone");
    node.exit(&b, Exit::code(0));
    assert_eq!(node.told(), [("b".to_owned(), TaskState::Finished)]);
    assert_eq!(node.signals, [("KILL", pod.clone())]);
    node.exit(&pod, Exit::signal(9));
    assert_eq!(node.executor_exits(), [Some(0)], "as Mesos' own does");
    assert!(!node.knows("a") && !node.knows("b"));
    node.agent.check().unwrap();
}

#[test]
fn one_that_fails_ends_its_group_and_no_other_group() {
    let (mut node, [_, a, b]) = running_pair();
    node.run_together(vec![member("c", "e")], false);
    node.start();
    assert_eq!(node.told(), [("c".to_owned(), TaskState::Running)]);
    node.exit(&a, Exit::code(1));
    assert_eq!(node.told()[0], ("a".to_owned(), TaskState::Failed));
    assert_eq!(node.signals, [("TERM", b.clone())]);
    node.exit(&b, Exit::signal(15));
    assert_eq!(node.told(), [("b".to_owned(), TaskState::Killed)]);
    assert!(node.knows("c"));
    assert_eq!(node.signals.len(), 1);
}

#[test]
fn whoever_kills_one_kills_all_of_its_group() {
    let (mut node, [pod, a, b]) = running_pair();
    node.kill("b", None);
    let mut signals = node.signals.clone();
    signals.sort_by_key(|(_, container)| container.clone());
    let mut expected = vec![("TERM", a.clone()), ("TERM", b.clone())];
    expected.sort_by_key(|(_, container)| container.clone());
    assert_eq!(signals, expected);
    for container in [&a, &b] {
        node.exit(container, Exit::signal(15));
    }
    let ends = node.told();
    let killed = |id: &str| ends.contains(&(id.to_owned(), TaskState::Killed));
    assert!(killed("a") && killed("b"), "{ends:?}");
    assert_eq!(node.signals.last(), Some(&("KILL", pod)));
}

#[test]
fn a_group_killed_before_its_executor_is_there_never_runs() {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    node.kill("a", None);
    let pod = node.start();
    assert!(node.launches.is_empty());
    let ends = node.told();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.iter().all(|(_, state)| *state == TaskState::Killed),
        "{ends:?}"
    );
    assert_eq!(node.signals.last(), Some(&("KILL", pod.clone())));
    node.exit(&pod, Exit::signal(9));
    node.agent.check().unwrap();
}

#[test]
fn one_that_cannot_be_launched_takes_the_others_along() {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    node.start();
    let plan = node.launches.pop_front().unwrap();
    let message = "no such user".to_owned();
    node.apply(crate::Event::Container {
        container: plan.container,
        event: ContainerEvent::LaunchFailed { message },
    });
    let b = node.start();
    assert_eq!(node.signals, [("KILL", b.clone())]);
    node.exit(&b, Exit::signal(9));
    let ends = node.told();
    assert_eq!(ends[0].1, TaskState::Failed, "{ends:?}");
    assert_eq!(ends[1].1, TaskState::Killed, "{ends:?}");
}

#[test]
fn a_group_whose_executor_cannot_be_started_fails() {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    let plan = node.launches.pop_front().unwrap();
    let message = "no room".to_owned();
    node.apply(crate::Event::Container {
        container: plan.container,
        event: ContainerEvent::LaunchFailed { message },
    });
    let ends = node.told();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.iter().all(|(_, state)| *state == TaskState::Failed),
        "{ends:?}"
    );
    node.agent.check().unwrap();
}

#[test]
fn one_that_is_wrong_keeps_all_from_being_launched() {
    let mut node = Node::registered();
    let mut wrong = member("b", "e");
    let wire = std::sync::Arc::make_mut(&mut wrong.wire);
    wire.command.as_mut().unwrap().environment = Some(v1::Environment {
        variables: vec![v1::environment::Variable::default()],
    });
    node.run_together(vec![member("a", "e"), wrong], true);
    assert!(node.launches.is_empty());
    assert_eq!(node.executor_exits(), [None], "the master hears of it");
    let updates = node.updates();
    assert_eq!(updates.len(), 2);
    for update in updates {
        assert_eq!(update.state, TaskState::Error);
        assert_eq!(update.reason, Some(Reason::TaskInvalid));
    }
    node.agent.check().unwrap();
}

#[test]
fn a_restarted_agent_goes_on_with_a_group() {
    let (mut node, [pod, a, b]) = running_pair();
    node.restart();
    assert!(node.launches.is_empty(), "nothing is launched twice");
    node.connect();
    let registration = node.registration();
    assert_eq!(
        (registration.tasks.len(), registration.executors.len()),
        (2, 1)
    );
    node.register();
    node.exit(&a, Exit::code(3));
    // That RUNNING was acknowledged is not written at once, and so it may be told again.
    let told = node.told();
    assert_eq!(told.last(), Some(&("a".to_owned(), TaskState::Failed)));
    assert_eq!(node.signals.last(), Some(&("TERM", b.clone())));
    node.exit(&b, Exit::signal(15));
    node.told();
    assert_eq!(node.signals.last(), Some(&("KILL", pod)));
}

#[test]
fn an_agent_restarted_before_its_executor_was_there_starts_the_group_again() {
    let mut node = Node::registered();
    node.run_together(vec![member("a", "e"), member("b", "e")], true);
    node.restart();
    node.connect();
    node.register();
    assert_eq!(node.launches.len(), 1, "the executor first");
    let pod = node.start();
    assert_eq!(node.launches.len(), 2);
    assert!(
        node.launches
            .iter()
            .all(|it| it.parent.as_ref().unwrap().container == pod)
    );
    node.start();
    node.start();
    assert_eq!(node.told().len(), 2);
}

#[test]
fn tasks_whose_executor_s_container_ended_are_told_when_theirs_have() {
    let (mut node, [pod, a, b]) = running_pair();
    node.exit(&pod, Exit::signal(9));
    assert!(node.told().is_empty(), "their containers are about to end");
    node.exit(&a, Exit::signal(9));
    node.exit(&b, Exit::signal(9));
    let ends = node.told();
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[0].1, TaskState::Failed);
    node.agent.check().unwrap();
}

#[test]
fn a_drain_ends_a_group_and_its_executor() {
    let (mut node, [pod, a, b]) = running_pair();
    node.master(MasterCommand::Drain {
        max_grace_period: None,
        mark_gone: false,
    });
    for container in [&a, &b] {
        node.exit(container, Exit::signal(15));
    }
    let ends = node.told();
    assert!(ends.iter().any(|(_, state)| *state == TaskState::Killed));
    assert_eq!(node.signals.last(), Some(&("KILL", pod)));
}
