//! The agent's life, story by story.

use std::time::Duration;

use tepui_model::{AgentId, FrameworkId, Reason, Source, TaskInfo, TaskState};
use tepui_proto::{services, v1};

use super::{modern, node::Node, sleeper, wire_task};
use crate::{
    AgentReport, ContainerEvent, Event, Exit, ExitStatus, Limitation, Limited, LinkId,
    MasterCommand,
    limits::{KILL_AGAIN, LEAVE_TIMEOUT, MAX_TASKS},
};

#[test]
fn a_task_runs_finishes_and_is_forgotten_once_acknowledged() {
    let mut node = Node::registered();
    node.run("t");
    assert_eq!(
        node.disk.len(),
        4,
        "agent, framework, task and progress before the launch"
    );
    let container = node.start();
    let running = node.update();
    assert_eq!(
        (running.state, running.source),
        (TaskState::Running, Some(Source::Executor))
    );
    assert_eq!(running.agent_id, Some(AgentId::new("m-S0").unwrap()));
    assert_eq!(running.timestamp, Some(node.now));
    let status = running.passengers.container_status.clone().unwrap();
    assert_eq!(status.executor_pid, Some(42));
    node.exit(&container, Exit::code(0));
    assert_eq!(node.states(), [], "one at a time");
    node.acknowledge("t", running.uuid);
    assert_eq!(node.acknowledge_next(), TaskState::Finished);
    assert!(!node.knows("t"));
    assert!(node.containers.is_empty());
    node.flush();
    assert_eq!(node.disk.len(), 1, "only the agent's identity is left");
    assert_eq!(node.agent.get_tasks().completed_tasks.len(), 1);
}

#[test]
fn a_duplicate_launch_starts_nothing() {
    let mut node = Node::registered();
    node.run("t");
    node.run("t");
    let container = node.start();
    node.run("t");
    node.exit(&container, Exit::code(0));
    node.run("t");
    assert_eq!(node.launched.len(), 1);
    assert_eq!(node.agent.task_count(), 1);
}

#[test]
fn an_update_is_sent_again_until_it_is_acknowledged() {
    let mut node = Node::registered();
    node.run("t");
    node.start();
    let first = node.update();
    node.pass(9);
    assert_eq!(node.states(), []);
    node.pass(1);
    assert_eq!(node.update().uuid, first.uuid);
    node.master(MasterCommand::Ping);
    node.pass(20);
    assert_eq!(node.update().uuid, first.uuid);
    node.acknowledge("t", first.uuid);
    node.master(MasterCommand::Ping);
    node.pass(60);
    assert_eq!(node.states(), []);
}

#[test]
fn a_reconnected_agent_tells_what_it_knows_and_sends_what_waits_at_once() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.apply(Event::LinkDown { link: node.link });
    node.exit(&container, Exit::code(1));
    node.sent.clear();
    node.connect();
    let registration = node.registration();
    assert_eq!(registration.info.id, node.agent.id().cloned());
    assert_eq!(registration.tasks.len(), 1);
    assert_eq!(registration.tasks[0].latest.state, TaskState::Failed);
    assert_eq!(
        registration.frameworks[0].id,
        Some(FrameworkId::new("f").unwrap())
    );
    assert_eq!(
        node.states(),
        [],
        "nothing leaves before the master has answered"
    );
    node.register();
    assert_eq!(node.acknowledge_next(), TaskState::Running);
    assert_eq!(node.acknowledge_next(), TaskState::Failed);
}

#[test]
fn a_message_from_an_old_stream_changes_nothing() {
    let mut node = Node::registered();
    let old = node.link;
    node.connect();
    node.register();
    let (framework, task) = (Box::new(modern("f")), Box::new(sleeper("t")));
    let command = MasterCommand::RunTask {
        framework,
        task,
        launch_executor: false,
    };
    node.apply(Event::Master { link: old, command });
    node.apply(Event::LinkDown { link: old });
    assert!(node.agent.is_registered());
    assert_eq!(node.agent.task_count(), 0);
}

