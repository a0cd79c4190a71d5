//! Tests of the module that this one belongs to.

use tepui_proto::services::{ExplainRequest, RolePriority, explain_request::Subject};

use crate::{
    OperatorCall, OperatorError, OperatorReply, RecordKind,
    limits::MAX_PRIORITIES_PER_CALL,
    testing::{Cluster, of_roles},
};

fn update(
    cluster: &mut Cluster,
    priorities: &[(&str, Option<i32>)],
) -> Result<OperatorReply, OperatorError> {
    let one = |(role, priority): &(&str, Option<i32>)| RolePriority {
        role: (*role).to_owned(),
        priority: *priority,
    };
    let priorities = priorities.iter().map(one).collect();
    cluster.operate(OperatorCall::UpdatePriorities(priorities))
}

fn set(cluster: &mut Cluster) -> Vec<(String, i32)> {
    match cluster.operate(OperatorCall::Priorities) {
        Ok(OperatorReply::Priorities(set)) => set
            .into_iter()
            .map(|one| (one.role, one.priority.unwrap()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn priorities_are_kept_across_a_restart_and_count_there() {
    let mut cluster = Cluster::new();
    update(
        &mut cluster,
        &[("a", Some(10)), ("b/c", Some(-3)), ("d", Some(1))],
    )
    .unwrap();
    update(&mut cluster, &[("d", None), ("never", None)]).unwrap();
    cluster.restart();
    let expected = [("a".to_owned(), 10), ("b/c".to_owned(), -3)];
    assert_eq!(set(&mut cluster), expected);
    let allocator = &cluster.master.allocator;
    assert_eq!(allocator.priority(&crate::testing::role("a/below")), 10);
}

#[test]
fn one_invalid_priority_and_none_is_set() {
    let mut cluster = Cluster::new();
    let error = update(&mut cluster, &[("good", Some(1)), ("a b", Some(1))]).unwrap_err();
    assert!(matches!(error, OperatorError::Invalid(_)), "{error}");
    let many = vec![("a", Some(1)); MAX_PRIORITIES_PER_CALL + 1];
    let error = update(&mut cluster, &many).unwrap_err();
    assert_eq!(error.to_string(), "more than 10000 priorities");
    assert_eq!(set(&mut cluster), []);
    let mut kinds = cluster.registry.keys().map(|(kind, _)| *kind);
    assert!(!kinds.any(|kind| kind == RecordKind::Priority));
}

#[test]
fn a_priority_is_felt_at_once_and_said_to_be_in_the_way() {
    let mut cluster = Cluster::new();
    let low = cluster.subscribe(of_roles(&["low"]));
    cluster.register("one", "cpus:1;mem:32");
    cluster.settle();
    let high = cluster.subscribe(of_roles(&["high/x"]));
    cluster.settle();
    let offers = |cluster: &mut Cluster| (cluster.offers(&low).len(), cluster.offers(&high).len());
    assert_eq!(offers(&mut cluster), (1, 0));
    update(&mut cluster, &[("high", Some(10))]).unwrap();
    cluster.settle();
    assert_eq!(offers(&mut cluster), (0, 1), "its children inherit it");
    let subject = Some(Subject::FrameworkId((&low.id).into()));
    let request = ExplainRequest { subject };
    let answer = cluster.operate(OperatorCall::Explain(Box::new(request)));
    let Ok(OperatorReply::Explanation(found)) = answer else {
        panic!("{answer:?}");
    };
    let words = "role high/x of priority 10 is ahead";
    assert_eq!(found.contenders[0].priorities_ahead, [words]);
    assert!(found.summary.ends_with(words), "{}", found.summary);
}
