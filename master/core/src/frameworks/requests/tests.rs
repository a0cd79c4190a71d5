//! Tests of the module that this one belongs to.

use tepui_model::{AgentId, Filters, Resources, TaskState};

use super::*;
use crate::{
    Action,
    testing::{Cluster, Scheduler, of_roles, resources, role, task_info},
};

fn ask(text: &str, count: u32) -> Ask {
    Ask {
        role: None,
        agent_id: None,
        resources: resources(text),
        count,
        gang: None,
        priority: 0,
    }
}

fn offered(cluster: &mut Cluster, scheduler: &Scheduler) -> Vec<Resources> {
    let offers = cluster.offers(scheduler);
    offers.iter().map(|offer| offer.resources.clone()).collect()
}

#[test]
fn a_request_cuts_the_offer_and_the_rest_is_for_others() {
    let mut cluster = Cluster::new();
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.call(
        one.connection,
        Action::Request(vec![ask("cpus:1;mem:64", 2)]),
    );
    let two = cluster.subscribe(of_roles(&["b"]));
    cluster.register("h", "cpus:8;mem:1024");
    cluster.settle();
    assert_eq!(offered(&mut cluster, &one), [resources("cpus:2;mem:128")]);
    assert_eq!(offered(&mut cluster, &two), [resources("cpus:6;mem:896")]);
}

#[test]
fn an_empty_request_withdraws_the_demand() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    cluster.call(
        scheduler.connection,
        Action::Request(vec![ask("cpus:9", 1)]),
    );
    cluster.register("h", "cpus:8;mem:1024");
    cluster.settle();
    assert!(offered(&mut cluster, &scheduler).is_empty());
    cluster.call(scheduler.connection, Action::Request(Vec::new()));
    cluster.settle();
    assert_eq!(
        offered(&mut cluster, &scheduler),
        [resources("cpus:8;mem:1024")]
    );
}

#[test]
fn an_ask_for_an_agent_is_offered_there_only() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    let mut pinned = ask("cpus:1", 1);
    pinned.agent_id = Some(AgentId::new("nobody").unwrap());
    cluster.call(scheduler.connection, Action::Request(vec![pinned.clone()]));
    assert_eq!(
        cluster.warnings,
        ["an ask of REQUEST is for agent nobody, which is not there"]
    );
    cluster.register("one", "cpus:4;mem:64");
    let two = cluster.register("two", "cpus:4;mem:64");
    cluster.settle();
    assert!(offered(&mut cluster, &scheduler).is_empty());
    pinned.agent_id = Some(two.id.clone());
    cluster.call(scheduler.connection, Action::Request(vec![pinned]));
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert_eq!(
        (&offer.agent_id, &offer.resources),
        (&two.id, &resources("cpus:1"))
    );
}

#[test]
fn a_gang_with_a_member_for_an_agent_that_is_not_there_is_not_offered() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    let mut asks = [ask("cpus:1", 1), ask("cpus:1", 1)];
    asks.iter_mut().for_each(|ask| ask.gang = Some("g".into()));
    asks[0].agent_id = Some(AgentId::new("nobody").unwrap());
    cluster.call(scheduler.connection, Action::Request(asks.to_vec()));
    cluster.register("h", "cpus:8;mem:1024");
    cluster.settle();
    assert!(offered(&mut cluster, &scheduler).is_empty());
}

#[test]
fn a_gang_that_one_event_cannot_hold_is_refused() {
    let mut cluster = Cluster::new();
    let mut large = ask("cpus:1", MAX_GANG_COPIES);
    large.gang = Some("g".into());
    let mut one = ask("mem:1", 1);
    one.gang = Some("g".into());
    let problem = |cluster: &mut Cluster, asks: Vec<Ask>| {
        let scheduler = cluster.subscribe(of_roles(&["a"]));
        cluster.call(scheduler.connection, Action::Request(asks));
        let ending = cluster.endings.get(&scheduler.connection);
        ending.map(|ending| format!("{ending:?}"))
    };
    assert_eq!(problem(&mut cluster, vec![large.clone()]), None);
    let told = problem(&mut cluster, vec![large, one.clone()]).unwrap();
    assert!(
        told.contains("'g' has 513 members, and the most are 512"),
        "{told}"
    );
    let many = (0..=MAX_GANGS_PER_CLIENT).map(|number| Ask {
        gang: Some(number.to_string().into()),
        ..one.clone()
    });
    let told = problem(&mut cluster, many.collect()).unwrap();
    assert!(told.contains("65 gangs, and the most are 64"), "{told}");
}

#[test]
fn an_ask_in_no_role_of_the_framework_is_refused_by_field() {
    let mut cluster = Cluster::new();
    let problem = |cluster: &mut Cluster, ask: Ask| {
        let scheduler = cluster.subscribe(of_roles(&["a", "b"]));
        cluster.call(scheduler.connection, Action::Request(vec![ask]));
        format!("{:?}", cluster.endings[&scheduler.connection])
    };
    let field = "request.requests[0].resources.allocation_info.role";
    let unnamed = problem(&mut cluster, ask("cpus:1", 1));
    assert!(
        unnamed.contains(field) && unnamed.contains("several roles"),
        "{unnamed}"
    );
    let mut foreign = ask("cpus:1", 1);
    foreign.role = Some(role("c"));
    let foreign = problem(&mut cluster, foreign);
    assert!(
        foreign.contains(field) && foreign.contains("not subscribed to 'c'"),
        "{foreign}"
    );
}

#[test]
fn an_accepted_offer_uses_up_its_asks_and_a_declined_one_does_not() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    cluster.call(
        scheduler.connection,
        Action::Request(vec![ask("cpus:1;mem:64", 2)]),
    );
    let node = cluster.register("h", "cpus:8;mem:1024");
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::NONE);
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    let task = task_info("t", &node.id, "cpus:1;mem:64");
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    cluster.settle();
    assert!(
        offered(&mut cluster, &scheduler).is_empty(),
        "all was accepted"
    );
    cluster.call(
        scheduler.connection,
        Action::Request(vec![ask("cpus:1;mem:64", 1)]),
    );
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Finished);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    assert!(
        offered(&mut cluster, &scheduler).is_empty(),
        "a task that ends is not an offer that comes back: {offer:?}"
    );
}
