//! Tests of the module that this one belongs to.

use tepui_model::{Offer, TaskState};

use super::*;
use crate::{
    Action, FrameworkEvent,
    calls::{Accept, Ask, Decline},
    testing::{Cluster, Node, Scheduler, names, of_roles, resources, task_info},
};

fn ask(name: &str, count: u32) -> Action {
    Action::Request(vec![Ask {
        role: None,
        agent_id: None,
        resources: resources("cpus:3;mem:64"),
        count,
        gang: Some(name.into()),
        priority: 0,
    }])
}

/// Two agents, and a framework with a gang that takes most of both.
fn gang() -> (Cluster, Scheduler, [Node; 2]) {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    cluster.call(scheduler.connection, ask("g", 2));
    let nodes = ["one", "two"].map(|name| cluster.register(name, "cpus:4;mem:64"));
    cluster.settle();
    (cluster, scheduler, nodes)
}

fn rescinded(cluster: &mut Cluster, scheduler: &Scheduler) -> usize {
    let events = cluster.events(scheduler.connection);
    let rescinds = events.iter();
    rescinds
        .filter(|event| matches!(event, FrameworkEvent::Rescind(_)))
        .count()
}

#[test]
fn a_gang_is_offered_in_one_event() {
    let (mut cluster, scheduler, _) = gang();
    let events = cluster.events(scheduler.connection);
    let offers: Vec<&Vec<Arc<Offer>>> = events
        .iter()
        .filter_map(|event| match event {
            FrameworkEvent::Offers { offers, .. } => Some(offers),
            _ => None,
        })
        .collect();
    let [offers] = offers[..] else {
        panic!("one event, not {offers:?}");
    };
    assert_eq!(offers.len(), 2);
    assert!(
        offers
            .iter()
            .all(|it| it.resources == resources("cpus:3;mem:64"))
    );
}

#[test]
fn a_gang_of_which_one_offer_is_declined_is_taken_back_and_offered_whole_again() {
    let (mut cluster, scheduler, _) = gang();
    let offers = cluster.offers(&scheduler);
    let decline = Decline {
        offers: vec![offers[0].id.clone()],
        filters: Filters::NONE,
    };
    cluster.call(scheduler.connection, Action::Decline(decline));
    assert_eq!(rescinded(&mut cluster, &scheduler), 1);
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 2);
}

#[test]
fn a_gang_that_loses_an_agent_loses_its_other_offers_too() {
    let (mut cluster, scheduler, [one, _]) = gang();
    assert_eq!(cluster.offers(&scheduler).len(), 2);
    cluster.disconnect_agent(&one);
    assert_eq!(rescinded(&mut cluster, &scheduler), 2);
    cluster.settle();
    assert!(
        cluster.offers(&scheduler).is_empty(),
        "one agent is not enough"
    );
    cluster.register("three", "cpus:4;mem:64");
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 2);
}

#[test]
fn an_accepted_gang_is_served_and_asked_for_no_longer() {
    let (mut cluster, scheduler, [one, two]) = gang();
    let offers = cluster.offers(&scheduler);
    let tasks = [&one, &two].map(|node| task_info(node.id.as_str(), &node.id, "cpus:3"));
    let accept = Accept {
        offers: offers.iter().map(|offer| offer.id.clone()).collect(),
        operations: vec![crate::calls::Operation {
            id: None,
            kind: tepui_model::OfferOperation::Launch(tasks.to_vec()),
        }],
        filters: Filters::NONE,
        all_or_nothing: true,
    };
    cluster.call(scheduler.connection, Action::Accept(accept));
    assert_eq!(names(&cluster.commands(one.connection)).len(), 1);
    assert_eq!(names(&cluster.commands(two.connection)).len(), 1);
    cluster.settle();
    assert!(cluster.offers(&scheduler).is_empty());
}

#[test]
fn two_gangs_that_do_not_fit_together_are_served_one_after_the_other() {
    let (mut cluster, first, [one, two]) = gang();
    let second = cluster.subscribe(of_roles(&["b"]));
    cluster.call(second.connection, ask("g", 2));
    cluster.settle();
    let offers = cluster.offers(&first);
    assert_eq!(offers.len(), 2);
    assert!(cluster.offers(&second).is_empty());
    for offer in &offers {
        let task = task_info(offer.id.as_str(), &offer.agent_id, "cpus:3");
        cluster.accept(&first, &[&offer.id], vec![task]);
    }
    cluster.settle();
    assert!(cluster.offers(&second).is_empty());
    end(&mut cluster, &first, &one, &offers);
    cluster.settle();
    assert!(
        cluster.offers(&second).is_empty(),
        "half of it is of no use"
    );
    end(&mut cluster, &first, &two, &offers);
    cluster.settle();
    assert_eq!(cluster.offers(&second).len(), 2);
}

/// The task on that agent, named after its offer, ends.
fn end(cluster: &mut Cluster, scheduler: &Scheduler, node: &Node, offers: &[Arc<Offer>]) {
    let offer = offers.iter().find(|offer| offer.agent_id == node.id);
    let task = offer.unwrap().id.to_string();
    let uuid = cluster.report(node, &scheduler.id, &task, TaskState::Finished);
    cluster.acknowledge(scheduler, node, &task, uuid);
}
