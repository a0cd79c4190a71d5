//! Tests of the module that this one belongs to.

use tepui_model::{AgentId, Reason, TaskId, TaskState, TaskStatus};

use crate::{
    Action,
    calls::TaskQuery,
    testing::{Cluster, Node, Scheduler, aware, seconds, short, unaware},
};

fn query(cluster: &mut Cluster, scheduler: &Scheduler, task: &str, agent: Option<&AgentId>) {
    cluster.events(scheduler.connection);
    let query = TaskQuery {
        task_id: TaskId::new(task).unwrap(),
        agent_id: agent.cloned(),
    };
    cluster.call(scheduler.connection, Action::Reconcile(vec![query]));
}

fn ask(
    cluster: &mut Cluster,
    scheduler: &Scheduler,
    task: &str,
    agent: Option<&AgentId>,
) -> TaskStatus {
    query(cluster, scheduler, task, agent);
    let status = cluster.update(scheduler);
    assert_eq!(status.reason, Some(Reason::Reconciliation));
    assert_eq!(status.uuid, None);
    status
}

fn running(info: tepui_model::FrameworkInfo) -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(info);
    cluster.launch(&scheduler, "t", "cpus:1");
    let mut status = TaskStatus::new(TaskId::new("t").unwrap(), TaskState::Running);
    status.healthy = Some(true);
    status.data = Some(vec![1]);
    cluster.apply(crate::Event::AgentUpdate {
        connection: node.connection,
        framework_id: scheduler.id.clone(),
        status: Box::new(status),
        latest_state: TaskState::Running,
    });
    (cluster, scheduler, node)
}

#[test]
fn an_empty_list_asks_for_every_task() {
    let (mut cluster, scheduler, _) = running(aware());
    cluster.settle();
    cluster.launch(&scheduler, "u", "cpus:1");
    cluster.events(scheduler.connection);
    cluster.call(scheduler.connection, Action::Reconcile(Vec::new()));
    let told: Vec<_> = cluster.updates(&scheduler).iter().map(short).collect();
    let because = Some(Reason::Reconciliation);
    assert_eq!(
        told,
        [(TaskState::Running, because), (TaskState::Staging, because)]
    );
}

#[test]
fn an_empty_list_asks_for_tasks_out_of_reach_too() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.events(scheduler.connection);
    cluster.call(scheduler.connection, Action::Reconcile(Vec::new()));
    assert_eq!(cluster.update(&scheduler).state, TaskState::Unreachable);
}

#[test]
fn a_known_task_is_told_with_its_health_and_without_its_data() {
    let (mut cluster, scheduler, node) = running(aware());
    let status = ask(&mut cluster, &scheduler, "t", None);
    assert_eq!(
        (status.state, status.healthy),
        (TaskState::Running, Some(true))
    );
    assert_eq!((status.data, status.agent_id), (None, Some(node.id)));
}

#[test]
fn reconciliation_is_never_ahead_of_the_updates_under_way() {
    let (mut cluster, scheduler, node) = running(aware());
    let uuid = tepui_model::StatusUuid::from_bytes([7; 16]);
    let told = ("t", TaskState::Killing, uuid);
    cluster.report_again(&node, &scheduler.id, told, TaskState::Killed);
    assert_eq!(cluster.state_of("t"), ["TASK_KILLED"]);
    assert_eq!(
        ask(&mut cluster, &scheduler, "t", None).state,
        TaskState::Killing
    );
}

#[test]
fn nothing_is_said_while_the_agent_may_still_bring_the_task() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.restart();
    let again = cluster.subscribe(aware().with_id(scheduler.id));
    for agent in [Some(&node.id), None] {
        query(&mut cluster, &again, "t", agent);
        assert_eq!(cluster.updates(&again).len(), 0);
    }
    let other = AgentId::new("other").unwrap();
    let status = ask(&mut cluster, &again, "t", Some(&other));
    assert_eq!(
        status.state,
        TaskState::Unknown,
        "that agent is not on its way"
    );
}

/// What is said of a task that nobody knows, by where its agent is.
fn fates(aware: bool) -> Vec<TaskState> {
    let info = || {
        if aware {
            crate::testing::aware()
        } else {
            unaware()
        }
    };
    let (mut cluster, scheduler, here) = Cluster::pair(info());
    let lost = cluster.register("lost", "cpus:1;mem:32");
    let gone = cluster.register("gone", "cpus:1;mem:32");
    cluster.apply(crate::Event::AgentUnregister {
        connection: gone.connection,
    });
    cluster.disconnect_agent(&lost);
    cluster.pass(seconds(76));
    let nowhere = AgentId::new("nowhere").unwrap();
    let agents = [
        Some(&here.id),
        Some(&lost.id),
        Some(&gone.id),
        Some(&nowhere),
        None,
    ];
    agents
        .map(|agent| ask(&mut cluster, &scheduler, "x", agent).state)
        .into()
}

#[test]
fn of_an_unknown_task_the_agents_fate_is_told() {
    let expected = [
        TaskState::Gone,
        TaskState::Unreachable,
        TaskState::GoneByOperator,
        TaskState::Unknown,
        TaskState::Unknown,
    ];
    assert_eq!(fates(true), expected);
}

#[test]
fn a_framework_that_is_not_partition_aware_hears_lost_for_all_of_them() {
    assert_eq!(fates(false), [TaskState::Lost; 5]);
}

#[test]
fn an_unreachable_task_is_told_with_the_time_even_without_its_agent() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    let status = ask(&mut cluster, &scheduler, "t", None);
    assert_eq!(status.state, TaskState::Unreachable);
    assert_eq!(status.agent_id, Some(node.id));
    assert!(status.unreachable_time.is_some());
}

#[test]
fn after_a_restart_an_unreachable_agents_tasks_are_unreachable() {
    let (mut cluster, scheduler, node) = running(aware());
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(76));
    cluster.restart();
    let again = cluster.subscribe(aware().with_id(scheduler.id));
    let status = ask(&mut cluster, &again, "t", Some(&node.id));
    assert_eq!(status.state, TaskState::Unreachable);
}

#[test]
fn a_frameworks_tasks_are_its_own() {
    let (mut cluster, _, node) = running(aware());
    let other = cluster.subscribe(aware());
    let status = ask(&mut cluster, &other, "t", Some(&node.id));
    assert_eq!(status.state, TaskState::Gone);
}
