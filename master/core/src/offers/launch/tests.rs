//! Tests of the module that this one belongs to.

use tepui_model::{Reason, TaskState};
use tepui_proto::v1;

use crate::{
    FrameworkEvent,
    testing::{Cluster, Node, Scheduler, aware, names, of_roles, resources, short, task_info},
};

/// What TASK_ERROR says of a task that breaks a rule.
fn error_of(
    info: tepui_model::FrameworkInfo,
    change: impl FnOnce(&mut v1::TaskInfo, &Node),
) -> String {
    let (mut cluster, scheduler, node) = Cluster::pair(info);
    let offer = cluster.offer(&scheduler);
    let mut task = task_info("t", &node.id, "cpus:1;mem:32");
    change(&mut task, &node);
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Error, Some(Reason::TaskInvalid))
    );
    assert_eq!(
        names(&cluster.commands(node.connection)),
        Vec::<String>::new()
    );
    cluster.settle();
    let again = cluster.offer(&scheduler);
    assert_eq!(
        again.resources,
        resources("cpus:4;mem:1024"),
        "nothing is lost"
    );
    status.message.unwrap()
}

#[test]
fn more_resources_than_offered_are_an_error() {
    let problem = error_of(aware(), |task, _| {
        task.resources = resources("cpus:5").to_proto(None);
    });
    let expected = "Total resources cpus:5 required by task and its executor is more than \
                    available cpus:4;mem:1024";
    assert_eq!(problem, expected);
}

#[test]
fn what_one_task_takes_the_next_cannot_have() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let tasks = ["a", "b", "c"].map(|id| task_info(id, &node.id, "cpus:1.5"));
    cluster.accept(&scheduler, &[&offer.id], tasks.into());
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["run a", "run b"]
    );
    let status = cluster.update(&scheduler);
    assert_eq!(status.task_id.as_str(), "c");
    assert_eq!(status.state, TaskState::Error);
}

#[test]
fn a_task_for_another_agent_is_an_error() {
    let problem = error_of(aware(), |task, _| task.agent_id.value = "other".to_owned());
    assert_eq!(
        problem,
        "Task uses invalid agent other while agent m-S0 is expected"
    );
}

#[test]
fn a_task_without_resources_is_an_error() {
    assert_eq!(
        error_of(aware(), |task, _| task.resources.clear()),
        "Task uses no resources"
    );
}

#[test]
fn a_task_without_command_is_an_error() {
    let problem = error_of(aware(), |task, _| task.command = None);
    let expected =
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
    assert_eq!(problem, expected);
}

#[test]
fn a_task_with_malformed_resources_is_an_error() {
    let problem = error_of(aware(), |task, _| {
        task.resources[0].scalar = Some(v1::value::Scalar { value: f64::NAN });
    });
    assert!(!problem.is_empty());
}

#[test]
fn a_task_allocated_to_another_role_than_the_offer_is_an_error() {
    let problem = error_of(of_roles(&["web"]), |task, _| {
        let role = crate::testing::role("db");
        task.resources = resources("cpus:1").to_proto(Some(&role));
    });
    let expected = "Task's resources are allocated to role 'db' but the offer is for role 'web'";
    assert_eq!(problem, expected);
}

#[test]
fn a_task_whose_id_is_none_is_an_error_under_the_name_it_came_with() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.accept(
        &scheduler,
        &[&offer.id],
        vec![task_info("a/b", &node.id, "cpus:1")],
    );
    let events = cluster.events(scheduler.connection);
    let FrameworkEvent::InvalidTask {
        task_id, message, ..
    } = &events[0]
    else {
        panic!("{events:?}");
    };
    assert_eq!(task_id, "a/b");
    assert!(
        message.contains("'a/b' contains invalid characters"),
        "{message}"
    );
}

fn launch_twice(cluster: &mut Cluster, scheduler: &Scheduler, node: &Node) -> String {
    cluster.settle();
    let offer = cluster.offer(scheduler);
    cluster.accept(
        scheduler,
        &[&offer.id],
        vec![task_info("t", &node.id, "cpus:1")],
    );
    let status = cluster.update(scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Error, Some(Reason::TaskInvalid))
    );
    status.message.unwrap()
}

#[test]
fn the_id_of_a_running_task_cannot_be_used_again() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    let problem = launch_twice(&mut cluster, &scheduler, &node);
    assert_eq!(problem, "Task has duplicate ID: t");
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn the_id_of_an_ended_task_cannot_be_used_before_its_end_is_acknowledged() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    let problem = launch_twice(&mut cluster, &scheduler, &node);
    assert_eq!(problem, "Task has duplicate ID: t");
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    cluster.launch(&scheduler, "t", "cpus:1");
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING", "TASK_FINISHED"]);
}

#[test]
fn the_id_of_an_unreachable_task_cannot_be_used_again() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.disconnect_agent(&node);
    cluster.pass(crate::testing::seconds(76));
    let other = cluster.register("two", "cpus:1;mem:32");
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    cluster.accept(
        &scheduler,
        &[&offer.id],
        vec![task_info("t", &other.id, "cpus:1")],
    );
    let status = cluster.update(&scheduler);
    let message = status.message.unwrap();
    assert_eq!(message, "Task reuses the ID of an unreachable task: t");
}

#[test]
fn a_framework_has_a_bounded_number_of_tasks() {
    let mut config = crate::testing::config();
    config.limits.tasks_per_framework = 2;
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(aware());
    let node = cluster.register("one", "cpus:4;mem:1024");
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    let tasks = ["a", "b", "c"].map(|id| task_info(id, &node.id, "cpus:1"));
    cluster.accept(&scheduler, &[&offer.id], tasks.into());
    let message = cluster.update(&scheduler).message.unwrap();
    assert_eq!(message, "The framework has 2 tasks already");
}

#[test]
fn long_texts_of_others_are_not_repeated_whole() {
    let problem = error_of(aware(), |task, _| {
        let ports: Vec<String> = (0..2000).map(|port| format!("{0}-{0}", 2 * port)).collect();
        let text = format!("ports:[{}]", ports.join(","));
        task.resources = resources(&text).to_proto(None);
    });
    assert!(problem.len() < 1500, "{} bytes", problem.len());
    assert!(problem.contains("..."));
}
