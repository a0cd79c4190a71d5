//! Tests of the module that this one belongs to.

use tepui_model::{OfferOperation, Reason, TaskState};
use tepui_proto::v1::{self, ContainerInfo, ExecutorInfo, container_info, executor_info};

use crate::{
    AgentCommand,
    calls::Operation,
    testing::{operations::web_pair, resources, short, task_info},
};

fn executor() -> ExecutorInfo {
    ExecutorInfo {
        r#type: Some(executor_info::Type::Default.into()),
        executor_id: v1::ExecutorId {
            value: "e".to_owned(),
        },
        resources: resources("cpus:0.1;mem:32;disk:10").to_proto(None),
        ..ExecutorInfo::default()
    }
}

fn container(kind: container_info::Type) -> ContainerInfo {
    ContainerInfo {
        r#type: kind.into(),
        ..ContainerInfo::default()
    }
}

/// What a group of two tasks hears, whose executor and second task are changed so.
fn answer(change: impl FnOnce(&mut ExecutorInfo, &mut v1::TaskInfo)) -> String {
    let (mut cluster, scheduler, node) = web_pair();
    let mut executor = executor();
    let [first, mut second] = ["a", "b"].map(|name| task_info(name, &node.id, "cpus:1"));
    change(&mut executor, &mut second);
    let named = !executor.executor_id.value.is_empty();
    let group = Operation {
        id: None,
        kind: OfferOperation::LaunchGroup {
            executor: named.then(|| Box::new(executor)),
            tasks: vec![first, second],
        },
    };
    cluster.do_all(&scheduler, vec![group]);
    let updates = cluster.updates(&scheduler);
    assert_eq!(updates.len(), 2, "all hear the same");
    let invalid = (TaskState::Error, Some(Reason::TaskGroupInvalid));
    for update in &updates {
        assert_eq!(short(update), invalid);
        assert_eq!(update.message, updates[0].message);
    }
    assert!(cluster.state_of("a").is_empty());
    updates[0].message.clone().unwrap()
}

fn group(executor: ExecutorInfo, tasks: Vec<v1::TaskInfo>) -> Operation {
    Operation {
        id: None,
        kind: OfferOperation::LaunchGroup {
            executor: Some(Box::new(executor)),
            tasks,
        },
    }
}

#[test]
fn a_group_is_launched_at_once_and_its_executor_charged_once() {
    let (mut cluster, scheduler, node) = web_pair();
    let task = |name: &str| task_info(name, &node.id, "cpus:0.2");
    let first = group(executor(), vec![task("a"), task("b")]);
    let second = group(executor(), vec![task("c")]);
    cluster.do_all(&scheduler, vec![first, second]);
    let commands = cluster.commands(node.connection);
    let groups: Vec<(usize, bool)> = commands
        .iter()
        .filter_map(|command| match command {
            AgentCommand::RunGroup {
                tasks,
                launch_executor,
                ..
            } => Some((tasks.len(), *launch_executor)),
            _ => None,
        })
        .collect();
    assert_eq!(groups, [(2, true), (1, false)]);
    assert!(cluster.updates(&scheduler).is_empty());
    for name in ["a", "b", "c"] {
        assert!(!cluster.state_of(name).is_empty(), "{name}");
    }
}

#[test]
fn an_executor_of_the_same_id_is_the_same_one() {
    let (mut cluster, scheduler, node) = web_pair();
    let task = |name: &str| task_info(name, &node.id, "cpus:0.2");
    let mut other = executor();
    other.name = Some("other".to_owned());
    let groups = [
        group(executor(), vec![task("a")]),
        group(other, vec![task("b")]),
    ];
    cluster.do_all(&scheduler, groups.into());
    let updates = cluster.updates(&scheduler);
    assert_eq!(updates.len(), 1);
    let text = updates[0].message.clone().unwrap();
    assert!(text.contains("not compatible with existing"), "{text}");
}

#[test]
fn the_executor_of_a_group_is_a_default_one() {
    let command = answer(|executor, _| executor.command = Some(v1::CommandInfo::default()));
    assert!(command.contains("'ExecutorInfo.command' must not be set"));
    let docker = answer(|executor, _| {
        executor.container = Some(container(container_info::Type::Docker));
    });
    assert!(docker.contains("'ExecutorInfo.container.type' must be 'MESOS'"));
    let unknown = answer(|executor, _| executor.r#type = None);
    assert_eq!(unknown, "Unknown executor type");
    let nameless = answer(|executor, _| executor.executor_id.value.clear());
    assert_eq!(nameless, "The executor of a task group must have an ID");
}

#[test]
fn a_group_may_be_in_an_executor_of_the_framework_s_own() {
    let nothing = answer(|executor, _| executor.r#type = Some(executor_info::Type::Custom.into()));
    assert_eq!(
        nothing,
        "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
    );
    let (mut cluster, scheduler, node) = web_pair();
    let mut custom = executor();
    custom.r#type = Some(executor_info::Type::Custom.into());
    custom.command = Some(v1::CommandInfo::default());
    let [mut first, second] = ["a", "b"].map(|name| task_info(name, &node.id, "cpus:0.2"));
    // What it runs, its executor may know by its data.
    first.command = None;
    cluster.do_all(&scheduler, vec![group(custom, vec![first, second])]);
    let commands = cluster.commands(node.connection);
    let tasks = commands.iter().find_map(|command| match command {
        AgentCommand::RunGroup { tasks, .. } => Some(tasks),
        _ => None,
    });
    let tasks = tasks.unwrap();
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        assert!(task.executor.as_ref().unwrap().command.is_some());
    }
}

#[test]
fn the_executor_of_a_group_has_the_least_that_it_needs() {
    for (least, missing) in [
        ("cpus:0.009;mem:32;disk:10", "at least 0.01 cpus"),
        ("cpus:1;mem:31;disk:10", "at least 32 MB of mem"),
        ("cpus:1;mem:32", "some disk"),
    ] {
        let text = answer(|executor, _| executor.resources = resources(least).to_proto(None));
        assert!(text.contains(missing), "{text}");
    }
}

#[test]
fn one_invalid_task_makes_the_group_invalid() {
    let docker = answer(|_, task| {
        task.container = Some(container(container_info::Type::Docker));
    });
    assert_eq!(
        docker,
        "A task within the task group was invalid: Task 'b' is invalid: Docker ContainerInfo is \
         not supported on the task"
    );
    let twice = answer(|_, task| task.task_id.value = "a".to_owned());
    assert!(twice.contains("duplicate ID: a"), "{twice}");
    let nested = answer(|_, task| task.executor = Some(executor()));
    assert!(nested.contains("'TaskInfo.executor' must not be set"));
    let large = answer(|_, task| task.resources = resources("cpus:3").to_proto(None));
    assert!(large.contains("more than available"), "{large}");
}
