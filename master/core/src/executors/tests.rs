//! Tests of the module that this one belongs to.

use tepui_model::{ExecutorId, Reason, Resources, TaskState};
use tepui_proto::v1;

use crate::{
    Action, AgentCommand, Event, FrameworkEvent, KnownExecutor,
    calls::{ExecutorCall, ExecutorWish, TaskQuery},
    testing::{
        Cluster, Node, Scheduler, able, aware, known_task, names, resources, short, task_info,
    },
};

fn executor(id: &str, resources: &str) -> v1::ExecutorInfo {
    v1::ExecutorInfo {
        executor_id: v1::ExecutorId {
            value: id.to_owned(),
        },
        resources: resources.parse::<Resources>().unwrap().to_proto(None),
        command: Some(v1::CommandInfo {
            value: Some("./executor".to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..v1::ExecutorInfo::default()
    }
}

fn in_executor(id: &str, node: &Node, info: v1::ExecutorInfo) -> v1::TaskInfo {
    v1::TaskInfo {
        command: None,
        executor: Some(info),
        ..task_info(id, &node.id, "cpus:1;mem:32")
    }
}

fn launch(cluster: &mut Cluster, scheduler: &Scheduler, tasks: Vec<v1::TaskInfo>) {
    let offer = cluster.offer(scheduler);
    cluster.accept(scheduler, &[&offer.id], tasks);
}

fn exited(cluster: &mut Cluster, scheduler: &Scheduler, node: &Node, status: Option<i32>) {
    cluster.apply(Event::ExecutorExited {
        connection: node.connection,
        framework_id: scheduler.id.clone(),
        executor_id: ExecutorId::new("e").unwrap(),
        status,
    });
}

/// A cluster with one task that runs in an executor which takes a CPU and 100 MB of its own.
fn running() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let task = in_executor("t", &node, executor("e", "cpus:1;mem:100"));
    launch(&mut cluster, &scheduler, vec![task]);
    (cluster, scheduler, node)
}

#[test]
fn an_executor_is_started_and_charged_with_its_first_task_alone() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let info = executor("e", "cpus:1;mem:100");
    let tasks = ["a", "b"].map(|id| in_executor(id, &node, info.clone()));
    launch(&mut cluster, &scheduler, tasks.into());
    let commands = cluster.commands(node.connection);
    let started: Vec<bool> = commands
        .iter()
        .filter_map(|command| match command {
            AgentCommand::RunTask {
                task,
                launch_executor,
                ..
            } => {
                let info = task.executor.as_ref().unwrap();
                assert_eq!(
                    info.framework_id.as_ref().unwrap().value,
                    scheduler.id.as_str()
                );
                assert_eq!(
                    info.resources[0].allocation_info.as_ref().unwrap().role(),
                    "*"
                );
                Some(*launch_executor)
            }
            _ => None,
        })
        .collect();
    assert_eq!(started, [true, false]);
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources, resources("cpus:1;mem:860"));
    assert_eq!(offer.executor_ids, [ExecutorId::new("e").unwrap()]);
    let shown = cluster.master.get_executors().executors;
    assert_eq!(shown[0].executor_info.executor_id.value, "e");
}

#[test]
fn an_executor_counts_when_its_first_task_is_to_fit() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let task = in_executor("t", &node, executor("e", "cpus:3.5"));
    launch(&mut cluster, &scheduler, vec![task]);
    let status = cluster.update(&scheduler);
    let expected = "Total resources cpus:4.5;mem:32 required by task and its executor is more \
                    than available cpus:4;mem:1024";
    assert_eq!(status.message.as_deref(), Some(expected));
    assert!(cluster.master.get_executors().executors.is_empty());
}

#[test]
fn another_executor_under_the_same_id_is_an_error() {
    let (mut cluster, scheduler, node) = running();
    cluster.settle();
    let other = in_executor("u", &node, executor("e", "cpus:2;mem:100"));
    launch(&mut cluster, &scheduler, vec![other]);
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Error, Some(Reason::TaskInvalid))
    );
    assert!(status.message.unwrap().contains("not compatible"));
}

