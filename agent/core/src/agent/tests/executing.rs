//! The life of executors and of the tasks that run in them, story by story.

use std::time::Duration;

use tepui_model::{
    ExecutorId, FrameworkId, Reason, Source, StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::v1::{self, executor::event::Type};

use super::{framework, modern, node::Node, wire_task};
use crate::{
    AgentReport, ContainerEvent, Event, ExecutorCall, ExecutorKey, Exit, Limitation, Limited,
    MasterCommand, StreamId, UnknownExecutor,
    limits::{
        EXECUTOR_REGISTRATION_TIMEOUT, EXECUTOR_REREGISTRATION_TIMEOUT, EXECUTOR_SHUTDOWN_GRACE,
    },
};

fn key() -> ExecutorKey {
    ExecutorKey::new(
        &FrameworkId::new("f").unwrap(),
        &ExecutorId::new("e").unwrap(),
    )
}

pub(super) fn in_executor(id: &str) -> TaskInfo {
    let mut wire = wire_task(id);
    let command = wire.command.take();
    wire.executor = Some(v1::ExecutorInfo {
        executor_id: v1::ExecutorId {
            value: "e".to_owned(),
        },
        command,
        resources: wire.resources.clone(),
        ..v1::ExecutorInfo::default()
    });
    TaskInfo::try_from(wire).unwrap()
}

/// The same of a group, whose executor says that it is a program.
fn grouped(id: &str) -> TaskInfo {
    let mut wire = (*in_executor(id).wire).clone();
    if let Some(executor) = &mut wire.executor {
        executor.r#type = Some(v1::executor_info::Type::Custom.into());
    }
    TaskInfo::try_from(wire).unwrap()
}

fn status(task: &str, state: TaskState, uuid: u8) -> TaskStatus {
    let mut status = TaskStatus::new(TaskId::new(task).unwrap(), state);
    status.uuid = Some(StatusUuid::from_bytes([uuid; 16]));
    status
}

impl Node {
    fn run_in(&mut self, task: &str, launch_executor: bool) {
        self.master(MasterCommand::RunTask {
            framework: Box::new(modern("f")),
            task: Box::new(in_executor(task)),
            launch_executor,
        });
    }

    fn executor(&mut self, call: ExecutorCall) {
        self.apply(Event::Executor { key: key(), call });
    }

    fn run_group_in(&mut self, tasks: &[&str]) {
        self.master(MasterCommand::RunGroup {
            framework: Box::new(modern("f")),
            tasks: tasks.iter().map(|id| grouped(id)).collect(),
            launch_executor: true,
        });
    }

    fn subscribe(&mut self, stream: u64, tasks: &[&str], updates: Vec<TaskStatus>) {
        let tasks = tasks.iter().map(|id| TaskId::new(id).unwrap()).collect();
        self.executor(ExecutorCall::Subscribe {
            stream: StreamId(stream),
            tasks,
            updates,
        });
    }

    fn says(&mut self, task: &str, state: TaskState, uuid: u8) {
        self.executor(ExecutorCall::Update(Box::new(status(task, state, uuid))));
    }

    /// What the executor heard since it was last asked, in short.
    fn heard(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.told).into_iter();
        let short = |(stream, event): (StreamId, v1::executor::Event)| {
            let kind = event.r#type();
            let what = match kind {
                Type::Launch => event.launch.map(|it| it.task.task_id.value),
                Type::LaunchGroup => event.launch_group.map(|it| {
                    let tasks = it.task_group.tasks.into_iter();
                    tasks
                        .map(|task| task.task_id.value)
                        .collect::<Vec<_>>()
                        .join("+")
                }),
                Type::Kill => event.kill.map(|it| it.task_id.value),
                Type::Acknowledged => event.acknowledged.map(|it| it.task_id.value),
                Type::Message => event
                    .message
                    .map(|it| String::from_utf8_lossy(&it.data).into_owned()),
                _ => None,
            };
            let what = what.unwrap_or_default();
            format!("{} {} {what}", stream.0, kind.as_str_name())
                .trim()
                .to_owned()
        };
        heard.map(short).collect()
    }

    fn exits(&mut self) -> Vec<Option<i32>> {
        let sent = self.sent.iter();
        let exits = sent.filter_map(|report| match report {
            AgentReport::ExecutorExited { status, .. } => Some(*status),
            _ => None,
        });
        exits.collect()
    }
}