#[test]
fn a_kill_is_term_then_kill_after_the_grace_period() {
    let mut node = Node::registered();
    node.run_for(modern("f"), sleeper("t"));
    let container = node.start();
    assert_eq!(node.acknowledge_next(), TaskState::Running);
    node.kill("t", Some(7));
    assert_eq!(node.acknowledge_next(), TaskState::Killing);
    assert_eq!(node.signals, [("TERM", container.clone())]);
    node.pass(6);
    assert_eq!(node.signals.len(), 1);
    node.pass(1);
    assert_eq!(node.signals[1..], [("KILL", container.clone())]);
    node.pass(KILL_AGAIN.as_secs());
    assert_eq!(
        node.signals[2..],
        [("KILL", container.clone())],
        "again, if that ended nothing"
    );
    node.exit(&container, Exit::signal(9));
    let killed = node.update();
    assert_eq!(killed.state, TaskState::Killed);
    assert_eq!(
        killed.message.as_deref(),
        Some("Command terminated with signal Killed")
    );
}

#[test]
fn the_grace_period_is_three_seconds_or_the_tasks_or_the_kills() {
    let mut wire = wire_task("own");
    let grace_period = Some(v1::DurationInfo {
        nanoseconds: 5_000_000_000,
    });
    wire.kill_policy = Some(v1::KillPolicy { grace_period });
    let own = TaskInfo::try_from(wire).unwrap();
    for (task, grace, seconds) in [
        (sleeper("default"), None, 3),
        (own.clone(), None, 5),
        (own, Some(1), 1),
    ] {
        let mut node = Node::registered();
        let name = task.id.to_string();
        node.run_for(super::framework("f"), task);
        node.start();
        node.kill(&name, grace);
        node.pass(seconds - 1);
        assert_eq!(node.signals.len(), 1, "{name}");
        node.pass(1);
        assert_eq!(node.signals.len(), 2, "{name}");
        assert_eq!(
            node.states(),
            [TaskState::Running],
            "{name}: it does not know TASK_KILLING"
        );
    }
}

#[test]
fn a_second_kill_sets_another_grace_period_from_the_first_on() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.kill("t", Some(100));
    node.pass(10);
    node.kill("t", Some(12));
    node.pass(1);
    assert_eq!(node.signals.len(), 1);
    node.pass(1);
    assert_eq!(node.signals[1..], [("KILL", container.clone())]);
    let mut node = Node::registered();
    node.run("t");
    node.start();
    node.kill("t", Some(100));
    node.pass(10);
    node.kill("t", Some(0));
    assert_eq!(node.signals.len(), 2, "without grace it is killed at once");
}

#[test]
fn a_kill_before_the_start_ends_the_task_without_running_it_for_its_framework() {
    let mut node = Node::registered();
    node.run("t");
    node.kill("t", None);
    assert_eq!(node.signals, []);
    let container = node.start();
    assert_eq!(node.signals, [("KILL", container.clone())]);
    node.exit(&container, Exit::signal(9));
    let killed = node.update();
    assert_eq!(killed.state, TaskState::Killed);
    assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
}

#[test]
fn a_task_whose_image_is_fetched_is_starting_and_says_how_far_it_is() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.launches[0].container.clone();
    let fetching = |how_far: &str| ContainerEvent::Fetching {
        what: format!("the image 'busybox'{how_far}"),
    };
    node.container(&container, fetching(""));
    node.container(&container, fetching(": 20 %"));
    let starting = node.update();
    assert_eq!(starting.state, TaskState::Starting);
    assert_eq!(
        starting.message.as_deref(),
        Some("Fetching the image 'busybox'")
    );
    node.acknowledge("t", starting.uuid);
    // What it has heard, it hears no more.
    node.container(&container, fetching(""));
    node.container(&container, fetching(": 40 %"));
    let further = node.update();
    assert_eq!(
        further.message.as_deref(),
        Some("Fetching the image 'busybox': 40 %")
    );
    node.acknowledge("t", further.uuid);
    node.start();
    assert_eq!(node.update().state, TaskState::Running);
}

#[test]
fn nobody_waits_for_the_image_of_a_task_that_is_killed() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.launches[0].container.clone();
    node.kill("t", None);
    assert_eq!(node.abandoned, std::slice::from_ref(&container));
    let message = "given up".to_owned();
    node.container(&container, ContainerEvent::LaunchFailed { message });
    assert_eq!(node.update().state, TaskState::Killed);
}

#[test]
fn a_kill_and_an_exit_at_once_give_one_terminal_update() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    node.kill("t", None);
    node.exit(&container, Exit::code(0));
    node.kill("t", None);
    node.exit(&container, Exit::signal(9));
    assert_eq!(node.acknowledge_next(), TaskState::Finished);
    assert_eq!(node.states(), []);
    node.kill("t", None);
    assert_eq!(node.agent.task_count(), 0);
}

