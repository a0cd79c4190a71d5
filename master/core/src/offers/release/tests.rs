//! Tests of the module that this one belongs to.

use core::time::Duration;

use tepui_model::{Filters, OfferId};
use tepui_proto::{services::offer_removed::Reason, v1};

use crate::{
    Action, FrameworkEvent, Notice, OfferEnd,
    testing::{Cluster, aware, config, of_roles, resources, role, seconds},
};

#[test]
fn a_declined_offer_is_not_offered_again_before_its_filter_ends() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::refuse(seconds(10)));
    cluster.pass(seconds(9));
    assert_eq!(cluster.offers(&scheduler).len(), 0);
    cluster.pass(Duration::from_millis(1100));
    assert_eq!(cluster.offer(&scheduler).resources, offer.resources);
}

#[test]
fn what_one_framework_declines_another_is_offered_at_once() {
    let (mut cluster, first, _) = Cluster::pair(aware());
    let second = cluster.subscribe(aware());
    let offer = cluster.offer(&first);
    cluster.decline(&first, &offer.id, Filters::refuse(seconds(60)));
    cluster.settle();
    assert_eq!(cluster.offer(&second).resources, offer.resources);
    assert_eq!(cluster.offers(&first).len(), 0);
}

#[test]
fn an_unknown_or_foreign_offer_cannot_be_declined() {
    let (mut cluster, owner, _) = Cluster::pair(aware());
    let other = cluster.subscribe(aware());
    let offer = cluster.offer(&owner);
    for id in [&offer.id, &OfferId::new("m-O99").unwrap()] {
        cluster.decline(&other, id, Filters::DEFAULT);
    }
    assert_eq!(cluster.warnings.len(), 2);
    assert_eq!(cluster.master.offers_to(Some(&owner.id)).len(), 1);
}

#[test]
fn an_offer_without_an_answer_is_taken_back_in_time() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.pass(Duration::from_millis(29_990));
    assert_eq!(cluster.events(scheduler.connection).len(), 0);
    cluster.notices.clear();
    cluster.pass(Duration::from_millis(20));
    let events = cluster.events(scheduler.connection);
    assert!(matches!(&events[0], FrameworkEvent::Rescind(id) if *id == offer.id));
    let Notice::OfferRemoved { end, .. } = &cluster.notices[0] else {
        panic!()
    };
    assert_eq!(*end, OfferEnd::TimedOut);
}

#[test]
fn who_lets_an_offer_go_by_comes_after_who_has_not_seen_it() {
    let (mut cluster, first, _) = Cluster::pair(aware());
    let second = cluster.subscribe(aware());
    cluster.events(first.connection);
    cluster.pass(seconds(31));
    assert_eq!(cluster.offers(&first).len(), 0);
    assert_eq!(cluster.offers(&second).len(), 1);
}

#[test]
fn offers_stand_for_ever_without_a_timeout() {
    let mut cluster = Cluster::with(crate::Config {
        offer_timeout: None,
        ..config()
    });
    let scheduler = cluster.subscribe(aware());
    cluster.register("one", "cpus:1;mem:32");
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert_eq!(cluster.master.next_offer_timeout(), None);
    // The agent is not there to answer pings, so not longer than that.
    cluster.pass(seconds(74));
    assert_eq!(cluster.master.offers_to(None), [offer]);
}

#[test]
fn changes_within_the_window_make_one_event_of_offers() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(aware());
    for host in ["a", "b", "c"] {
        cluster.register(host, "cpus:1;mem:32");
    }
    assert_eq!(cluster.events(scheduler.connection).len(), 0);
    cluster.settle();
    let events = cluster.events(scheduler.connection);
    let [FrameworkEvent::Offers { offers, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(offers.len(), 3);
}

#[test]
fn a_framework_hears_of_thousands_of_offers_in_parts() {
    let mut cluster = Cluster::new();
    for host in 0..1100 {
        cluster.master_only_register(&format!("host-{host}"), "cpus:1;mem:32");
    }
    let scheduler = cluster.subscribe(aware());
    cluster.settle();
    let sizes: Vec<usize> = cluster
        .events(scheduler.connection)
        .iter()
        .map(|event| match event {
            FrameworkEvent::Offers { offers, .. } => offers.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(sizes, [512, 512, 76]);
}

#[test]
fn an_offer_is_of_one_agent_for_one_role_and_says_where() {
    let (mut cluster, scheduler, node) = Cluster::pair(of_roles(&["web"]));
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.role, role("web"));
    assert_eq!((offer.hostname.as_str(), offer.port), ("one", 5051));
    assert_eq!(
        (&offer.agent_id, &offer.framework_id),
        (&node.id, &scheduler.id)
    );
    let wire = v1::Offer::from(&*offer);
    assert_eq!(wire.allocation_info.unwrap().role(), "web");
    assert!(
        wire.resources
            .iter()
            .all(|item| item.allocation_info.is_some())
    );
    assert_eq!(offer.resources, resources("cpus:4;mem:1024"));
}

#[test]
fn watchers_hear_of_each_offer_and_why_it_ended() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.decline(&scheduler, &offer.id, Filters::NONE);
    let changes: Vec<_> = cluster
        .notices
        .iter()
        .filter_map(Notice::to_offer_change)
        .collect();
    let removed = changes.into_iter().find_map(|change| match change.change {
        Some(tepui_proto::services::offer_change::Change::Removed(removed)) => Some(removed),
        _ => None,
    });
    let removed = removed.unwrap();
    assert_eq!(removed.reason(), Reason::Declined);
    assert_eq!(removed.offer_id.unwrap().value, offer.id.as_str());
}

#[test]
fn a_suppressed_framework_keeps_its_offers_and_gets_no_new_ones() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    cluster.call(scheduler.connection, Action::Suppress(Vec::new()));
    cluster.register("two", "cpus:1;mem:32");
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 0);
    assert_eq!(cluster.master.offers_to(None), [offer]);
    cluster.call(scheduler.connection, Action::Revive(Vec::new()));
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1);
}