/// An executor that is subscribed and runs task `t`.
fn executing() -> (Node, tepui_model::ContainerId) {
    let mut node = Node::registered();
    node.run_in("t", true);
    let container = node.start();
    node.subscribe(1, &[], vec![]);
    node.says("t", TaskState::Running, 1);
    assert_eq!(node.acknowledge_next(), TaskState::Running);
    node.flush();
    node.heard();
    (node, container)
}

#[test]
fn tasks_wait_for_their_executor_and_are_launched_once_it_is_there() {
    let mut node = Node::registered();
    node.run_in("t", true);
    node.run_in("u", false);
    assert_eq!(node.launches.len(), 1, "one container for both");
    assert_eq!(node.launches[0].task.task.as_str(), "e");
    node.start();
    assert_eq!(node.states(), [], "the executor tells");
    node.subscribe(1, &[], vec![]);
    assert_eq!(node.heard(), ["1 SUBSCRIBED", "1 LAUNCH t", "1 LAUNCH u"]);
    let (_, limits) = node.resized.last().unwrap();
    assert_eq!(
        limits.cpus.to_string(),
        "3",
        "its own and those of its tasks"
    );
    node.run_in("v", false);
    assert_eq!(node.heard(), ["1 LAUNCH v"]);
}

#[test]
fn an_update_is_completed_written_down_passed_on_and_acknowledged() {
    let mut node = Node::registered();
    node.run_in("t", true);
    let container = node.start();
    node.subscribe(1, &[], vec![]);
    node.heard();
    node.says("t", TaskState::Running, 1);
    assert_eq!(node.heard(), ["1 ACKNOWLEDGED t"]);
    let update = node.update();
    assert_eq!(update.uuid, Some(StatusUuid::from_bytes([1; 16])));
    assert_eq!(update.source, Some(Source::Executor));
    assert_eq!(update.executor_id, Some(key().executor));
    assert_eq!(update.timestamp, Some(node.now));
    let shown = update.passengers.container_status.clone().unwrap();
    assert_eq!(shown.container_id.unwrap().value, container.as_str());
    node.says("t", TaskState::Running, 1);
    assert_eq!(node.heard(), ["1 ACKNOWLEDGED t"]);
    assert_eq!(node.states(), [], "heard twice, passed on once");
    node.acknowledge("t", update.uuid);
    node.says("t", TaskState::Finished, 2);
    assert_eq!(node.acknowledge_next(), TaskState::Finished);
    assert!(!node.knows("t"));
    assert!(node.agent.find_executor(&key(), true).is_ok(), "it goes on");
    node.says("t", TaskState::Failed, 3);
    assert_eq!(node.states(), [], "final is final");
}

#[test]
fn a_kill_is_passed_on_and_one_of_a_queued_task_is_done_at_once() {
    let mut node = Node::registered();
    node.run_in("t", true);
    node.run_in("u", false);
    node.kill("u", None);
    let update = node.update();
    assert_eq!(update.state, TaskState::Killed);
    assert_eq!(update.reason, Some(Reason::TaskKilledDuringLaunch));
    node.acknowledge("u", update.uuid);
    node.start();
    node.subscribe(1, &[], vec![]);
    assert_eq!(node.heard(), ["1 SUBSCRIBED", "1 LAUNCH t"]);
    node.kill("t", Some(7));
    let grace = node.told[0].1.kill.clone().unwrap().kill_policy.unwrap();
    assert_eq!(grace.grace_period.unwrap().nanoseconds, 7_000_000_000);
    node.pass(60);
    assert_eq!(node.signals, [], "how a task ends is the executor's affair");
    assert!(node.states().is_empty());
}

