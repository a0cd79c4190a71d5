//! Tests of the module that this one belongs to.

use crate::testing::{Cluster, aware};

use super::*;

#[test]
fn a_snapshot_of_offers_ends_with_its_end() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let changes: Vec<_> = offer_snapshot([&*offer]).collect();
    assert_eq!(changes.len(), 2);
    let first = changes[0].change.clone().unwrap();
    assert!(
        matches!(first, offer_change::Change::Added(wire) if wire.id.value == offer.id.as_str())
    );
    let last = changes[1].change.clone().unwrap();
    assert!(matches!(last, offer_change::Change::SnapshotEnd(_)));
}

#[test]
fn changes_of_offers_are_not_in_the_stream_of_events_nor_the_other_way_round() {
    let (cluster, ..) = Cluster::pair(aware());
    for notice in &cluster.notices {
        assert_ne!(
            notice.to_event().is_some(),
            notice.to_offer_change().is_some()
        );
    }
}

#[test]
fn agents_and_frameworks_are_in_the_stream_of_events_as_they_come_and_go() {
    let (mut cluster, scheduler, node) = Cluster::pair(aware());
    cluster.disconnect_framework(&scheduler);
    cluster.apply(crate::Event::AgentUnregister {
        connection: node.connection,
    });
    cluster.pass(crate::testing::seconds(61));
    let events = cluster.notices.iter().filter_map(Notice::to_event);
    let kinds: Vec<_> = events.map(|event| event.r#type().as_str_name()).collect();
    let expected = [
        "FRAMEWORK_ADDED",
        "AGENT_ADDED",
        "FRAMEWORK_UPDATED",
        "AGENT_REMOVED",
        "FRAMEWORK_REMOVED",
    ];
    assert_eq!(kinds, expected);
}
