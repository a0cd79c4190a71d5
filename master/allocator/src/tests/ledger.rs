//! Resources are in one place: free, or held by one client.

use super::*;
use crate::Violation;

#[test]
fn an_agent_leaves_with_all_that_was_held_of_it() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 2], &["a"]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(allocator.role_shares()[0].share, 1.0);
    allocator.remove_agent(made[0].agent);
    give_back(&mut allocator, &made[0], until(9));
    allocator.check().unwrap();
    assert_eq!(allocator.free(made[0].agent), None);
    assert_eq!(
        allocator.role_shares()[0].allocated,
        parse("cpus:4;mem:100")
    );
    assert!(run(&mut allocator, seconds(1)).is_empty());
}

#[test]
fn a_framework_leaves_all_it_held_to_others() {
    let mut allocator = cluster(&["cpus:4;mem:100"; 2], &["a"]);
    assert_eq!(run(&mut allocator, seconds(0)).len(), 2);
    allocator.add_framework(FrameworkKey(1), profile(&["b"]));
    allocator.remove_framework(FrameworkKey(0));
    assert_eq!(frameworks(&run(&mut allocator, seconds(1))), [1, 1]);
    assert_eq!(allocator.role_shares().len(), 1);
}

#[test]
fn tasks_of_frameworks_that_have_not_come_back_yet_are_charged() {
    let mut allocator = cluster(&[], &["*"]);
    let (lost, task) = (FrameworkKey(7), parse("cpus:3;mem:64"));
    let used = vec![(lost, role("gone"), task.clone())];
    allocator.add_agent(AgentKey(0), agent("cpus:4;mem:100"), used);
    assert_eq!(
        run(&mut allocator, seconds(0))[0].resources,
        parse("cpus:1;mem:36")
    );
    let held = (FrameworkKey(0), Role::default(), parse("cpus:1;mem:36"));
    assert_eq!(
        allocator.allocated(AgentKey(0)),
        [held, (lost, role("gone"), task.clone())]
    );
    allocator.recover(lost, &role("gone"), AgentKey(0), &task, None);
    assert_eq!(run(&mut allocator, seconds(1))[0].resources, task);
    assert_eq!(
        allocator.role_shares().len(),
        1,
        "its role went with its last resources"
    );
}

#[test]
fn nothing_is_free_of_what_is_held_twice() {
    let mut allocator = cluster(&["cpus:4;mem:100;ports:[1-9]"], &["*"]);
    let offer = run(&mut allocator, seconds(0)).remove(0);
    let task = parse("cpus:3;mem:10;ports:[2-3]");
    allocator.charge(FrameworkKey(9), &role("b"), AgentKey(0), &task);
    allocator.check().unwrap();
    give_back(&mut allocator, &offer, None);
    assert_eq!(
        run(&mut allocator, seconds(1))[0].resources,
        parse("cpus:1;mem:90;ports:[1-1,4-9]")
    );
}

#[test]
fn an_agent_that_shrank_below_what_is_held_offers_the_rest_only() {
    let mut allocator = cluster(&[], &["*"]);
    let task = parse("cpus:3;mem:64");
    let used = vec![(FrameworkKey(0), Role::default(), task.clone())];
    allocator.add_agent(AgentKey(0), agent("cpus:4;mem:100"), used);
    allocator.update_agent(AgentKey(0), agent("cpus:2;mem:200"));
    assert_eq!(
        run(&mut allocator, seconds(0))[0].resources,
        parse("mem:136")
    );
    allocator.recover(FrameworkKey(0), &Role::default(), AgentKey(0), &task, None);
    assert_eq!(
        run(&mut allocator, seconds(1))[0].resources,
        parse("cpus:2;mem:64")
    );
    allocator.update_agent(AgentKey(0), agent("cpus:3;mem:200"));
    assert_eq!(
        run(&mut allocator, seconds(2))[0].resources,
        parse("cpus:1")
    );
}

#[test]
fn all_that_a_framework_held_of_a_shrunken_agent_is_freed_once() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    run(&mut allocator, seconds(0));
    let task = parse("cpus:2;mem:64");
    allocator.charge(FrameworkKey(0), &Role::default(), AgentKey(0), &task);
    allocator.update_agent(AgentKey(0), agent("cpus:1;mem:50"));
    allocator.remove_framework(FrameworkKey(0));
    allocator.check().unwrap();
    assert_eq!(allocator.free(AgentKey(0)), Some(&parse("cpus:1;mem:50")));
}

#[test]
fn two_tasks_on_the_same_port_give_it_back_one_after_the_other() {
    let mut allocator = cluster(&["cpus:4;mem:100;ports:[1-3]"], &[]);
    let task = parse("cpus:1;ports:[2-2]");
    for _ in 0..2 {
        allocator.charge(FrameworkKey(0), &role("a"), AgentKey(0), &task);
    }
    allocator.recover(FrameworkKey(0), &role("a"), AgentKey(0), &task, None);
    allocator.check().unwrap();
    assert_eq!(
        allocator.free(AgentKey(0)),
        Some(&parse("cpus:3;mem:100;ports:[1-1,3-3]"))
    );
    allocator.recover(FrameworkKey(0), &role("a"), AgentKey(0), &task, None);
    allocator.check().unwrap();
    assert_eq!(
        allocator.free(AgentKey(0)),
        Some(&parse("cpus:4;mem:100;ports:[1-3]"))
    );
}

#[test]
fn giving_back_what_is_not_held_is_passed_over_and_reported() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    let offer = run(&mut allocator, seconds(0)).remove(0);
    give_back(&mut allocator, &offer, None);
    give_back(&mut allocator, &offer, None);
    assert_eq!(allocator.free(AgentKey(0)), Some(&parse("cpus:4;mem:100")));
    assert!(matches!(allocator.check(), Err(Violation::NotHeld { .. })));
}

#[test]
fn a_key_that_is_not_dense_is_refused() {
    let mut allocator = cluster(&[], &["*"]);
    allocator.add_agent(AgentKey(u32::MAX), agent("cpus:4"), Vec::new());
    assert_eq!(allocator.check(), Err(Violation::WildKey(u32::MAX)));
}

#[test]
fn an_agent_that_is_added_again_is_another() {
    let mut allocator = cluster(&["cpus:4;mem:100"], &["*"]);
    run(&mut allocator, seconds(0));
    allocator.add_agent(AgentKey(0), agent("cpus:9;mem:900"), Vec::new());
    assert_eq!(
        run(&mut allocator, seconds(0))[0].resources,
        parse("cpus:9;mem:900")
    );
}

#[test]
fn ranges_reserved_to_a_role_that_nobody_is_in_add_up() {
    let allocator = cluster(&["cpus:4;mem:400;ports(far/away):[1-2]"], &["a"]);
    allocator.check().unwrap();
}
