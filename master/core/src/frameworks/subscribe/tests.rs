//! Tests of the module that this one belongs to.

use tepui_model::{FrameworkId, FrameworkInfo};
use tepui_proto::v1;

use crate::{
    Action, Config, Ending, Event, FrameworkEvent, Notice, RecordKind, SchedulerCall,
    calls::Subscribe,
    testing::{Cluster, aware, config, of_roles, role, seconds, task_info, with_timeout},
};

fn changed(info: &FrameworkInfo, change: impl FnOnce(&mut v1::FrameworkInfo)) -> FrameworkInfo {
    let mut wire = v1::FrameworkInfo::clone(&info.wire);
    change(&mut wire);
    FrameworkInfo::try_from(wire).unwrap()
}

#[test]
fn a_new_framework_gets_an_id_a_record_and_offers() {
    let mut cluster = Cluster::new();
    let first = cluster.subscribe(aware());
    let second = cluster.subscribe(aware());
    assert_eq!(
        (first.id.as_str(), second.id.as_str()),
        ("m-0000", "m-0001")
    );
    let key = (RecordKind::Framework, "m-0000".to_owned());
    assert!(cluster.registry.contains_key(&key));
    let added = cluster.notices.iter();
    assert_eq!(
        added
            .filter(|notice| matches!(notice, Notice::FrameworkAdded(_)))
            .count(),
        2
    );
}

#[test]
fn subscribed_names_the_master_and_the_heartbeats() {
    let mut cluster = Cluster::new();
    let connection = cluster.try_subscribe(aware());
    let events = cluster.events(connection);
    let [
        FrameworkEvent::Subscribed {
            heartbeat_interval,
            master,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (heartbeat_interval.as_secs(), master.id.as_str()),
        (15, "m")
    );
}

#[test]
fn a_second_subscription_wins_and_the_first_hears_failed_over() {
    let (mut cluster, first, node) = Cluster::pair(aware());
    let offer = cluster.offer(&first);
    let second = cluster.subscribe(aware().with_id(first.id.clone()));
    assert_eq!(second.id, first.id);
    assert_eq!(
        cluster.error(first.connection).unwrap(),
        "Framework failed over"
    );
    assert_eq!(cluster.endings[&first.connection], Ending::Done);
    cluster.settle();
    let again = cluster.offer(&second);
    assert_ne!(
        again.id, offer.id,
        "offers to the old scheduler are not valid for the new one"
    );
    cluster.accept(
        &second,
        &[&again.id],
        vec![task_info("t", &node.id, "cpus:1")],
    );
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn an_unknown_id_is_adopted() {
    let mut cluster = Cluster::new();
    let id = FrameworkId::new("chosen-by-itself").unwrap();
    let scheduler = cluster.subscribe(aware().with_id(id.clone()));
    assert_eq!(scheduler.id, id);
}

#[test]
fn a_removed_id_is_refused_also_by_the_next_master() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(aware());
    cluster.call(scheduler.connection, Action::Teardown);
    for restart in [false, true] {
        if restart {
            cluster.restart();
        }
        let connection = cluster.try_subscribe(aware().with_id(scheduler.id.clone()));
        assert_eq!(
            cluster.error(connection).unwrap(),
            "Framework has been removed"
        );
        assert_eq!(cluster.endings[&connection], Ending::Done);
    }
}

#[test]
fn another_principal_cannot_take_a_framework_over() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(changed(&aware(), |wire| wire.principal = Some("a".into())));
    let thief = changed(&aware(), |wire| wire.principal = Some("b".into()));
    let connection = cluster.try_subscribe(thief.with_id(scheduler.id.clone()));
    let problem = cluster.error(connection).unwrap();
    assert_eq!(problem, "Changing framework's principal is not allowed");
    assert!(!cluster.endings.contains_key(&scheduler.connection));
}

#[test]
fn a_new_subscription_changes_all_but_user_and_checkpoint() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(aware());
    let other = changed(&aware(), |wire| {
        wire.user = "root".to_owned();
        wire.checkpoint = Some(true);
        wire.name = "renamed".to_owned();
    });
    cluster.subscribe(other.with_id(scheduler.id));
    let view = cluster.snapshot().get_frameworks();
    let info = &view.frameworks[0].framework_info;
    assert_eq!(
        (info.name.as_str(), info.user.as_str()),
        ("renamed", "nobody")
    );
    assert!(!info.checkpoint());
}

#[test]
fn suppressed_roles_must_be_the_frameworks_own() {
    let mut cluster = Cluster::new();
    let connection = cluster.stream();
    let subscribe = Subscribe {
        suppressed_roles: vec![role("c")],
        ..Subscribe::new(of_roles(&["a", "b"]))
    };
    cluster.call(connection, Action::Subscribe(Box::new(subscribe)));
    let expected = "Suppressed roles { c } are not contained in the set of roles { a, b }";
    assert_eq!(cluster.error(connection).unwrap(), expected);
}

#[test]
fn a_role_suppressed_at_subscription_gets_no_offers() {
    let mut cluster = Cluster::new();
    cluster.register("one", "cpus:1;mem:32");
    let connection = cluster.stream();
    let subscribe = Subscribe {
        suppressed_roles: vec![role("a")],
        ..Subscribe::new(of_roles(&["a"]))
    };
    cluster.call(connection, Action::Subscribe(Box::new(subscribe)));
    cluster.settle();
    assert_eq!(cluster.events(connection).len(), 1, "SUBSCRIBED alone");
    cluster.call(connection, Action::Revive(vec![role("a")]));
    cluster.settle();
    assert_eq!(cluster.events(connection).len(), 1);
}

