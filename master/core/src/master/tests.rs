//! Tests of the module that this one belongs to.

use tepui_model::Time;
use tepui_proto::v1;

use super::*;
use crate::{
    Effect, Event, Recovered,
    testing::{Cluster, aware, config},
};

#[test]
fn a_master_is_woken_at_once_and_then_only_when_something_is_due() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.master.next_wake(), Some(Time::ZERO));
    cluster.apply(Event::Wake);
    let next = cluster.master.next_wake().unwrap();
    assert_eq!(next, cluster.now + config().registry_gc_interval);
    cluster.subscribe(aware());
    cluster.register("one", "cpus:1;mem:32");
    let window = cluster.master.next_wake().unwrap();
    assert_eq!(window, cluster.now + config().allocation_window);
}

#[test]
fn time_never_runs_backwards() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let later = cluster.master.now;
    cluster.now = Time::ZERO;
    cluster.apply(Event::Wake);
    assert_eq!(cluster.master.now, later);
    assert_eq!(cluster.master.offers_to(None), [offer]);
}

#[test]
fn waking_too_often_does_nothing() {
    let (mut cluster, ..) = Cluster::pair(aware());
    let mut effects = Effects::new();
    for _ in 0..10 {
        cluster.master.apply(cluster.now, Event::Wake, &mut effects);
    }
    assert!(effects.is_empty());
}

#[test]
fn a_master_whose_id_makes_no_ids_is_refused() {
    let config = Config::new(v1::MasterInfo {
        id: "a/b".to_owned(),
        ..Default::default()
    });
    let error = Master::new(config, Recovered::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the master's id cannot be used in ids")
    );
}

#[test]
fn the_same_events_have_the_same_effects() {
    let history = || {
        let (mut cluster, scheduler, node) = Cluster::pair(aware());
        cluster.register("two", "cpus:2;mem:64");
        cluster.subscribe(aware());
        cluster.settle();
        cluster.disconnect_agent(&node);
        cluster.disconnect_framework(&scheduler);
        cluster.pass(crate::testing::seconds(100));
        format!("{:?}", cluster.notices)
    };
    assert_eq!(history(), history());
}

#[test]
fn records_come_before_what_depends_on_them() {
    let mut cluster = Cluster::new();
    let mut effects = Effects::new();
    let subscribe = crate::calls::Subscribe::new(aware());
    let call = crate::Action::Subscribe(Box::new(subscribe)).into();
    let connection = crate::ConnectionId(1);
    cluster
        .master
        .apply(cluster.now, Event::Call { connection, call }, &mut effects);
    let first = effects.iter().next();
    assert!(matches!(first, Some(Effect::Persist(_))), "{first:?}");
}
