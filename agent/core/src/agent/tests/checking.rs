//! Checks and health checks: when they are asked, what is told, when a task is killed.

use tepui_model::{Reason, TaskInfo, TaskState, TaskStatus};
use tepui_proto::v1::{self, CheckInfo, HealthCheck, check_info, health_check};

use super::{framework, modern, node::Node, wire_task};
use crate::{Exit, Finding, ProbeOrder, limits::DEFAULT_KILL_GRACE};

fn health(port: u32) -> HealthCheck {
    HealthCheck {
        r#type: Some(health_check::Type::Tcp.into()),
        tcp: Some(health_check::TcpCheckInfo {
            port,
            protocol: None,
        }),
        delay_seconds: Some(5.0),
        interval_seconds: Some(10.0),
        grace_period_seconds: Some(20.0),
        consecutive_failures: Some(2),
        ..HealthCheck::default()
    }
}

/// A node on which a task with checks runs, which its framework has heard of.
fn running(change: impl FnOnce(&mut v1::TaskInfo)) -> Node {
    let mut wire = wire_task("t");
    change(&mut wire);
    let mut node = Node::registered();
    node.run_for(modern("f"), TaskInfo::try_from(wire).unwrap());
    node.start();
    assert_eq!(node.acknowledge_next(), TaskState::Running);
    node
}

/// Lets time pass until the next check is asked for, `seconds` later.
fn asked(node: &mut Node, seconds: u64) -> ProbeOrder {
    node.probes.clear();
    node.pass(seconds - 1);
    assert_eq!(node.probes, [], "too early");
    node.pass(1);
    assert_eq!(node.probes.len(), 1);
    node.probes.remove(0)
}

/// The one update that was sent, acknowledged.
fn told(node: &mut Node) -> TaskStatus {
    let update = node.update();
    node.acknowledge("t", update.uuid);
    update
}

#[test]
fn a_health_check_is_asked_in_time_and_told_when_it_is_new() {
    let mut node = running(|task| task.health_check = Some(health(80)));
    let order = asked(&mut node, 5);
    assert_eq!((order.check, order.number), (0, 1));
    node.found(&order, Finding::Tcp(true));
    let update = told(&mut node);
    assert_eq!(
        (update.state, update.healthy),
        (TaskState::Running, Some(true))
    );
    assert_eq!(update.reason, Some(Reason::TaskHealthCheckStatusUpdated));
    assert!(update.passengers.check_status.is_none());
    let order = asked(&mut node, 10);
    node.found(&order, Finding::Tcp(true));
    assert_eq!(node.states(), [], "nothing new");
}

#[test]
fn an_unhealthy_task_is_told_each_time_and_killed_in_the_end() {
    let mut node = running(|task| task.health_check = Some(health(80)));
    let container = node.launched[0].clone();
    for (pause, healthy) in [(5, None), (10, None), (10, Some(false))] {
        let order = asked(&mut node, pause);
        node.found(&order, Finding::Tcp(false));
        match healthy {
            None => assert_eq!(node.states(), [], "within the grace period"),
            Some(_) => assert_eq!(told(&mut node).healthy, healthy),
        }
    }
    let order = asked(&mut node, 10);
    node.found(&order, Finding::Tcp(false));
    let last = told(&mut node);
    assert_eq!(last.healthy, Some(false));
    let text = "Health check failed: the port takes no connections";
    assert_eq!(last.message.as_deref(), Some(text));
    assert_eq!(told(&mut node).state, TaskState::Killing);
    assert_eq!(node.signals, [("TERM", container.clone())]);
    node.probes.clear();
    node.pass(DEFAULT_KILL_GRACE.as_secs());
    assert_eq!(node.signals[1], ("KILL", container.clone()));
    assert_eq!(node.probes, [], "who is being killed is not asked");
    node.exit(&container, Exit::code(0));
    let end = node.update();
    assert_eq!((end.state, end.healthy), (TaskState::Killed, Some(false)));
    assert_eq!(end.reason, Some(Reason::TaskHealthCheckStatusUpdated));
    let message = end.message.unwrap();
    assert!(
        message.ends_with("killed as unhealthy: the port takes no connections"),
        "{message}"
    );
}

