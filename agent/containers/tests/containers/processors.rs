//! Processors that a container has to itself.

use std::{collections::BTreeSet, fs};

use tepui_containers::{Isolator, Spec};
use tepui_model::Quantity;

use crate::machine::{Machine, id};

/// A machine on which whole processors may be had alone. `None` with a line that says why.
fn machine() -> Option<Machine> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    if count < 2 {
        eprintln!("not run: with one processor nobody can have one alone");
        return None;
    }
    Machine::with(|options| options.isolation = options.isolation.with(Isolator::Processors))
}

/// A container that asks for so much and may use no more.
fn wanting(machine: &Machine, name: &str, millicpus: i64) -> Spec {
    let mut spec = machine.shell(name, "sleep 60 & wait");
    spec.limits.cpu_shares = Quantity::from_millis(millicpus);
    spec.limits.cpu_limit = Some(spec.limits.cpu_shares);
    spec
}

/// Launches it; the kernel's file about its init.
async fn launch(machine: &Machine, spec: Spec) -> String {
    let started = machine.runtime.launch(spec).await.unwrap();
    format!("/proc/{}/status", started.pid)
}

/// The processors that the kernel lets a process run on.
fn allowed(status: &str) -> BTreeSet<u32> {
    let text = fs::read_to_string(status).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    line.unwrap().trim().split(',').flat_map(range).collect()
}

async fn end(machine: &Machine, name: &str) {
    machine.runtime.kill(&id(name)).await.unwrap();
    machine.runtime.remove(&id(name)).await.unwrap();
}

#[tokio::test]
async fn a_whole_processor_is_one_container_s_alone_and_everybody_s_afterwards() {
    let Some(machine) = machine() else { return };
    let before = launch(&machine, wanting(&machine, "before", 500)).await;
    let everything = allowed(&before);
    let own = launch(&machine, wanting(&machine, "own", 1000)).await;
    assert_eq!(allowed(&own).len(), 1);
    // Those that run leave it, and those that come do not get there.
    let after = launch(&machine, wanting(&machine, "after", 1500)).await;
    let rest: BTreeSet<u32> = everything.difference(&allowed(&own)).copied().collect();
    assert_eq!((allowed(&before), allowed(&after)), (rest.clone(), rest));
    let shown = machine.runtime.usage(&id("own")).await.unwrap().processors;
    let number = allowed(&own).first().unwrap().to_string();
    assert_eq!(shown, Some(number));
    end(&machine, "own").await;
    let both = (allowed(&before), allowed(&after));
    assert_eq!(both, (everything.clone(), everything));
}

#[tokio::test]
async fn the_next_agent_knows_whose_processors_are_whose() {
    let Some(machine) = machine() else { return };
    let own = launch(&machine, wanting(&machine, "own", 1000)).await;
    let had = allowed(&own);
    let machine = machine.restart();
    machine.runtime.recover().await;
    let more = launch(&machine, wanting(&machine, "more", 1000)).await;
    assert_eq!(allowed(&own), had);
    assert!(had.is_disjoint(&allowed(&more)));
    end(&machine, "own").await;
    let third = launch(&machine, wanting(&machine, "third", 300)).await;
    assert!(!allowed(&third).is_empty());
    end(&machine, "more").await;
    assert!(had.is_subset(&allowed(&third)));
}

#[tokio::test]
async fn when_no_more_can_be_had_alone_the_rest_is_shared() {
    let Some(machine) = machine() else { return };
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let all = i64::try_from(count).unwrap() * 1000;
    let whole = launch(&machine, wanting(&machine, "whole", all)).await;
    assert_eq!(
        allowed(&whole).len(),
        count,
        "nobody would be left with any"
    );
    // A launch that fails keeps nothing from anybody.
    let mut broken = wanting(&machine, "broken", 1000);
    broken.working_dir = Some("/nowhere/at/all".into());
    machine.runtime.launch(broken).await.unwrap_err();
    assert_eq!(allowed(&whole).len(), count);
}
