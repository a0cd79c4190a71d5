//! Tests of the module that this one belongs to.

use core::time::Duration;

use tepui_model::{Filters, OfferId, TaskState};
use tepui_proto::v1::{
    self,
    allocator::inverse_offer_status::Status,
    maintenance::{ClusterStatus, Schedule, Window},
    master::{Call, call, response},
};

use crate::{
    Action, AgentCommand, Answer, FrameworkEvent, InverseOffer, OperatorReply, Registration,
    calls::InverseAnswer,
    testing::{Cluster, Node, Scheduler, agent_info, aware, seconds},
};

fn machine(hostname: &str, ip: &str) -> v1::MachineId {
    let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    v1::MachineId {
        hostname: set(hostname),
        ip: set(ip),
    }
}

fn window(machines: &[v1::MachineId], start: i64, duration: Option<i64>) -> Window {
    let nanos = |seconds: i64| seconds * 1_000_000_000;
    Window {
        machine_ids: machines.to_vec(),
        unavailability: v1::Unavailability {
            start: v1::TimeInfo {
                nanoseconds: nanos(start),
            },
            duration: duration.map(|seconds| v1::DurationInfo {
                nanoseconds: nanos(seconds),
            }),
        },
    }
}

fn post(cluster: &mut Cluster, windows: Vec<Window>) -> Result<(), String> {
    let schedule = Schedule { windows };
    let call = Call {
        r#type: Some(call::Type::UpdateMaintenanceSchedule.into()),
        update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule { schedule }),
        ..Call::default()
    };
    let answer = cluster.v1(call);
    answer.map(drop).map_err(|error| error.to_string())
}

fn start(cluster: &mut Cluster, machines: &[v1::MachineId]) -> Result<(), String> {
    let machines = machines.to_vec();
    let call = Call {
        r#type: Some(call::Type::StartMaintenance.into()),
        start_maintenance: Some(call::StartMaintenance { machines }),
        ..Call::default()
    };
    let answer = cluster.v1(call);
    answer.map(drop).map_err(|error| error.to_string())
}

fn stop(cluster: &mut Cluster, machines: &[v1::MachineId]) -> Result<(), String> {
    let machines = machines.to_vec();
    let call = Call {
        r#type: Some(call::Type::StopMaintenance.into()),
        stop_maintenance: Some(call::StopMaintenance { machines }),
        ..Call::default()
    };
    let answer = cluster.v1(call);
    answer.map(drop).map_err(|error| error.to_string())
}

fn ask(cluster: &mut Cluster, kind: call::Type) -> v1::master::Response {
    let call = Call {
        r#type: Some(kind.into()),
        ..Call::default()
    };
    match cluster.v1(call) {
        Ok(OperatorReply::V1(response)) => *response,
        other => panic!("{other:?}"),
    }
}

fn schedule(cluster: &mut Cluster) -> Vec<Window> {
    let found = ask(cluster, call::Type::GetMaintenanceSchedule);
    let Some(response::GetMaintenanceSchedule { schedule }) = found.get_maintenance_schedule else {
        panic!("{found:?}");
    };
    schedule.windows
}

fn status(cluster: &mut Cluster) -> ClusterStatus {
    let found = ask(cluster, call::Type::GetMaintenanceStatus);
    found.get_maintenance_status.unwrap().status
}

fn answers(cluster: &mut Cluster) -> Vec<Status> {
    let machines = status(cluster).draining_machines;
    let statuses = machines.iter().flat_map(|machine| &machine.statuses);
    statuses.map(|status| status.status()).collect()
}

/// One framework with a task on machine `one`, which is in the schedule.
fn asked() -> (Cluster, Scheduler, Node) {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.settle();
    cluster.events(scheduler.connection);
    post(
        &mut cluster,
        vec![window(&[machine("ONE", "")], 5000, Some(60))],
    )
    .unwrap();
    (cluster, scheduler, node)
}

/// The inverse offers that a framework heard of, and those that were taken back.
fn inverse(cluster: &mut Cluster, scheduler: &Scheduler) -> (Vec<InverseOffer>, Vec<OfferId>) {
    let (mut offers, mut rescinded) = (Vec::new(), Vec::new());
    for event in cluster.events(scheduler.connection) {
        match event {
            FrameworkEvent::InverseOffers(more) => offers.extend(more),
            FrameworkEvent::RescindInverseOffer(id) => rescinded.push(id),
            _ => {}
        }
    }
    (offers, rescinded)
}

fn answer(cluster: &mut Cluster, scheduler: &Scheduler, id: &OfferId, answer: Answer) {
    let said = InverseAnswer {
        offers: vec![id.clone()],
        answer,
        filters: Filters::DEFAULT,
    };
    cluster.call(scheduler.connection, Action::AnswerInverseOffers(said));
}