#[test]
fn the_first_call_must_be_subscribe() {
    let mut cluster = Cluster::new();
    let connection = cluster.stream();
    cluster.call(connection, Action::Revive(Vec::new()));
    let Ending::NotNow(problem) = &cluster.endings[&connection] else {
        panic!()
    };
    assert_eq!(problem, "the first call must be SUBSCRIBE");
}

#[test]
fn a_stream_subscribes_once() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(aware());
    let info = aware().with_id(scheduler.id.clone());
    cluster.call(
        scheduler.connection,
        Action::Subscribe(Box::new(Subscribe::new(info.clone()))),
    );
    assert!(matches!(
        cluster.endings[&scheduler.connection],
        Ending::NotNow(_)
    ));
    assert_eq!(
        cluster.subscribe(info).id,
        scheduler.id,
        "the framework lives"
    );
}

#[test]
fn a_call_in_another_frameworks_name_ends_the_stream() {
    let (mut cluster, first, _) = Cluster::pair(aware());
    let second = cluster.subscribe(aware());
    let call = SchedulerCall {
        framework_id: Some(first.id.clone()),
        action: Action::Teardown,
    };
    cluster.apply(Event::Call {
        connection: second.connection,
        call,
    });
    assert!(matches!(
        cluster.endings[&second.connection],
        Ending::InvalidCall(_)
    ));
    let view = cluster.snapshot().get_frameworks();
    assert_eq!(view.frameworks.len(), 2);
    assert!(view.completed_frameworks.is_empty());
}

#[test]
fn an_invalid_subscription_is_an_error_event() {
    let mut cluster = Cluster::new();
    let connection = cluster.stream();
    cluster.call(
        connection,
        Action::InvalidSubscription("no user".to_owned()),
    );
    assert_eq!(cluster.error(connection).unwrap(), "no user");
    assert_eq!(cluster.endings[&connection], Ending::Done);
}

fn update(cluster: &mut Cluster, scheduler: &crate::testing::Scheduler, info: FrameworkInfo) {
    let update = Box::new(Subscribe::new(info));
    cluster.call(scheduler.connection, Action::UpdateFramework(update));
}

#[test]
fn an_update_takes_back_the_offers_of_roles_that_are_left() {
    let (mut cluster, scheduler, _) = Cluster::pair(of_roles(&["a", "b"]));
    let offer = cluster.offer(&scheduler);
    let kept = if offer.role == role("a") { "b" } else { "a" };
    update(&mut cluster, &scheduler, of_roles(&[kept]));
    let events = cluster.events(scheduler.connection);
    assert!(matches!(&events[0], FrameworkEvent::Rescind(id) if *id == offer.id));
    cluster.settle();
    assert_eq!(cluster.offer(&scheduler).role, role(kept));
}

#[test]
fn an_update_cannot_change_user_checkpoint_or_principal() {
    let changes: [fn(&mut v1::FrameworkInfo); 3] = [
        |wire| wire.user = "root".to_owned(),
        |wire| wire.checkpoint = Some(true),
        |wire| wire.principal = Some("p".to_owned()),
    ];
    for change in changes {
        let (mut cluster, scheduler, _) = Cluster::pair(aware());
        update(&mut cluster, &scheduler, changed(&aware(), change));
        let Ending::InvalidCall(problem) = &cluster.endings[&scheduler.connection] else {
            panic!();
        };
        assert!(problem.starts_with("Updating 'FrameworkInfo."), "{problem}");
    }
}

#[test]
fn an_update_is_kept_in_the_registry() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_timeout(60.0));
    update(
        &mut cluster,
        &scheduler,
        changed(&aware(), |wire| wire.name = "renamed".to_owned()),
    );
    cluster.restart();
    cluster.pass(seconds(1));
    let view = cluster.snapshot().get_frameworks();
    assert_eq!(view.frameworks[0].framework_info.name, "renamed");
    assert!(view.frameworks[0].recovered);
}

#[test]
fn frameworks_are_bounded_and_those_there_can_still_come_back() {
    let mut config = crate::testing::config();
    config.limits.frameworks = 2;
    let mut cluster = Cluster::with(config);
    let first = cluster.subscribe(aware());
    cluster.subscribe(aware());
    let connection = cluster.try_subscribe(aware());
    let problem = cluster.error(connection).unwrap();
    assert_eq!(problem, "There are 2 frameworks already");
    assert_eq!(
        cluster.subscribe(aware().with_id(first.id.clone())).id,
        first.id
    );
}

#[test]
fn only_roles_of_the_list_can_be_had_and_the_default_one_always() {
    let mut cluster = Cluster::with(Config {
        roles: Some([role("a"), role("a/b")].into()),
        ..config()
    });
    let connection = cluster.try_subscribe(of_roles(&["a", "x", "y/z"]));
    assert_eq!(
        cluster.error(connection).unwrap(),
        "Roles { x, y/z } are not present in the master's --roles"
    );
    let scheduler = cluster.subscribe(of_roles(&["a/b", "*"]));
    update(&mut cluster, &scheduler, of_roles(&["a", "b"]));
    let ending = &cluster.endings[&scheduler.connection];
    let problem = "Roles { b } are not present in the master's --roles".to_owned();
    assert_eq!(*ending, Ending::InvalidCall(problem));
}
