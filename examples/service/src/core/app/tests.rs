//! The difference between what is wanted and what there is.

use tepui_sdk::model::AgentId;

use super::*;
use crate::{
    core::instance::{Health, Life},
    spec::{Upgrade, from_yaml},
};

/// An app with instances written as their versions and lives: `1r` runs, `1l` launches, `1f` fails
/// its checks, `1e` ends.
fn deployed(replicas: u32, version: u64, instances: &str) -> Deployed {
    let app = from_yaml("{name: a, command: x}").unwrap().remove(0);
    let mut deployed = Deployed::new(App { replicas, ..app }, version);
    for (number, text) in (1..).zip(instances.split_whitespace()) {
        let (version, life) = text.split_at(1);
        deployed
            .instances
            .insert(number, instance(version.parse().unwrap(), life));
    }
    deployed
}

fn instance(version: u64, life: &str) -> Instance {
    Instance {
        version,
        agent_id: AgentId::new("agent").unwrap(),
        hostname: "host".to_owned(),
        ports: Vec::new(),
        launched: Time::ZERO,
        life: match life {
            "l" => Life::Launching,
            "e" => Life::Ending,
            _ => Life::Running,
        },
        health: match life {
            "r" => Some(Health::Healthy),
            "f" => Some(Health::Failing),
            _ => None,
        },
        message: String::new(),
    }
}

fn plan(replicas: u32, version: u64, instances: &str) -> (Vec<u64>, usize) {
    let Plan { kills, launches } = deployed(replicas, version, instances).plan();
    (kills, launches)
}

#[test]
fn the_missing_are_launched_and_the_surplus_ends() {
    assert_eq!(plan(3, 1, ""), (vec![], 3));
    assert_eq!(plan(3, 1, "1r 1l"), (vec![], 1));
    assert_eq!(plan(3, 1, "1r 1r 1r"), (vec![], 0));
    assert_eq!(plan(0, 1, "1r 1l"), (vec![2, 1], 0));
}

#[test]
fn the_failing_end_before_the_launching_before_the_youngest() {
    assert_eq!(plan(1, 1, "1r 1f 1l 1r").0, [2, 3, 4]);
}

#[test]
fn what_ends_already_is_neither_counted_nor_ended_twice() {
    assert_eq!(plan(2, 1, "1e 1r"), (vec![], 1));
    assert_eq!(plan(0, 1, "1e"), (vec![], 0));
}

#[test]
fn a_removed_app_ends_as_a_whole() {
    let mut deployed = deployed(3, 2, "1r 2l 2e");
    deployed.removed = true;
    assert_eq!(
        deployed.plan(),
        Plan {
            kills: vec![1, 2],
            launches: 0
        }
    );
}

#[test]
fn a_version_replaces_another_without_fewer_being_ready() {
    assert_eq!(plan(2, 2, "1r 1r"), (vec![], 2));
    assert_eq!(plan(2, 2, "1r 1r 2l 2l"), (vec![], 0));
    assert_eq!(plan(2, 2, "1r 1r 2r 2l"), (vec![1], 0));
    assert_eq!(plan(2, 2, "1r 1e 2r 2r"), (vec![1], 0));
}

#[test]
fn instances_that_nobody_has_looked_at_yet_are_kept_like_ready_ones() {
    // As after a restart in the middle of a replacement: what launches may well be running.
    assert_eq!(plan(2, 2, "1l 1l 2l 2l"), (vec![], 0));
    assert_eq!(plan(2, 2, "1l 1f 2r 2l"), (vec![2], 0));
}

#[test]
fn without_room_above_a_version_is_replaced_from_below() {
    let mut deployed = deployed(3, 2, "1r 1r 1r");
    for minimum_health in [0.9, 1.0] {
        deployed.app.upgrade = Upgrade {
            minimum_health,
            over_capacity: 0.0,
        };
        assert_eq!(
            deployed.plan(),
            Plan {
                kills: vec![1],
                launches: 0
            }
        );
    }
    deployed.app.upgrade.minimum_health = 0.0;
    assert_eq!(deployed.plan().kills, [1, 2, 3]);
}

#[test]
fn with_a_little_room_above_one_is_launched_at_a_time() {
    let mut deployed = deployed(3, 2, "1r 1r 1r");
    deployed.app.upgrade = Upgrade {
        minimum_health: 1.0,
        over_capacity: 0.1,
    };
    assert_eq!(
        deployed.plan(),
        Plan {
            kills: vec![],
            launches: 1
        }
    );
}

#[test]
fn a_rolling_replacement_comes_to_its_end_and_keeps_to_its_bounds() {
    for (replicas, minimum_health, over_capacity) in [
        (1, 1.0, 1.0),
        (3, 1.0, 0.34),
        (4, 0.5, 0.0),
        (5, 0.8, 0.2),
        (2, 0.99, 0.0),
        (7, 0.0, 1.0),
    ] {
        let mut deployed = deployed(replicas, 2, &"1r ".repeat(replicas as usize));
        deployed.app.upgrade = Upgrade {
            minimum_health,
            over_capacity,
        };
        let (floor, ceiling) = (deployed.floor(), deployed.ceiling());
        for _ in 0..100 {
            let plan = deployed.plan();
            for number in &plan.kills {
                deployed.instances.remove(number);
            }
            for _ in 0..plan.launches {
                let number = deployed.instances.keys().last().map_or(1, |last| last + 1);
                deployed.instances.insert(number, instance(2, "l"));
            }
            assert!(deployed.ready() >= floor && deployed.instances.len() <= ceiling);
            // One at a time comes up.
            if let Some(slow) = deployed
                .instances
                .values_mut()
                .find(|i| i.life == Life::Launching)
            {
                *slow = instance(2, "r");
            }
        }
        let versions: Vec<_> = deployed.instances.values().map(|i| i.version).collect();
        assert_eq!(
            versions,
            vec![2; replicas as usize],
            "{minimum_health} {over_capacity}"
        );
    }
}