#[test]
fn a_schedule_is_kept_as_it_was_posted_and_outlives_the_master() {
    let mut cluster = Cluster::new();
    let windows = vec![
        window(&[machine("a", ""), machine("b", "10.0.0.1")], 10, Some(60)),
        window(&[machine("", "10.0.0.2")], 20, None),
    ];
    post(&mut cluster, windows.clone()).unwrap();
    assert_eq!(schedule(&mut cluster), windows);
    start(&mut cluster, &[machine("A", "")]).unwrap();
    cluster.restart();
    assert_eq!(schedule(&mut cluster), windows);
    let status = status(&mut cluster);
    assert_eq!(status.down_machines, [machine("a", "")]);
    assert_eq!(status.draining_machines.len(), 2);
    stop(&mut cluster, &[machine("a", "")]).unwrap();
    assert_eq!(
        schedule(&mut cluster)[0].machine_ids,
        [machine("b", "10.0.0.1")]
    );
    post(&mut cluster, Vec::new()).unwrap();
    assert!(cluster.registry.is_empty());
}

#[test]
fn a_schedule_that_is_wrong_changes_nothing() {
    let mut cluster = Cluster::new();
    let good = vec![window(&[machine("a", ""), machine("b", "")], 10, Some(60))];
    post(&mut cluster, good.clone()).unwrap();
    start(&mut cluster, &[machine("b", "")]).unwrap();
    let before = cluster.registry.clone();
    for (windows, problem) in [
        (
            vec![window(&[], 1, None)],
            "List of machines in the maintenance window is empty",
        ),
        (
            vec![window(&[machine("a", "")], 1, Some(-1))],
            "Unavailability 'duration' is negative",
        ),
        (
            vec![window(&[machine("", "")], 1, None)],
            "Both 'hostname' and 'ip' for a machine are empty",
        ),
        (
            vec![window(&[machine("a", "10.0.0")], 1, None)],
            "'10.0.0' is not an IP address",
        ),
        (
            vec![
                window(&[machine("b", ""), machine("a", "")], 1, None),
                window(&[machine("A", "")], 2, None),
            ],
            "Machine 'a' appears more than once in the schedule",
        ),
        (
            vec![window(&[machine("a", "")], 1, None)],
            "Machine 'b' is deactivated and cannot be removed from the schedule",
        ),
    ] {
        assert_eq!(post(&mut cluster, windows).unwrap_err(), problem);
    }
    for (machines, problem) in [
        (vec![], "List of machines is empty"),
        (
            vec![machine("c", "")],
            "Machine 'c' is not part of a maintenance schedule",
        ),
        (
            vec![machine("a", ""), machine("a", "")],
            "Machine 'a' appears more than once in the schedule",
        ),
        (
            vec![machine("a", ""), machine("b", "")],
            "Machine 'b' is not in DRAINING mode and cannot be brought down",
        ),
    ] {
        assert_eq!(start(&mut cluster, &machines).unwrap_err(), problem);
    }
    assert_eq!(
        stop(&mut cluster, &[machine("b", ""), machine("a", "")]).unwrap_err(),
        "Machine 'a' is not in DOWN mode and cannot be brought up"
    );
    assert_eq!(cluster.registry, before);
    assert_eq!(schedule(&mut cluster), good);
}

#[test]
fn a_schedule_takes_offers_back_and_the_next_ones_say_when() {
    let (mut cluster, scheduler, _) = asked();
    let events = cluster.events(scheduler.connection);
    assert!(
        matches!(events[..], [FrameworkEvent::Rescind(_)]),
        "{events:?}"
    );
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    let away = offer.unavailability.unwrap();
    assert_eq!(away.start.as_seconds(), 5000.0);
    assert_eq!(away.duration, Some(seconds(60)));
    post(&mut cluster, Vec::new()).unwrap();
    cluster.settle();
    assert_eq!(cluster.offer(&scheduler).unavailability, None);
}

#[test]
fn each_framework_that_has_something_there_is_asked_once() {
    let (mut cluster, scheduler, node) = asked();
    let bystander = cluster.subscribe(aware());
    cluster.settle();
    let (offers, _) = inverse(&mut cluster, &scheduler);
    let [offer] = &offers[..] else {
        panic!("{offers:?}")
    };
    assert_eq!(
        (&offer.framework_id, &offer.agent_id),
        (&scheduler.id, &node.id)
    );
    let wire = v1::InverseOffer::from(offer);
    assert!(wire.resources.is_empty());
    cluster.pass(seconds(3));
    assert!(inverse(&mut cluster, &scheduler).0.is_empty());
    assert_eq!(answers(&mut cluster)[0], Status::Unknown);
    let views = cluster.snapshot().get_frameworks().frameworks;
    assert_eq!(views[0].inverse_offers, [wire]);
    let asked_too = inverse(&mut cluster, &bystander).0.len();
    assert_eq!(
        asked_too,
        views[1].offers.len(),
        "it is asked if it is offered anything there"
    );
}

