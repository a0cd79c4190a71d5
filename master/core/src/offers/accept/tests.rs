//! Tests of the module that this one belongs to.

use tepui_model::{OfferId, OfferOperation, OperationId, Reason, ResourceOperation, TaskState};

use crate::{
    FrameworkEvent, Notice, OfferEnd, OperationState,
    calls::Operation,
    testing::{
        Cluster, Scheduler, aware, names, of_roles, resources, seconds, short, task_info, unaware,
    },
};

const DROPPED: (TaskState, Option<Reason>) = (TaskState::Dropped, Some(Reason::InvalidOffers));

/// The one refusal that an ACCEPT of these offers gets.
fn refusal(cluster: &mut Cluster, scheduler: &Scheduler, offers: &[&OfferId]) -> String {
    let agent = tepui_model::AgentId::new("any").unwrap();
    cluster.events(scheduler.connection);
    cluster.accept(
        scheduler,
        offers,
        vec![task_info("refused", &agent, "cpus:1")],
    );
    let status = cluster.update(scheduler);
    assert_eq!(short(&status), DROPPED);
    let message = status.message.unwrap();
    message
        .strip_prefix("Task launched with invalid offers: ")
        .unwrap()
        .to_owned()
}

#[test]
fn an_accepted_offer_runs_its_task_and_the_rest_is_offered_again() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources, resources("cpus:4;mem:1024"));
    let task = task_info("t", &node.id, "cpus:1;mem:128");
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    assert_eq!(names(&cluster.commands(node.connection)), ["run t"]);
    cluster.settle();
    assert_eq!(
        cluster.offer(&scheduler).resources,
        resources("cpus:3;mem:896")
    );
}

#[test]
fn a_launched_task_tells_its_agent_the_role_it_is_charged_to() {
    let (mut cluster, scheduler, node) = Cluster::pair(of_roles(&["web"]));
    cluster.launch(&scheduler, "t", "cpus:1");
    let commands = cluster.commands(node.connection);
    let Some(crate::AgentCommand::RunTask {
        task, framework, ..
    }) = commands.first()
    else {
        panic!("{commands:?}");
    };
    let role = task.resources[0].allocation_info.as_ref().unwrap().role();
    assert_eq!(role, "web");
    assert_eq!(framework.id.as_ref().unwrap().value, scheduler.id.as_str());
}

#[test]
fn several_offers_of_one_agent_are_used_together() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.launch(&scheduler, "t", "cpus:3");
    cluster.settle();
    let first = cluster.offer(&scheduler);
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    let second = cluster.offer(&scheduler);
    assert_eq!(second.resources, resources("cpus:3"));
    let whole = task_info("whole", &node.id, "cpus:4;mem:1024");
    cluster.accept(&scheduler, &[&first.id, &second.id], vec![whole]);
    assert_eq!(cluster.state_of("whole"), ["TASK_STAGING"]);
}

#[test]
fn an_accept_without_operations_is_a_decline() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.notices.clear();
    cluster.accept_with(&scheduler, &[&offer.id], Vec::new());
    let ends: Vec<_> = cluster.notices.iter().collect();
    let declined = matches!(
        ends[..],
        [Notice::OfferRemoved {
            end: OfferEnd::Declined,
            ..
        }]
    );
    assert!(declined, "{ends:?}");
}

#[test]
fn no_offers_are_told_as_such() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    assert_eq!(
        refusal(&mut cluster, &scheduler, &[]),
        "No offers specified"
    );
}

#[test]
fn an_offer_named_twice_is_refused_and_its_resources_come_back() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let id = cluster.offer(&scheduler).id.clone();
    let problem = refusal(&mut cluster, &scheduler, &[&id, &id]);
    assert_eq!(problem, format!("Duplicate offer {id} in offer list"));
    cluster.settle();
    assert_eq!(
        cluster.offer(&scheduler).resources,
        resources("cpus:4;mem:1024")
    );
}

#[test]
fn an_offer_cannot_be_used_twice() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let task = task_info("t", &offer.agent_id, "cpus:1");
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    let problem = refusal(&mut cluster, &scheduler, &[&offer.id]);
    assert_eq!(problem, format!("Offer {} is no longer valid", offer.id));
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn an_offer_nobody_made_is_refused() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    for id in ["m-O99", "m-O00", "x", "m-O18446744073709551615"] {
        let id = OfferId::new(id).unwrap();
        let problem = refusal(&mut cluster, &scheduler, &[&id]);
        assert_eq!(problem, format!("Offer {id} is no longer valid"));
    }
}

#[test]
fn another_frameworks_offer_cannot_be_used_and_stays_valid() {
    let (mut cluster, owner, node) = Cluster::pair(aware());
    let thief = cluster.subscribe(aware());
    let offer = cluster.offer(&owner);
    let problem = refusal(&mut cluster, &thief, &[&offer.id]);
    let expected = format!(
        "Offer {} has invalid framework {} while framework {} is expected",
        offer.id, owner.id, thief.id,
    );
    assert_eq!(problem, expected);
    cluster.accept(
        &owner,
        &[&offer.id],
        vec![task_info("t", &node.id, "cpus:1")],
    );
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn an_expired_offer_cannot_be_accepted_even_before_the_timer_fired() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.now += seconds(31);
    cluster.accept(
        &scheduler,
        &[&offer.id],
        vec![task_info("t", &offer.agent_id, "cpus:1")],
    );
    let events = cluster.events(scheduler.connection);
    assert!(matches!(&events[0], FrameworkEvent::Rescind(id) if *id == offer.id));
    assert!(matches!(&events[1], FrameworkEvent::Update(status) if short(status) == DROPPED));
}

