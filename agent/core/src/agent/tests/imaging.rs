//! What the master hears of images.

use tepui_model::ImageNames;

use super::node::Node;
use crate::{AgentReport, Event};

fn change(node: &mut Node, names: &[&str]) {
    node.apply(Event::Images {
        names: ImageNames::new(names),
    });
}

/// The lists that the master was told of outside of registrations since this was last asked.
fn told(node: &mut Node) -> Vec<Vec<String>> {
    let sent = core::mem::take(&mut node.sent).into_iter();
    let lists = sent.filter_map(|report| match report {
        AgentReport::Images(images) => Some(images.to_proto()),
        _ => None,
    });
    lists.collect()
}

#[test]
fn the_master_hears_of_images_when_it_takes_the_agent_in_and_of_every_change() {
    let mut node = Node::new();
    change(&mut node, &["a:1"]);
    assert!(node.sent.is_empty(), "nobody is there to hear it");
    node.connect();
    assert_eq!(node.registration().images.to_proto(), ["a:1"]);
    node.register();
    assert!(told(&mut node).is_empty(), "it has been said");
    change(&mut node, &["b:1", "a:1"]);
    change(&mut node, &["b:1", "a:1"]);
    assert_eq!(told(&mut node), [["b:1", "a:1"]]);
    change(&mut node, &[]);
    assert_eq!(told(&mut node), [Vec::<String>::new()]);
}

#[test]
fn what_changes_while_the_master_takes_the_agent_in_is_said_after_that() {
    let mut node = Node::new();
    node.connect();
    assert!(node.registration().images.is_empty());
    change(&mut node, &["a:1"]);
    assert!(told(&mut node).is_empty());
    node.register();
    assert_eq!(told(&mut node), [["a:1"]]);
    // The next master knows nothing.
    node.connect();
    assert_eq!(node.registration().images.to_proto(), ["a:1"]);
    node.register();
    assert!(told(&mut node).is_empty());
}