#[test]
fn an_answer_is_kept_and_the_framework_is_asked_again_after_its_filter() {
    let (mut cluster, scheduler, _) = asked();
    cluster.settle();
    let (offers, _) = inverse(&mut cluster, &scheduler);
    answer(&mut cluster, &scheduler, &offers[0].id, Answer::Accepted);
    assert_eq!(answers(&mut cluster), [Status::Accept]);
    cluster.pass(Duration::from_millis(4900));
    assert!(inverse(&mut cluster, &scheduler).0.is_empty());
    cluster.pass(Duration::from_millis(200));
    let (again, _) = inverse(&mut cluster, &scheduler);
    answer(&mut cluster, &scheduler, &again[0].id, Answer::Declined);
    assert_eq!(answers(&mut cluster), [Status::Decline]);
    answer(&mut cluster, &scheduler, &again[0].id, Answer::Accepted);
    assert_eq!(
        answers(&mut cluster),
        [Status::Decline],
        "it stands no longer"
    );
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
}

#[test]
fn another_window_takes_inverse_offers_back_and_forgets_answers() {
    let (mut cluster, scheduler, _) = asked();
    cluster.settle();
    let (offers, _) = inverse(&mut cluster, &scheduler);
    let same = vec![window(&[machine("one", "")], 5000, Some(60))];
    post(&mut cluster, same).unwrap();
    assert_eq!(inverse(&mut cluster, &scheduler).1, []);
    post(
        &mut cluster,
        vec![window(&[machine("one", "")], 9000, None)],
    )
    .unwrap();
    assert_eq!(inverse(&mut cluster, &scheduler).1, [offers[0].id.clone()]);
    assert!(answers(&mut cluster).is_empty());
    cluster.settle();
    let (offers, _) = inverse(&mut cluster, &scheduler);
    assert_eq!(offers[0].unavailability.start.as_seconds(), 9000.0);
}

#[test]
fn a_framework_that_comes_back_is_asked_anew() {
    let (mut cluster, scheduler, _) = asked();
    cluster.settle();
    let (before, _) = inverse(&mut cluster, &scheduler);
    cluster.disconnect_framework(&scheduler);
    cluster.pass(seconds(1));
    let again = cluster.subscribe(aware().with_id(scheduler.id.clone()));
    cluster.settle();
    let (after, _) = inverse(&mut cluster, &again);
    assert_ne!(before[0].id, after[0].id);
    answer(&mut cluster, &again, &before[0].id, Answer::Accepted);
    assert_eq!(answers(&mut cluster), [Status::Unknown]);
}

#[test]
fn agents_of_a_machine_that_goes_down_end_and_are_not_taken_in_until_it_is_up() {
    let (mut cluster, scheduler, node) = asked();
    start(&mut cluster, &[machine("one", "")]).unwrap();
    let commands = cluster.commands(node.connection);
    let Some(AgentCommand::Refused {
        shut_down: true, ..
    }) = commands.last()
    else {
        panic!("{commands:?}");
    };
    assert!(cluster.cut_agents.contains(&node.connection));
    let updates = cluster.updates(&scheduler);
    assert_eq!(updates[0].state, TaskState::Gone);
    cluster.restart();
    let refused = |cluster: &mut Cluster, registration| {
        let connection = cluster.try_register(registration);
        let commands = cluster.commands(connection);
        matches!(
            commands[..],
            [AgentCommand::Refused {
                shut_down: true,
                ..
            }]
        )
    };
    assert!(refused(&mut cluster, Registration::new(node.info.clone())));
    let anew = Registration::new(agent_info("one", "cpus:1"));
    assert!(refused(&mut cluster, anew.clone()));
    stop(&mut cluster, &[machine("one", "")]).unwrap();
    assert!(!refused(&mut cluster, anew));
}

#[test]
fn a_machine_is_known_by_the_address_of_its_agents_too() {
    let mut cluster = Cluster::new();
    post(
        &mut cluster,
        vec![window(&[machine("", "10.0.0.7")], 1, None)],
    )
    .unwrap();
    start(&mut cluster, &[machine("", "10.0.0.7")]).unwrap();
    let at = |ip: &str| Registration {
        ip: Some(ip.to_owned()),
        ..Registration::new(agent_info("one", "cpus:1"))
    };
    let there = cluster.try_register(at("10.0.0.7"));
    assert!(cluster.cut_agents.contains(&there));
    let elsewhere = cluster.try_register(at("10.0.0.8"));
    assert!(!cluster.cut_agents.contains(&elsewhere));
}

#[test]
fn an_agent_of_a_machine_in_the_schedule_cannot_be_drained_too() {
    let (mut cluster, _, node) = asked();
    let call = Call {
        r#type: Some(call::Type::DrainAgent.into()),
        drain_agent: Some(call::DrainAgent {
            agent_id: (&node.id).into(),
            max_grace_period: None,
            mark_gone: None,
        }),
        ..Call::default()
    };
    assert!(cluster.v1(call).is_err());
}