#[test]
fn an_executor_all_of_whose_tasks_were_killed_before_it_came_is_ended() {
    let mut node = Node::registered();
    node.run_in("t", true);
    node.kill("t", None);
    let container = node.start();
    node.subscribe(1, &[], vec![]);
    assert_eq!(node.heard(), ["1 SUBSCRIBED", "1 SHUTDOWN"]);
    node.pass(EXECUTOR_SHUTDOWN_GRACE.as_secs());
    assert_eq!(node.signals, [("KILL", container)]);
}

#[test]
fn an_executor_that_does_not_subscribe_in_time_is_killed() {
    let mut node = Node::registered();
    node.run_in("t", true);
    let container = node.start();
    node.pass(EXECUTOR_REGISTRATION_TIMEOUT.as_secs() - 1);
    assert_eq!(node.signals, []);
    node.pass(1);
    assert_eq!(node.signals, [("KILL", container.clone())]);
    node.exit(&container, Exit::signal(9));
    assert_eq!(node.exits(), [Some(9)]);
    let update = node.update();
    assert_eq!(update.state, TaskState::Failed);
    assert_eq!(update.reason, Some(Reason::ExecutorRegistrationTimeout));
}

#[test]
fn the_end_of_an_executor_is_told_before_that_of_its_tasks() {
    let (mut node, container) = executing();
    node.exit(&container, Exit::code(127));
    assert!(matches!(
        node.sent.first(),
        Some(AgentReport::ExecutorExited {
            status: Some(32512),
            ..
        })
    ));
    let update = node.update();
    assert_eq!(update.state, TaskState::Failed);
    assert_eq!(update.reason, Some(Reason::ExecutorTerminated));
    assert_eq!(update.source, Some(Source::Agent));
    assert!(node.containers.is_empty());
    assert_eq!(
        node.agent.find_executor(&key(), false),
        Err(UnknownExecutor::Executor)
    );
    node.acknowledge("t", update.uuid);
    node.flush();
    assert_eq!(node.disk.len(), 1, "nothing is left but the identity");
}

#[test]
fn tasks_of_an_executor_that_used_too_much_hear_so() {
    let (mut node, container) = executing();
    let limitation = Some(Limitation {
        of: Limited::Memory,
        limit_bytes: 1 << 20,
        message: "too much".to_owned(),
    });
    node.exit(
        &container,
        Exit {
            limitation,
            ..Exit::signal(9)
        },
    );
    assert_eq!(
        node.update().reason,
        Some(Reason::ContainerLimitationMemory)
    );
}

#[test]
fn an_executor_that_cannot_be_started_fails_its_tasks() {
    let mut node = Node::registered();
    node.run_in("t", true);
    let container = node.launches.pop_front().unwrap().container;
    let message = "no room".to_owned();
    node.container(&container, ContainerEvent::LaunchFailed { message });
    assert_eq!(node.exits(), [Some(-1)]);
    let update = node.update();
    assert_eq!(update.reason, Some(Reason::ContainerLaunchFailed));
    assert_eq!(
        update.message.as_deref(),
        Some("Failed to launch container: no room")
    );
}

#[test]
fn shutdown_gives_a_grace_period_and_loses_what_is_left() {
    let (mut node, container) = executing();
    node.master(MasterCommand::ShutdownExecutor { executor: key() });
    assert_eq!(node.heard(), ["1 SHUTDOWN"]);
    node.pass(EXECUTOR_SHUTDOWN_GRACE.as_secs() - 1);
    assert_eq!(node.signals, []);
    node.run_in("late", false);
    assert_eq!(node.states(), [TaskState::Dropped]);
    node.pass(1);
    assert_eq!(node.signals, [("KILL", container.clone())]);
    node.exit(&container, Exit::signal(9));
    let update = node.update();
    assert_eq!(update.state, TaskState::Gone);
    assert_eq!(update.reason, Some(Reason::ExecutorTerminated));
}