#[test]
fn a_check_that_takes_long_is_not_asked_again_and_a_late_answer_changes_nothing() {
    let mut node = running(|task| task.health_check = Some(health(80)));
    let container = node.launched[0].clone();
    let order = asked(&mut node, 5);
    node.pass(60);
    assert_eq!(node.probes, [], "one at a time");
    node.kill("t", None);
    node.found(&order, Finding::Tcp(true));
    assert_eq!(node.acknowledge_next(), TaskState::Killing);
    node.exit(&container, Exit::signal(15));
    node.found(&order, Finding::Tcp(true));
    let end = node.update();
    assert_eq!((end.state, end.healthy), (TaskState::Killed, None));
}

#[test]
fn a_plain_check_is_told_with_every_update_and_when_it_changes() {
    let mut wire = wire_task("t");
    wire.check = Some(CheckInfo {
        r#type: Some(check_info::Type::Http.into()),
        http: Some(check_info::Http {
            port: 80,
            path: None,
        }),
        ..CheckInfo::default()
    });
    let mut node = Node::registered();
    node.run_for(framework("f"), TaskInfo::try_from(wire).unwrap());
    node.start();
    let update = told(&mut node);
    let status = update.passengers.check_status.unwrap();
    assert_eq!(status.http, Some(v1::check_status_info::Http::default()));
    let mut pause = 15;
    for (finding, code) in [
        (Finding::Http(503), Some(Some(503))),
        (Finding::Http(503), None),
        (Finding::Http(200), Some(Some(200))),
        (Finding::TimedOut, Some(None)),
    ] {
        let order = asked(&mut node, pause);
        pause = 10;
        node.found(&order, finding);
        match code {
            None => assert_eq!(node.states(), []),
            Some(status_code) => {
                let update = told(&mut node);
                assert_eq!(update.reason, Some(Reason::TaskCheckStatusUpdated));
                assert_eq!(update.healthy, None, "it is not interpreted");
                let http = update.passengers.check_status.unwrap().http.unwrap();
                assert_eq!(http.status_code, status_code);
            }
        }
    }
}

#[test]
fn of_several_health_checks_all_must_be_well() {
    let mut node = running(|task| {
        task.health_check = Some(health(80));
        task.tepui_health_checks = vec![health(81)];
    });
    node.pass(5);
    let [first, second] = node.probes.clone().try_into().unwrap();
    node.found(&first, Finding::Tcp(true));
    assert_eq!(node.states(), [], "the other did not say");
    node.found(&second, Finding::Tcp(true));
    assert_eq!(told(&mut node).healthy, Some(true));
    node.probes.clear();
    node.pass(10);
    let [first, second] = node.probes.clone().try_into().unwrap();
    node.found(&first, Finding::Tcp(false));
    assert_eq!(told(&mut node).healthy, Some(false));
    node.found(&second, Finding::Tcp(true));
    assert_eq!(node.states(), [], "still not well");
    node.probes.clear();
    node.pass(10);
    let first = node.probes[0].clone();
    node.found(&first, Finding::Tcp(true));
    assert_eq!(told(&mut node).healthy, Some(true));
}

#[test]
fn a_later_agent_goes_on_checking_and_counting() {
    let mut node = running(|task| task.health_check = Some(health(80)));
    let order = asked(&mut node, 5);
    node.found(&order, Finding::Tcp(true));
    told(&mut node);
    let order = asked(&mut node, 10);
    node.found(&order, Finding::Tcp(false));
    told(&mut node);
    node.flush();
    node.probes.clear();
    node.restart();
    node.connect();
    node.register();
    let order = node.probes.remove(0);
    assert_eq!(order.number, 1, "asked at once");
    node.found(&order, Finding::Tcp(false));
    assert_eq!(told(&mut node).healthy, Some(false));
    assert_eq!(
        told(&mut node).state,
        TaskState::Killing,
        "the second in a row"
    );
}

#[test]
fn while_nobody_listens_only_the_newest_finding_waits() {
    let mut node = running(|task| task.health_check = Some(health(80)));
    let link = node.link;
    node.apply(crate::Event::LinkDown { link });
    let mut pause = 5;
    for well in [true, false, true] {
        let order = asked(&mut node, pause);
        pause = 10;
        node.found(&order, Finding::Tcp(well));
    }
    node.connect();
    node.register();
    let update = told(&mut node);
    assert_eq!(update.healthy, Some(true));
    assert_eq!(node.states(), [], "what was so in between is not told");
}
