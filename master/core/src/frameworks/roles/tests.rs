//! Tests of the module that this one belongs to.

use tepui_model::Filters;

use crate::{
    Action,
    testing::{Cluster, of_roles, role, seconds},
};

#[test]
fn reviving_a_role_clears_its_filters() {
    let (mut cluster, scheduler, _) = Cluster::pair(of_roles(&["a"]));
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::refuse(seconds(3600)));
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 0);
    cluster.call(scheduler.connection, Action::Revive(vec![role("a")]));
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1);
}

#[test]
fn one_foreign_role_and_the_whole_call_has_no_effect() {
    let (mut cluster, scheduler, _) = Cluster::pair(of_roles(&["a"]));
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::refuse(seconds(3600)));
    cluster.call(
        scheduler.connection,
        Action::Revive(vec![role("a"), role("b")]),
    );
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 0);
    cluster.call(
        scheduler.connection,
        Action::Suppress(vec![role("a"), role("b")]),
    );
    cluster.register("two", "cpus:1;mem:32");
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1, "it is not suppressed");
    assert_eq!(cluster.warnings.len(), 2);
}

#[test]
fn a_call_that_mesos_takes_and_ignores_is_taken_and_ignored() {
    let (mut cluster, scheduler, _) = Cluster::pair(of_roles(&["a"]));
    let ignored = Action::Ignored("REQUEST".to_owned());
    cluster.call(scheduler.connection, ignored);
    assert_eq!(cluster.warnings, ["ignoring REQUEST"]);
    assert!(cluster.endings.is_empty());
}