#[test]
fn a_container_that_cannot_start_fails_its_task() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.launches.pop_front().unwrap().container;
    let message = "no such user".to_owned();
    node.container(&container, ContainerEvent::LaunchFailed { message });
    let failed = node.update();
    assert_eq!(failed.reason, Some(Reason::ContainerLaunchFailed));
    assert_eq!(
        failed.message.as_deref(),
        Some("Failed to launch container: no such user")
    );
}

#[test]
fn out_of_memory_is_a_failure_with_its_limit() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    let report = Limitation {
        of: Limited::Memory,
        limit_bytes: 64 << 20,
        message: "Memory limit exceeded".into(),
    };
    let exit = Exit {
        status: ExitStatus::Signal(9),
        limitation: Some(report),
    };
    node.exit(&container, exit);
    let failed = node.update();
    assert_eq!(failed.state, TaskState::Failed);
    assert_eq!(failed.reason, Some(Reason::ContainerLimitationMemory));
    assert_eq!(
        failed.passengers.limitation.as_ref().unwrap().resources[0].name,
        "mem"
    );
}

#[test]
fn a_task_that_takes_longer_than_it_may_is_killed_without_grace() {
    let mut wire = wire_task("t");
    wire.max_completion_time = Some(v1::DurationInfo {
        nanoseconds: 30_000_000_000,
    });
    let mut node = Node::registered();
    node.run_for(super::framework("f"), TaskInfo::try_from(wire).unwrap());
    let container = node.start();
    node.acknowledge_next();
    node.pass(29);
    assert_eq!(node.signals, []);
    node.pass(1);
    assert_eq!(node.signals, [("KILL", container.clone())]);
    node.exit(&container, Exit::signal(9));
    assert_eq!(node.update().reason, Some(Reason::MaxCompletionTimeReached));
}

#[test]
fn a_task_for_another_agent_or_of_an_unsupported_kind_is_an_error() {
    let mut node = Node::registered();
    let mut wire = wire_task("t");
    wire.agent_id.value = "m-S1".to_owned();
    node.run_for(super::framework("f"), TaskInfo::try_from(wire).unwrap());
    let error = node.update();
    assert_eq!(
        (error.state, error.reason),
        (TaskState::Error, Some(Reason::TaskInvalid))
    );
    assert_eq!(
        error.message.unwrap(),
        "The task is for agent m-S1, this is m-S0"
    );
    node.acknowledge("t", error.uuid);
    assert_eq!(node.agent.task_count(), 0);
    assert_eq!(node.launched, []);
}

#[test]
fn a_framework_that_is_gone_takes_its_tasks_with_it_and_nobody_need_acknowledge() {
    let mut node = Node::registered();
    node.run("running");
    let container = node.start();
    node.run("launching");
    node.run("ended");
    let ended = node.launches.pop_back().unwrap().container;
    node.container(&ended, ContainerEvent::Exited(Exit::code(0)));
    node.sent.clear();
    node.master(MasterCommand::ShutdownFramework {
        framework_id: FrameworkId::new("f").unwrap(),
    });
    assert!(!node.knows("ended"));
    assert_eq!(node.signals, [("TERM", container.clone())]);
    node.exit(&container, Exit::signal(15));
    let launching = node.start();
    node.exit(&launching, Exit::signal(9));
    let updates = node.updates();
    assert_eq!(updates.len(), 2);
    assert!(
        updates
            .iter()
            .all(|update| update.uuid.is_none() && update.state.is_terminal())
    );
    node.flush();
    assert_eq!(node.disk.len(), 1);
}

#[test]
fn an_agent_whose_id_is_void_ends_its_tasks_and_registers_anew() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    let message = "declared gone".to_owned();
    node.master(MasterCommand::Refused {
        message: message.clone(),
        forget_identity: true,
        shut_down: false,
    });
    assert_eq!(node.disconnected, [message]);
    node.connect();
    node.sent.clear();
    node.exit(&container, Exit::signal(15));
    let registration = node.registration();
    assert_eq!((registration.info.id, registration.tasks.len()), (None, 0));
    node.register();
    node.run("t");
    assert_eq!(node.launched.len(), 2);
}

