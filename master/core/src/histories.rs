//! Random histories of a small cluster: agents and frameworks that come, go, crash and repeat
//! themselves, masters that restart. The invariants are checked after every event; in the end all
//! come together and must agree on every task.

mod agent;
mod demand;
mod framework;
mod machine;
mod operate;
mod world;

use std::collections::BTreeSet;

use tepui_model::TaskState;

use self::world::World;

/// Steps of one history.
const STEPS: usize = 250;

/// Histories of one run of the tests.
const SEEDS: u64 = 150;

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.come_to_rest();
    world.agree();
    world
}

#[test]
fn whatever_happens_nothing_is_lost_and_all_agree_in_the_end() {
    let mut told = BTreeSet::new();
    let mut preempted = 0;
    for seed in 0..SEEDS {
        let world = run(seed);
        told.extend(world.told());
        preempted += world.preempted();
    }
    assert!(preempted > 20, "only {preempted} tasks gave way");
    let never = TaskState::ALL
        .into_iter()
        .filter(|state| !told.contains(state));
    let expected = [
        TaskState::Starting,
        TaskState::Killing,
        TaskState::GoneByOperator,
    ];
    assert_eq!(
        never.collect::<Vec<_>>(),
        expected,
        "what these agents and operators never say"
    );
}

#[test]
fn a_history_is_the_same_every_time() {
    let trace = || {
        let mut world = World::new(7);
        for _ in 0..STEPS {
            world.step();
        }
        format!("{:?}", world.cluster.notices)
    };
    assert_eq!(trace(), trace());
}
