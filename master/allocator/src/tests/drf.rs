//! Who comes first: dominant shares, weights, ties.

use tepui_model::Quantity;

use super::*;

/// Offers one after another; each framework takes one task of its size from each offer that holds
/// it and gives the rest back. Ends when nobody takes anything. Returns the tasks of each.
pub(super) fn fill(allocator: &mut Allocator, tasks: &[&str]) -> Vec<usize> {
    let mut counts = vec![0; tasks.len()];
    for now in 0.. {
        let made = run(allocator, seconds(now));
        if made.is_empty() {
            break;
        }
        for mut offer in made {
            let own = offer.framework.index();
            let task = parse(tasks[own]);
            // Whoever cannot use an offer now never will.
            let mut refuse = until(1_000_000);
            if let Ok(rest) = offer.resources.checked_sub(&task) {
                counts[own] += 1;
                offer.resources = rest;
                refuse = None;
            }
            give_back(allocator, &offer, refuse);
        }
    }
    counts
}

#[test]
fn the_textbook_case_ends_with_three_tasks_and_two() {
    // Ghodsi and others 2011: 9 CPUs and 18 GB; A's tasks take <1 CPU, 4 GB>, B's <3 CPUs, 1 GB>.
    let mut allocator = cluster(&["cpus:9;mem:18432"], &["a", "b"]);
    assert_eq!(
        fill(&mut allocator, &["cpus:1;mem:4096", "cpus:3;mem:1024"]),
        [3, 2]
    );
    let shares = allocator.role_shares();
    assert_eq!(shares[0].share, 3.0 * 4.0 / 18.0);
    assert_eq!(shares[1].share, 2.0 * 3.0 / 9.0);
    assert_eq!(shares[0].allocated, parse("cpus:3;mem:12288"));
}

#[test]
fn the_textbook_case_is_the_same_within_one_role() {
    let mut allocator = cluster(&["cpus:9;mem:18432"], &["*", "*"]);
    assert_eq!(
        fill(&mut allocator, &["cpus:1;mem:4096", "cpus:3;mem:1024"]),
        [3, 2]
    );
}

#[test]
fn a_role_gets_in_proportion_to_its_weight() {
    let mut allocator = cluster(&["cpus:120;mem:120000"], &["a", "b", "c"]);
    allocator.set_weight(&role("a"), Quantity::from_units(2));
    allocator.set_weight(&role("c"), Quantity::from_millis(1_000));
    let counts = fill(&mut allocator, &["cpus:1;mem:100"; 3]);
    assert_eq!(counts, [60, 30, 30]);
    let weights: Vec<_> = allocator
        .weights()
        .map(|(role, weight)| (role.as_str(), weight.units()))
        .collect();
    assert_eq!(weights, [("a", 2), ("c", 1)]);
}

#[test]
fn frameworks_of_a_role_share_what_the_role_gets() {
    let mut allocator = cluster(&["cpus:24;mem:24000"], &["a", "a", "b"]);
    assert_eq!(fill(&mut allocator, &["cpus:1;mem:100"; 3]), [6, 6, 12]);
}

#[test]
fn of_equals_the_one_offered_less_often_comes_first_then_the_older() {
    let mut allocator = cluster(&["cpus:1;mem:100"], &["*", "*", "*"]);
    let mut order = Vec::new();
    for now in 0..6 {
        let made = run(&mut allocator, seconds(now));
        order.extend(frameworks(&made));
        give_back(&mut allocator, &made[0], None);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn an_excluded_resource_does_not_count_for_fairness() {
    let fairness_excludes = vec![tepui_model::Kind::Memory];
    let mut allocator = Allocator::new(Options {
        fairness_excludes,
        ..Options::default()
    });
    let (zero, one) = (FrameworkKey(0), FrameworkKey(1));
    let held = vec![
        (zero, Role::default(), parse("cpus:1;mem:900")),
        (one, Role::default(), parse("cpus:2;mem:10")),
    ];
    allocator.add_agent(AgentKey(0), agent("cpus:10;mem:1000"), held);
    allocator.add_framework(zero, profile(&["*"]));
    allocator.add_framework(one, profile(&["*"]));
    assert_eq!(frameworks(&run(&mut allocator, seconds(0))), [0]);
}

#[test]
fn a_whole_agent_goes_to_one_framework() {
    let mut allocator = cluster(&["cpus:8;mem:800;disk:10;ports:[1-9];x:3"], &["*", "b"]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(made.len(), 1);
    assert_eq!(
        made[0].resources,
        parse("cpus:8;mem:800;disk:10;ports:[1-9];x:3")
    );
    assert!(allocator.free(AgentKey(0)).unwrap().is_empty());
}

#[test]
fn what_is_below_the_minimum_is_not_offered() {
    let agents = [
        "cpus:0.009;mem:31;disk:1000",
        "cpus:0.01",
        "mem:32",
        "disk:50;ports:[1-9]",
    ];
    let mut allocator = cluster(&agents, &["*"]);
    let made = run(&mut allocator, seconds(0));
    let agents: BTreeSet<_> = made.iter().map(|offer| offer.agent.0).collect();
    assert_eq!(agents, BTreeSet::from([1, 2]));
    assert_eq!(allocator.next_expiry(), None);
}

#[test]
fn reserved_resources_go_to_their_role_only() {
    let mut allocator = cluster(&[], &["ads", "web"]);
    let total = agent("cpus:2;mem:100;cpus(web):3;mem(web):300");
    allocator.add_agent(AgentKey(0), total, Vec::new());
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [0, 1]);
    assert_eq!(made[0].resources, parse("cpus:2;mem:100"));
    assert_eq!(made[1].resources, parse("cpus(web):3;mem(web):300"));
    give_back(&mut allocator, &made[1], until(9));
    assert!(
        run(&mut allocator, seconds(1)).is_empty(),
        "nobody else may have it"
    );
    assert_eq!(frameworks(&run(&mut allocator, seconds(9))), [1]);
}