#[test]
fn words_go_both_ways_while_both_are_there() {
    let (mut node, _) = executing();
    let data = b"hello".to_vec();
    node.master(MasterCommand::ExecutorMessage {
        executor: key(),
        data: data.clone(),
    });
    assert_eq!(node.heard(), ["1 MESSAGE hello"]);
    node.executor(ExecutorCall::Message(data));
    assert!(matches!(
        node.sent.last(),
        Some(AgentReport::ExecutorMessage { data, .. }) if data.as_slice() == b"hello"
    ));
}

#[test]
fn a_task_for_an_executor_that_is_not_there_is_dropped() {
    let mut node = Node::registered();
    node.run_in("t", false);
    let update = node.update();
    assert_eq!(update.state, TaskState::Dropped);
    assert_eq!(update.reason, Some(Reason::ExecutorTerminated));
    assert!(node.launches.is_empty());
}

#[test]
fn an_executor_that_is_not_started_after_all_is_reported_absent() {
    let mut node = Node::registered();
    let mut wire = (*in_executor("t").wire).clone();
    wire.executor.as_mut().unwrap().command = None;
    node.run_for(modern("f"), TaskInfo::try_from(wire).unwrap());
    assert_eq!(node.exits(), [None]);
    assert_eq!(node.update().state, TaskState::Error);
}

#[test]
fn the_end_of_a_framework_is_the_end_of_its_executors() {
    let (mut node, container) = executing();
    let framework_id = FrameworkId::new("f").unwrap();
    node.master(MasterCommand::ShutdownFramework { framework_id });
    assert_eq!(node.heard(), ["1 SHUTDOWN"]);
    node.exit(&container, Exit::code(0));
    assert_eq!(node.update().uuid, None, "said once, to nobody");
    node.flush();
    assert_eq!(node.disk.len(), 1);
}

#[test]
fn an_executor_comes_back_to_a_restarted_agent_with_what_it_could_not_say() {
    let (mut node, container) = executing();
    node.run_in("u", false);
    node.run_in("lost", false);
    node.heard();
    node.restart();
    node.connect();
    let known = node.registration().executors;
    assert_eq!(known[0].info.executor_id.value, "e");
    node.register();
    node.subscribe(2, &["u"], vec![status("t", TaskState::Finished, 9)]);
    assert_eq!(node.heard(), ["2 SUBSCRIBED", "2 ACKNOWLEDGED t"]);
    let updates = node.updates();
    let told: Vec<_> = updates
        .iter()
        .map(|it| (it.task_id.as_str(), it.state))
        .collect();
    assert_eq!(
        told,
        [("t", TaskState::Finished), ("lost", TaskState::Dropped)]
    );
    node.says("u", TaskState::Running, 10);
    assert_eq!(node.states(), [TaskState::Running]);
    node.pass(EXECUTOR_REREGISTRATION_TIMEOUT.as_secs() + 1);
    assert_eq!(node.signals, []);
    node.exit(&container, Exit::code(0));
}

#[test]
fn an_executor_that_does_not_come_back_is_killed() {
    let (mut node, container) = executing();
    node.restart();
    node.connect();
    node.register();
    node.pass(EXECUTOR_REREGISTRATION_TIMEOUT.as_secs());
    assert_eq!(node.signals, [("KILL", container.clone())]);
    node.sent.clear();
    node.exit(&container, Exit::signal(9));
    let update = node.update();
    assert_eq!(update.reason, Some(Reason::ExecutorReregistrationTimeout));
}

