//! Priorities of roles: who comes first whatever the shares, and what is inherited.

use super::{drf::fill, *};

fn prioritized(roles: &[&str], priorities: &[(&str, i32)]) -> Allocator {
    let mut allocator = cluster(&["cpus:12;mem:12000"], roles);
    for (name, priority) in priorities {
        allocator.set_priority(&role(name), Some(*priority));
    }
    allocator
}

fn shared(roles: &[&str], priorities: &[(&str, i32)]) -> Vec<usize> {
    let mut allocator = prioritized(roles, priorities);
    fill(&mut allocator, &vec!["cpus:1;mem:100"; roles.len()])
}

#[test]
fn a_higher_priority_gets_all_it_wants_before_others_get_anything() {
    assert_eq!(shared(&["a", "b"], &[("b", 1)]), [0, 12]);
    assert_eq!(shared(&["a", "b"], &[("a", -1)]), [0, 12]);
}

#[test]
fn equal_priorities_share_as_if_there_were_none() {
    assert_eq!(shared(&["a", "b"], &[("a", 7), ("b", 7)]), [6, 6]);
    assert_eq!(shared(&["a", "b"], &[]), [6, 6]);
}

#[test]
fn a_priority_counts_among_the_siblings_of_a_role_only() {
    let counts = shared(&["a/x", "a/y", "b"], &[("a/x", 9)]);
    assert_eq!(counts, [6, 0, 6], "a and b are equals");
}

#[test]
fn a_role_without_a_priority_has_that_of_the_role_above() {
    // a/y inherits 5 and so does the framework in a itself.
    let priorities = [("a", 5), ("a/x", 4)];
    assert_eq!(shared(&["a/x", "a/y", "a"], &priorities), [0, 6, 6]);
    let mut allocator = prioritized(&["a/x", "a/y/z"], &priorities);
    let of = |allocator: &Allocator, name| allocator.priority(&role(name));
    assert_eq!(of(&allocator, "a/y/z"), 5);
    assert_eq!(of(&allocator, "a/new"), 5, "even if nothing is known of it");
    assert_eq!(of(&allocator, "a/x"), 4);
    allocator.set_priority(&role("a"), None);
    allocator.check().unwrap();
    assert_eq!(of(&allocator, "a/y/z"), 0);
    assert_eq!(of(&allocator, "a/x"), 4, "its own stays");
}

#[test]
fn a_limit_bounds_even_the_highest_priority() {
    let mut allocator = prioritized(&["a", "b"], &[("b", 1)]);
    let limits = parse("cpus:3").scalars();
    let quota = tepui_model::Quota {
        limits: limits.iter().collect(),
        ..tepui_model::Quota::default()
    };
    allocator.set_quota(&role("b"), quota);
    assert_eq!(fill(&mut allocator, &["cpus:1;mem:100"; 2]), [9, 3]);
}

#[test]
fn who_is_before_whom_is_decided_where_their_ways_part() {
    let priorities = [("a", 1), ("a/x", 9), ("b", 5), ("a/low", -1)];
    let allocator = prioritized(&["a/x", "b"], &priorities);
    let before = |one, two| allocator.is_before(&role(one), &role(two));
    assert!(before("b", "a/x"), "b is before a, however high x is in a");
    assert!(!before("a/x", "b"));
    assert!(
        before("a/x", "a"),
        "the role's own frameworks have its priority"
    );
    assert!(before("a", "a/low"));
    assert!(!before("a", "a/other") && !before("a/other", "a"), "equals");
    assert!(!before("b", "b"));
}

fn ask(text: &str, priority: i32) -> crate::Ask {
    crate::Ask {
        priority,
        ..crate::Ask::new(parse(text), 1)
    }
}

#[test]
fn within_a_role_the_most_urgent_ask_is_served_first() {
    let mut allocator = cluster(&["cpus:4"], &["a", "a", "a"]);
    let [one, two, three] = [0, 1, 2].map(FrameworkKey);
    allocator.request(one, &role("a"), vec![ask("cpus:1", -1), ask("cpus:4", 3)]);
    allocator.request(two, &role("a"), vec![ask("cpus:4", 7)]);
    let made = run(&mut allocator, seconds(0));
    assert_eq!(frameworks(&made), [1]);
    give_back(&mut allocator, &made[0], until(9));
    let made = run(&mut allocator, seconds(1));
    assert_eq!(frameworks(&made), [0]);
    assert_eq!(made[0].resources, parse("cpus:4"), "not the one of -1");
    allocator.accept(one, &role("a"), made[0].agent, &made[0].resources);
    give_back(&mut allocator, &made[0], None);
    // What is left of the first one's asks comes after a framework that asks for nothing.
    allocator.remove_framework(two);
    assert_eq!(frameworks(&run(&mut allocator, seconds(2))), [three.0]);
}

#[test]
fn a_priority_of_asks_counts_in_their_role_only() {
    let mut allocator = cluster(&["cpus:4"], &["a", "b"]);
    allocator.request(FrameworkKey(1), &role("b"), vec![ask("cpus:4", 7)]);
    assert_eq!(frameworks(&run(&mut allocator, seconds(0))), [0]);
}