#[test]
fn what_is_no_custom_executor_is_an_error() {
    let problem = |change: fn(&mut v1::ExecutorInfo)| {
        let (mut cluster, scheduler, node) = Cluster::pair(aware());
        let mut info = executor("e", "cpus:1");
        change(&mut info);
        let task = in_executor("t", &node, info);
        launch(&mut cluster, &scheduler, vec![task]);
        cluster.update(&scheduler).message.unwrap()
    };
    let text = problem(|info| info.command = None);
    assert_eq!(text, "'ExecutorInfo.command' must be set");
    let text = problem(|info| info.r#type = Some(v1::executor_info::Type::Default.into()));
    assert_eq!(text, "'ExecutorInfo.type' must be 'CUSTOM'");
    let text = problem(|info| info.executor_id.value = "a/b".to_owned());
    assert!(text.starts_with("Executor has an invalid ID: "), "{text}");
    let text = problem(|info| {
        info.framework_id = Some(v1::FrameworkId {
            value: "other".to_owned(),
        });
    });
    assert!(text.contains("(Actual: other vs Expected: "), "{text}");
}

#[test]
fn the_end_of_an_executor_is_told_and_frees_what_it_took() {
    let (mut cluster, scheduler, node) = running();
    exited(&mut cluster, &scheduler, &node, Some(32512));
    let events = cluster.events(scheduler.connection);
    assert!(events.iter().any(|event| matches!(
        event,
        FrameworkEvent::Failure { executor_id: Some(id), status: Some(32512), .. }
            if id.as_str() == "e"
    )));
    cluster.report(&node, &scheduler.id, "t", TaskState::Failed);
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    let offered: Resources = offers.iter().map(|offer| offer.resources.clone()).sum();
    assert_eq!(offered, resources("cpus:4;mem:1024"));
}

#[test]
fn an_executor_that_never_ran_is_freed_without_a_word() {
    let (mut cluster, scheduler, node) = running();
    exited(&mut cluster, &scheduler, &node, None);
    let events = cluster.events(scheduler.connection);
    let failure = |event: &FrameworkEvent| matches!(event, FrameworkEvent::Failure { .. });
    assert!(!events.iter().any(failure));
    assert!(cluster.master.get_executors().executors.is_empty());
}

#[test]
fn shutdown_and_messages_reach_the_agent_and_words_come_back() {
    let (mut cluster, scheduler, node) = running();
    cluster.commands(node.connection);
    for wish in [ExecutorWish::Hear(b"hi".to_vec()), ExecutorWish::ShutDown] {
        let call = ExecutorCall {
            agent_id: node.id.clone(),
            executor_id: ExecutorId::new("e").unwrap(),
            wish,
        };
        cluster.call(scheduler.connection, Action::CallExecutor(call));
    }
    let commands = cluster.commands(node.connection);
    assert_eq!(names(&commands), ["tell e hi", "shut down e"]);
    cluster.apply(Event::ExecutorMessage {
        connection: node.connection,
        framework_id: scheduler.id.clone(),
        executor_id: ExecutorId::new("e").unwrap(),
        data: b"ho".to_vec(),
    });
    let events = cluster.events(scheduler.connection);
    assert!(events.iter().any(
        |event| matches!(event, FrameworkEvent::Message { data, .. } if data.as_slice() == b"ho")
    ));
}

#[test]
fn a_removed_framework_goes_when_its_last_executor_has_ended() {
    let (mut cluster, scheduler, node) = running();
    cluster.commands(node.connection);
    cluster.call(scheduler.connection, Action::Teardown);
    let commands = names(&cluster.commands(node.connection));
    let shutdown = format!("shutdown {}", scheduler.id);
    assert!(commands.contains(&shutdown), "{commands:?}");
    cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    assert!(cluster.master.frameworks.by_id.contains_key(&scheduler.id));
    exited(&mut cluster, &scheduler, &node, Some(0));
    assert!(!cluster.master.frameworks.by_id.contains_key(&scheduler.id));
}

/// The agent comes back with these executors, and the task.
fn come_back(cluster: &mut Cluster, scheduler: &Scheduler, node: &mut Node, executors: &[&str]) {
    let mut registration = able(node.info.clone());
    registration.frameworks = vec![aware().with_id(scheduler.id.clone())];
    registration.tasks = vec![known_task(&scheduler.id, "t", TaskState::Running)];
    let known = |id: &&str| KnownExecutor {
        framework_id: scheduler.id.clone(),
        executor_id: ExecutorId::new(id).unwrap(),
        info: executor(id, "cpus:1;mem:100").into(),
    };
    registration.executors = executors.iter().map(known).collect();
    node.connection = cluster.try_register(registration);
}

#[test]
fn a_new_master_learns_executors_from_their_agents() {
    let (mut cluster, scheduler, mut node) = running();
    cluster.restart();
    come_back(&mut cluster, &scheduler, &mut node, &["e"]);
    assert_eq!(cluster.master.get_executors().executors.len(), 1);
    let view = cluster.master.snapshot().get_agents().agents.remove(0);
    let allocated: Resources = view.allocated_resources.as_slice().try_into().unwrap();
    assert_eq!(allocated, resources("cpus:2;mem:100"));
}

#[test]
fn an_executor_that_its_agent_does_not_know_has_ended() {
    let (mut cluster, scheduler, mut node) = running();
    cluster.disconnect_agent(&node);
    come_back(&mut cluster, &scheduler, &mut node, &[]);
    assert!(cluster.master.get_executors().executors.is_empty());
    come_back(&mut cluster, &scheduler, &mut node, &["e", "f"]);
    assert_eq!(cluster.master.get_executors().executors.len(), 2);
}

#[test]
fn what_a_lost_agent_ran_is_lost_with_it() {
    let (mut cluster, scheduler, node) = running();
    cluster.disconnect_agent(&node);
    cluster.pass(crate::testing::seconds(76));
    assert!(cluster.master.get_executors().executors.is_empty());
    let query = TaskQuery {
        task_id: tepui_model::TaskId::new("t").unwrap(),
        agent_id: None,
    };
    cluster.call(scheduler.connection, Action::Reconcile(vec![query]));
    assert_eq!(cluster.state_of("t"), ["TASK_UNREACHABLE"]);
}