#[test]
fn offers_of_two_agents_cannot_be_used_together_and_both_come_back() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    cluster.register("two", "cpus:2;mem:512");
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    assert_eq!(offers.len(), 2);
    let problem = refusal(&mut cluster, &scheduler, &[&offers[0].id, &offers[1].id]);
    assert!(problem.starts_with("Aggregated offers must belong to one single agent. Offer "));
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 2);
}

#[test]
fn offers_of_two_roles_cannot_be_used_together() {
    let (mut cluster, scheduler, node) = Cluster::pair(of_roles(&["a", "b"]));
    let first = cluster.offer(&scheduler);
    let mut task = task_info("t", &node.id, "cpus:2");
    task.resources = resources("cpus:2").to_proto(Some(&first.role));
    cluster.accept(&scheduler, &[&first.id], vec![task]);
    cluster.settle();
    let second = cluster.offer(&scheduler);
    assert_ne!(first.role, second.role, "the other role has less");
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    let third = cluster.offer(&scheduler);
    assert_eq!(first.role, third.role);
    let problem = refusal(&mut cluster, &scheduler, &[&second.id, &third.id]);
    assert!(problem.starts_with("Aggregated offers must be allocated to the same role. Offer "));
}

#[test]
fn a_framework_that_is_not_partition_aware_hears_lost_instead_of_dropped() {
    let (mut cluster, scheduler, _) = Cluster::pair(unaware());
    let id = OfferId::new("m-O99").unwrap();
    let agent = tepui_model::AgentId::new("any").unwrap();
    cluster.events(scheduler.connection);
    cluster.accept(&scheduler, &[&id], vec![task_info("t", &agent, "cpus:1")]);
    let status = cluster.update(&scheduler);
    assert_eq!(
        short(&status),
        (TaskState::Lost, Some(Reason::InvalidOffers))
    );
    assert_eq!(status.uuid, None);
}

fn operation(kind: OfferOperation, id: Option<&str>) -> Operation {
    Operation {
        id: id.map(|id| OperationId::new(id).unwrap()),
        kind,
    }
}

fn unreserve() -> OfferOperation {
    OfferOperation::Resources(ResourceOperation::Unreserve {
        resources: "cpus(web):1".parse().unwrap(),
    })
}

#[test]
fn an_operation_that_is_refused_does_not_hinder_the_next() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let group = OfferOperation::LaunchGroup {
        executor: None,
        tasks: vec![task_info("grouped", &node.id, "cpus:1")],
    };
    let malformed = OfferOperation::Invalid {
        reason: "Unknown offer operation".to_owned(),
        tasks: Vec::new(),
    };
    let launch = OfferOperation::Launch(vec![task_info("t", &node.id, "cpus:1")]);
    let operations = vec![
        operation(unreserve(), Some("u")),
        operation(group, None),
        operation(malformed, Some("m")),
        operation(launch, None),
    ];
    cluster.accept_with(&scheduler, &[&offer.id], operations);
    let events = cluster.events(scheduler.connection);
    let [
        FrameworkEvent::OperationUpdate(refused),
        FrameworkEvent::Update(grouped),
        FrameworkEvent::OperationUpdate(malformed),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(refused.state, OperationState::Error);
    assert_eq!(
        short(grouped),
        (TaskState::Error, Some(Reason::TaskGroupInvalid))
    );
    assert_eq!(
        malformed.message.as_deref(),
        Some("Unknown offer operation")
    );
    assert_eq!(
        cluster.state_of("t"),
        ["TASK_STAGING"],
        "the next operation is done"
    );
}

#[test]
fn a_launch_with_a_name_is_an_error_for_each_of_its_tasks() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let reason = "The `id` field cannot be set on LAUNCH operations";
    let tasks = vec![
        task_info("a", &node.id, "cpus:1"),
        task_info("b", &node.id, "cpus:1"),
    ];
    let invalid = OfferOperation::Invalid {
        reason: reason.to_owned(),
        tasks,
    };
    let launch = operation(invalid, Some("l"));
    cluster.accept_with(&scheduler, &[&offer.id], vec![launch]);
    let updates = cluster.updates(&scheduler);
    assert_eq!(updates.len(), 2);
    assert!(
        updates
            .iter()
            .all(|status| status.message.as_deref() == Some(reason))
    );
}

#[test]
fn an_operation_with_invalid_offers_is_an_error_when_it_has_a_name() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    cluster.events(scheduler.connection);
    let operations = vec![operation(unreserve(), Some("r"))];
    cluster.accept_with(&scheduler, &[], operations);
    let events = cluster.events(scheduler.connection);
    let FrameworkEvent::OperationUpdate(status) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(
        status.message.as_deref(),
        Some("Operation attempted with invalid offers: No offers specified")
    );
}