#[test]
fn an_executor_whose_container_never_was_is_started_again() {
    let mut node = Node::registered();
    node.run_in("t", true);
    let first = node.launches[0].container.clone();
    node.restart();
    assert_eq!(node.launches[0].container, first);
    node.connect();
    node.register();
    node.start();
    node.subscribe(1, &[], vec![]);
    assert_eq!(node.heard(), ["1 SUBSCRIBED", "1 LAUNCH t"]);
}

#[test]
fn an_executor_that_ended_meanwhile_ends_its_tasks() {
    let (mut node, container) = executing();
    node.containers
        .insert(container, super::node::Machine::Ended(Exit::code(3)));
    node.restart();
    node.connect();
    node.register();
    assert_eq!(node.update().reason, Some(Reason::ExecutorTerminated));
}

#[test]
fn a_second_stream_takes_the_place_of_the_first() {
    let (mut node, _) = executing();
    node.subscribe(2, &["t"], vec![]);
    assert_eq!(node.ended_streams, [StreamId(1)]);
    assert_eq!(node.heard(), ["2 SUBSCRIBED"]);
    node.apply(Event::ExecutorGone {
        stream: StreamId(1),
    });
    assert!(node.agent.find_executor(&key(), true).is_ok());
    node.apply(Event::ExecutorGone {
        stream: StreamId(2),
    });
    assert_eq!(
        node.agent.find_executor(&key(), true),
        Err(UnknownExecutor::NotSubscribed)
    );
    node.run_in("later", false);
    node.subscribe(3, &[], vec![]);
    assert_eq!(node.heard(), ["3 SUBSCRIBED", "3 LAUNCH later"]);
}

#[test]
fn a_drain_does_not_wait_for_an_executor_that_does_not_listen() {
    let (mut node, container) = executing();
    node.master(MasterCommand::Drain {
        max_grace_period: Some(Duration::from_secs(2)),
        mark_gone: false,
    });
    assert_eq!(node.heard(), ["1 KILL t"]);
    node.pass(2 + EXECUTOR_SHUTDOWN_GRACE.as_secs());
    assert_eq!(node.heard(), ["1 SHUTDOWN"]);
    node.exit(&container, Exit::code(0));
    let update = node.update();
    assert_eq!(update.state, TaskState::Killed);
    assert_eq!(update.reason, Some(Reason::AgentDraining));
}

#[test]
fn a_framework_that_does_not_tell_states_apart_hears_of_lost_tasks() {
    let mut node = Node::registered();
    node.master(MasterCommand::RunTask {
        framework: Box::new(framework("f")),
        task: Box::new(in_executor("t")),
        launch_executor: false,
    });
    assert_eq!(node.states(), [TaskState::Lost]);
}

#[test]
fn a_talkative_executor_takes_bounded_room() {
    let (mut node, _) = executing();
    for uuid in 2..200 {
        node.says("t", TaskState::Running, uuid);
    }
    node.says("t", TaskState::Finished, 200);
    let mut told = 0;
    while node.knows("t") {
        node.acknowledge_next();
        told += 1;
    }
    assert_eq!(told, crate::limits::MAX_PENDING_UPDATES);
}

#[test]
fn a_group_reaches_its_executor_as_one_also_after_the_agent_s_death() {
    let mut node = Node::registered();
    node.run_group_in(&["a", "b"]);
    assert_eq!(node.launches.len(), 1, "one container for all");
    node.start();
    node.restart();
    node.register();
    node.subscribe(1, &[], vec![]);
    assert_eq!(node.heard(), ["1 SUBSCRIBED", "1 LAUNCH_GROUP a+b"]);
}

#[test]
fn one_of_a_queued_group_that_is_killed_takes_the_others_along() {
    let mut node = Node::registered();
    node.run_group_in(&["a", "b"]);
    node.kill("a", None);
    let killed = node.updates();
    assert_eq!(killed.len(), 2);
    for update in killed {
        assert_eq!(update.state, TaskState::Killed);
        assert_eq!(update.reason, Some(Reason::TaskKilledDuringLaunch));
    }
}
