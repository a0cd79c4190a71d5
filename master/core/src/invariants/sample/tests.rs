//! Tests of the module that this one belongs to.

use super::*;
use crate::{
    agents::AgentState,
    testing::{Cluster, of_roles, task_info},
};

/// A cluster of agents that one framework has two tasks on each of.
fn cluster(agents: usize) -> Cluster {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    for number in 0..agents {
        cluster.register(&format!("host-{number}"), "cpus:3;mem:1024");
    }
    cluster.settle();
    let offers = cluster.offers(&scheduler);
    assert_eq!(offers.len(), agents);
    for (number, offer) in offers.iter().enumerate() {
        let tasks = ["one", "two"].map(|task| {
            let name = format!("{task}-{number}");
            task_info(&name, &offer.agent_id, "cpus:1;mem:64")
        });
        cluster.accept(&scheduler, &[&offer.id], tasks.into());
    }
    cluster.settle();
    cluster
}

/// The turns until something is found, of so many at most; how much each looked at.
fn turns_until_found(cluster: &Cluster, most: usize, turns: usize) -> Option<usize> {
    let mut sampling = Sampling::default();
    (1..=turns).find(|_| {
        let found = cluster.master.check_some(&mut sampling, most).is_err();
        assert!(sampling.looked <= most, "{} looked at", sampling.looked);
        found
    })
}

#[test]
fn a_small_cluster_is_checked_whole() {
    let mut cluster = cluster(4);
    let (key, _) = cluster.master.offers.first().unwrap();
    let framework = cluster.master.offers.get(key).unwrap().framework;
    assert_eq!(turns_until_found(&cluster, 100, 1), None);
    // Only the number of all offers shows it.
    let framework = cluster.master.frameworks.get_mut(framework).unwrap();
    framework.offers.clear();
    assert_eq!(turns_until_found(&cluster, 100, 1), Some(1));
}

#[test]
fn every_agent_and_every_task_has_its_turn_and_no_turn_looks_at_more_than_it_may() {
    const AGENTS: usize = 40;
    let mut cluster = cluster(AGENTS);
    assert_eq!(turns_until_found(&cluster, 24, 100), None);
    let key = cluster.master.agents.iter().last().unwrap().key;
    let before = cluster.master.agents.get(key).unwrap().state;
    let agent = cluster.master.agents.slab.get_mut(key).unwrap();
    agent.state = AgentState::Disconnected;
    let found = turns_until_found(&cluster, 24, 100).unwrap();
    assert!((10..=AGENTS).contains(&found), "found after {found} turns");
    cluster.master.agents.slab.get_mut(key).unwrap().state = before;
    let framework = cluster.master.frameworks.iter().next().unwrap().key;
    let framework = cluster.master.frameworks.get_mut(framework).unwrap();
    // A task that no agent knows of shows from the side of its framework only.
    let (id, task) = framework.tasks.last_key_value().unwrap();
    let lost = TaskId::new(format!("{id}-lost")).unwrap();
    let task = task.clone();
    framework.tasks.insert(lost, task);
    let found = turns_until_found(&cluster, 24, 100).unwrap();
    assert!((3..=AGENTS).contains(&found), "found after {found} turns");
}