#[test]
fn an_agent_that_is_refused_keeps_its_tasks_and_tries_again() {
    let mut node = Node::registered();
    node.run("t");
    node.start();
    let message = "not now".to_owned();
    node.master(MasterCommand::Refused {
        message,
        forget_identity: false,
        shut_down: false,
    });
    assert_eq!(node.disconnected, ["not now"]);
    assert_eq!(node.signals, []);
    node.connect();
    assert_eq!(node.registration().tasks.len(), 1);
}

#[test]
fn a_silent_master_is_left_after_the_limit_it_named() {
    let mut node = Node::registered();
    node.pass(70);
    node.master(MasterCommand::Ping);
    assert!(matches!(node.sent.last(), Some(AgentReport::Pong)));
    node.pass(74);
    assert!(node.agent.is_registered());
    node.pass(1);
    assert!(!node.agent.is_registered());
    assert_eq!(node.disconnected.len(), 1);
}

#[test]
fn an_agent_that_leaves_ends_its_tasks_then_unregisters() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.acknowledge_next();
    node.apply(Event::Leave);
    assert_eq!(node.signals, [("TERM", container.clone())]);
    node.run("late");
    let dropped = node.update();
    assert_eq!(dropped.reason, Some(Reason::AgentDraining));
    node.acknowledge("late", dropped.uuid);
    node.exit(&container, Exit::signal(15));
    assert!(!node.left);
    assert_eq!(node.acknowledge_next(), TaskState::Killed);
    assert!(node.left);
    assert!(matches!(node.sent.last(), Some(AgentReport::Unregister)));
    node.flush();
    assert!(node.disk.is_empty());
}

#[test]
fn an_agent_that_leaves_waits_for_acknowledgements_only_so_long() {
    let mut node = Node::registered();
    node.run("t");
    let container = node.start();
    node.apply(Event::Leave);
    node.exit(&container, Exit::signal(15));
    node.pass(LEAVE_TIMEOUT.as_secs());
    assert!(node.left);
}

#[test]
fn a_task_too_many_is_refused_and_not_remembered() {
    let mut node = Node::registered();
    for number in 0..MAX_TASKS {
        let task = Box::new(sleeper(&number.to_string()));
        let framework = Box::new(modern("f"));
        let command = MasterCommand::RunTask {
            framework,
            task,
            launch_executor: false,
        };
        let event = Event::Master {
            link: LinkId(1),
            command,
        };
        node.agent
            .apply(node.now, event, &mut crate::Effects::new());
    }
    node.run("one-more");
    let failed = node.update();
    assert_eq!((failed.state, failed.uuid), (TaskState::Failed, None));
    assert_eq!(node.agent.task_count(), MAX_TASKS);
}

#[test]
fn a_registration_on_the_wire_has_everything() {
    let mut node = Node::registered();
    node.run("t");
    node.sent.clear();
    node.connect();
    let report = AgentReport::Register(Box::new(node.registration()));
    let message = services::AgentMessage::from(&report).message.unwrap();
    let services::agent_message::Message::Register(register) = message else {
        panic!()
    };
    assert_eq!(register.agent.unwrap().id.unwrap().value, "m-S0");
    assert_eq!(register.tasks[0].task.as_ref().unwrap(), &wire_task("t"));
    let latest = register.tasks[0].latest.as_ref().unwrap();
    assert_eq!(latest.state(), v1::TaskState::TaskStaging);
    assert_eq!(register.frameworks.len(), 1);
    assert_eq!(register.capabilities.len(), 8);
}

#[test]
fn what_an_operator_sees_follows_the_task() {
    let mut node = Node::registered();
    node.run("t");
    assert_eq!(node.agent.get_tasks().queued_tasks.len(), 1);
    let container = node.start();
    let tasks = node.agent.get_tasks();
    assert_eq!(tasks.launched_tasks[0].state(), v1::TaskState::TaskRunning);
    assert_eq!(
        node.agent.get_containers()[0].container_id.value,
        container.as_str()
    );
    node.exit(&container, Exit::code(0));
    assert_eq!(node.agent.get_tasks().terminated_tasks.len(), 1);
    assert!(node.agent.get_containers().is_empty());
    assert_eq!(node.agent.get_frameworks().frameworks.len(), 1);
    node.acknowledge_next();
    node.acknowledge_next();
    assert_eq!(node.agent.get_frameworks().completed_frameworks.len(), 1);
    assert_eq!(
        node.agent.get_agent().agent_info.unwrap().id.unwrap().value,
        "m-S0"
    );
    assert_eq!(node.now.since(node.now), Duration::ZERO);
}
