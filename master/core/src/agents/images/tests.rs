//! Tests of the module that this one belongs to.

use tepui_model::{Filters, Offer};

use super::*;
use crate::{
    Event, Registration,
    testing::{Cluster, Node, Scheduler, able, agent_info, aware, seconds},
};

/// An agent that has these images when it registers, and a framework that is offered it.
fn with_images(images: &[&str]) -> (Cluster, Scheduler, Node) {
    let mut cluster = Cluster::new();
    let node = register(&mut cluster, "one", images);
    let scheduler = cluster.subscribe(aware());
    cluster.settle();
    (cluster, scheduler, node)
}

fn register(cluster: &mut Cluster, hostname: &str, images: &[&str]) -> Node {
    let info = agent_info(hostname, "cpus:1;mem:32");
    let connection = cluster.try_register(Registration {
        images: ImageNames::new(images),
        ..able(info.clone())
    });
    let id = cluster.master.agents.iter().last().unwrap().id.clone();
    Node {
        connection,
        info: info.with_id(id.clone()),
        id,
    }
}

fn tell(cluster: &mut Cluster, node: &Node, images: &[&str]) {
    cluster.apply(Event::AgentImages {
        connection: node.connection,
        images: ImageNames::new(images),
    });
}

/// The images in the next offer, after the last one was declined.
fn offered_again(cluster: &mut Cluster, scheduler: &Scheduler, offer: &Offer) -> Vec<String> {
    cluster.decline(scheduler, &offer.id, Filters::NONE);
    cluster.pass(seconds(1));
    cluster.offer(scheduler).images.to_proto()
}

fn shown(cluster: &Cluster) -> Vec<String> {
    let agents = cluster.snapshot().get_agents().agents;
    agents[0].tepui_images.clone()
}

#[test]
fn offers_and_operators_see_the_images_of_a_registration_and_later_ones() {
    let (mut cluster, scheduler, node) = with_images(&["a:1", "b:1"]);
    assert_eq!(shown(&cluster), ["a:1", "b:1"]);
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.images.to_proto(), ["a:1", "b:1"]);
    tell(&mut cluster, &node, &["c:1", "a:1"]);
    assert_eq!(shown(&cluster), ["c:1", "a:1"]);
    assert!(
        cluster.events(scheduler.connection).is_empty(),
        "an offer that is out stays"
    );
    let again = offered_again(&mut cluster, &scheduler, &offer);
    assert_eq!(again, ["c:1", "a:1"]);
    tell(&mut cluster, &node, &[]);
    assert!(shown(&cluster).is_empty());
}

#[test]
fn an_agent_that_comes_back_has_the_images_that_it_has_now() {
    let (mut cluster, _, node) = with_images(&["a:1"]);
    cluster.disconnect_agent(&node);
    cluster.try_register(Registration {
        images: ImageNames::new(["b:1"]),
        ..able(node.info)
    });
    assert_eq!(shown(&cluster), ["b:1"]);
    assert_eq!(cluster.master.agents.images.len(), 1);
}

#[test]
fn each_name_is_kept_once_and_no_longer_than_an_agent_has_it() {
    let (mut cluster, _, first) = with_images(&["a:1", "b:1"]);
    let second = register(&mut cluster, "two", &["b:1", "b:1"]);
    let agents: Vec<_> = cluster.master.agents.iter().collect();
    let of_first = agents[0].images.iter().nth(1).unwrap();
    assert!(agents[1].images.iter().all(|it| Arc::ptr_eq(it, of_first)));
    assert_eq!(cluster.master.agents.images.len(), 2);
    tell(&mut cluster, &first, &["a:1"]);
    assert_eq!(cluster.master.agents.images.len(), 2);
    cluster.apply(Event::AgentUnregister {
        connection: second.connection,
    });
    assert_eq!(cluster.master.agents.images.len(), 1);
    tell(&mut cluster, &first, &[]);
    assert_eq!(cluster.master.agents.images.len(), 0);
    // Nobody is at the end of that stream any more.
    tell(&mut cluster, &second, &["z:1"]);
    assert_eq!(cluster.master.agents.images.len(), 0);
}
