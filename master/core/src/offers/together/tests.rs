//! Tests of the module that this one belongs to.

use std::sync::Arc;

use tepui_model::{Filters, Offer, OfferId, OfferOperation, Reason, TaskState};
use tepui_proto::v1;

use crate::{
    Action,
    calls::{Accept, Operation},
    testing::{
        Cluster, Node, Scheduler, aware, names, of_roles, resources, short, task_info, unaware,
    },
};

const BLAMED: (TaskState, Option<Reason>) = (TaskState::Error, Some(Reason::TaskInvalid));
const DROPPED: (TaskState, Option<Reason>) = (TaskState::Dropped, Some(Reason::InvalidOffers));
const TOO_MUCH: &str = "Total resources cpus:9 required by task and its executor is more than \
                        available cpus:4;mem:64";

fn launch(tasks: Vec<v1::TaskInfo>) -> Operation {
    Operation {
        id: None,
        kind: OfferOperation::Launch(tasks),
    }
}

fn accept_all(
    cluster: &mut Cluster,
    scheduler: &Scheduler,
    offers: &[Arc<Offer>],
    operations: Vec<Operation>,
) {
    let offers: Vec<OfferId> = offers.iter().map(|offer| offer.id.clone()).collect();
    let accept = Accept {
        offers,
        operations,
        filters: Filters::NONE,
        all_or_nothing: true,
    };
    cluster.call(scheduler.connection, Action::Accept(accept));
}

/// A framework with an offer of each of two agents.
fn pair_of_agents(cluster: &mut Cluster) -> (Scheduler, [Node; 2], Vec<Arc<Offer>>) {
    let scheduler = cluster.subscribe(aware());
    let nodes = ["one", "two"].map(|name| cluster.register(name, "cpus:4;mem:64"));
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    assert_eq!(offers.len(), 2);
    (scheduler, nodes, offers)
}

#[test]
fn tasks_go_each_to_the_agent_that_it_names() {
    let mut cluster = Cluster::new();
    let (scheduler, [one, two], offers) = pair_of_agents(&mut cluster);
    let tasks = vec![
        task_info("a", &two.id, "cpus:3"),
        task_info("b", &one.id, "cpus:4"),
        task_info("c", &two.id, "cpus:1"),
    ];
    accept_all(&mut cluster, &scheduler, &offers, vec![launch(tasks)]);
    assert_eq!(names(&cluster.commands(one.connection)), ["run b"]);
    assert_eq!(names(&cluster.commands(two.connection)), ["run a", "run c"]);
    cluster.settle();
    let left: Vec<_> = cluster.offers(&scheduler);
    let left: Vec<_> = left.iter().map(|it| it.resources.to_string()).collect();
    assert_eq!(left, ["mem:64", "mem:64"]);
}

#[test]
fn one_task_that_cannot_be_launched_keeps_all_others_from_it() {
    let mut cluster = Cluster::new();
    let (scheduler, [one, two], offers) = pair_of_agents(&mut cluster);
    let tasks = vec![
        task_info("good", &one.id, "cpus:1"),
        task_info("bad", &two.id, "cpus:9"),
    ];
    accept_all(&mut cluster, &scheduler, &offers, vec![launch(tasks)]);
    let updates = cluster.updates(&scheduler);
    let told: Vec<_> = updates
        .iter()
        .map(|it| {
            (
                it.task_id.to_string(),
                short(it),
                it.message.clone().unwrap(),
            )
        })
        .collect();
    let whose =
        format!("Nothing of an all-or-nothing ACCEPT is launched because of task bad: {TOO_MUCH}");
    let expected = [
        ("good".to_owned(), DROPPED, whose),
        ("bad".to_owned(), BLAMED, TOO_MUCH.to_owned()),
    ];
    assert_eq!(told, expected);
    assert!(cluster.commands(one.connection).is_empty());
    // The offers are over, and what they held is offered again.
    cluster.settle();
    let again = cluster.offers(&scheduler);
    let whole: Vec<_> = again.iter().map(|it| it.resources.clone()).collect();
    assert_eq!(whole, vec![resources("cpus:4;mem:64"); 2]);
}

