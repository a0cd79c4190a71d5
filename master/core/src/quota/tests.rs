//! Tests of the module that this one belongs to.

use super::*;
use crate::testing::{resources, role};

fn quotas(of: &[(&str, &str, &str)]) -> Quotas {
    let quota = |&(name, guarantees, limits): &(&str, &str, &str)| {
        let quota = Quota {
            guarantees: resources(guarantees).scalars(),
            limits: resources(limits).scalars().iter().collect(),
        };
        (role(name), quota)
    };
    of.iter().map(quota).collect()
}

fn total(of: &[(&str, &str, &str)]) -> String {
    match promised(&quotas(of)) {
        Ok(total) => total.to_string(),
        Err(contradiction) => contradiction.to_string(),
    }
}

#[test]
fn what_is_promised_inside_a_role_is_part_of_its_promise() {
    assert_eq!(total(&[]), "");
    assert_eq!(
        total(&[("a", "cpus:3", ""), ("b", "cpus:1;mem:5", "")]),
        "cpus:4;mem:5"
    );
    assert_eq!(
        total(&[
            ("a", "cpus:3", ""),
            ("a/x", "cpus:1", ""),
            ("a/y/z", "cpus:2", "")
        ]),
        "cpus:3"
    );
    let unguaranteed = [
        ("a", "", "cpus:9"),
        ("a/x", "cpus:1", ""),
        ("a/y/z", "cpus:2", ""),
    ];
    assert_eq!(total(&unguaranteed), "cpus:3");
}

#[test]
fn children_are_not_promised_more_than_their_parent() {
    let text = total(&[
        ("a", "cpus:3", ""),
        ("a/x", "cpus:2", ""),
        ("a/y/z", "cpus:2", ""),
    ]);
    assert_eq!(
        text,
        "Invalid quota configuration. Parent role 'a' with guarantees (cpus:3) does not contain \
         the sum of its children's guarantees (cpus:4)"
    );
    let text = total(&[
        ("a", "cpus:3", ""),
        ("a-b", "mem:1", ""),
        ("a/x", "mem:2", ""),
    ]);
    assert!(
        text.starts_with("Invalid quota configuration. Parent role 'a' "),
        "{text}"
    );
}

#[test]
fn limits_hold_for_everything_inside() {
    let text = total(&[("a", "", "cpus:3"), ("a/y/z", "cpus:4", "")]);
    assert!(
        text.contains("Role 'a' with limits (cpus:3) does not contain"),
        "{text}"
    );
    let text = total(&[("a", "", "cpus:3"), ("a/y/z", "", "cpus:4")]);
    assert!(text.contains("not contained in its ancestor 'a'"), "{text}");
    assert_eq!(
        total(&[("a", "", "cpus:3"), ("a/y/z", "", "cpus:3;mem:9")]),
        ""
    );
}