/// What the tasks of an ACCEPT hear.
fn fates(tasks: impl FnOnce(&[Node; 2]) -> Vec<v1::TaskInfo>) -> Vec<String> {
    let mut cluster = Cluster::new();
    let (scheduler, nodes, offers) = pair_of_agents(&mut cluster);
    let tasks = tasks(&nodes);
    accept_all(&mut cluster, &scheduler, &offers, vec![launch(tasks)]);
    assert!(
        nodes
            .iter()
            .all(|it| cluster.commands(it.connection).is_empty())
    );
    let updates = cluster.updates(&scheduler).into_iter();
    updates.map(|it| it.message.unwrap()).collect()
}

#[test]
fn the_whole_must_fit_and_not_each_task_by_itself() {
    let told = fates(|[one, _]| {
        vec![
            task_info("a", &one.id, "cpus:3"),
            task_info("b", &one.id, "cpus:2"),
        ]
    });
    assert!(
        told[1].contains("more than available cpus:1;mem:64"),
        "{told:?}"
    );
}

#[test]
fn a_task_id_that_comes_twice_is_found_before_anything_is_launched() {
    let told = fates(|[one, two]| {
        vec![
            task_info("a", &one.id, "cpus:1"),
            task_info("a", &two.id, "cpus:1"),
        ]
    });
    assert_eq!(told, ["Task has duplicate ID: a"; 2]);
}

#[test]
fn a_task_for_an_agent_of_which_nothing_was_accepted_is_to_blame() {
    let told = fates(|[one, _]| {
        let elsewhere = tepui_model::AgentId::new("elsewhere").unwrap();
        vec![
            task_info("a", &one.id, "cpus:1"),
            task_info("b", &elsewhere, "cpus:1"),
        ]
    });
    let why = "Task uses agent elsewhere, none of whose offers is accepted";
    assert_eq!(told[1], why);
    assert!(
        told[0].ends_with(&format!("because of task b: {why}")),
        "{told:?}"
    );
}

#[test]
fn an_offer_that_stands_no_longer_drops_all_tasks_and_ends_the_others() {
    let mut cluster = Cluster::new();
    let (scheduler, [one, two], offers) = pair_of_agents(&mut cluster);
    cluster.disconnect_agent(&two);
    let tasks = vec![
        task_info("a", &one.id, "cpus:1"),
        task_info("b", &two.id, "cpus:1"),
    ];
    accept_all(&mut cluster, &scheduler, &offers, vec![launch(tasks)]);
    let updates = cluster.updates(&scheduler);
    assert!(updates.iter().all(|it| short(it) == DROPPED), "{updates:?}");
    let gone = offers.iter().find(|it| it.agent_id == two.id).unwrap();
    let why = format!(
        "Task launched with invalid offers: Offer {} is no longer valid",
        gone.id
    );
    assert_eq!(updates[0].message.as_deref(), Some(why.as_str()));
}

#[test]
fn a_framework_without_the_capability_hears_task_lost() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(unaware());
    let node = cluster.register("one", "cpus:4;mem:64");
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    let tasks = vec![
        task_info("a", &node.id, "cpus:1"),
        task_info("b", &node.id, "cpus:9"),
    ];
    accept_all(&mut cluster, &scheduler, &offers, vec![launch(tasks)]);
    let updates = cluster.updates(&scheduler);
    assert_eq!(updates[0].state, TaskState::Lost);
    assert_eq!(updates[1].state, TaskState::Error);
}

#[test]
fn offers_of_two_roles_are_not_taken_together() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a", "b"]));
    let nodes = ["one", "two"].map(|name| cluster.register(name, "cpus:4;mem:64"));
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    assert_ne!(offers[0].role, offers[1].role);
    let tasks = nodes.map(|node| task_info(node.id.as_str(), &node.id, "cpus:1"));
    accept_all(
        &mut cluster,
        &scheduler,
        &offers,
        vec![launch(tasks.to_vec())],
    );
    let updates = cluster.updates(&scheduler);
    let message = updates[0].message.clone().unwrap();
    assert!(
        message.contains("must be allocated to the same role"),
        "{message}"
    );
}
