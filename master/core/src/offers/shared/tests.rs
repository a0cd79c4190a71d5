//! Tests of the module that this one belongs to.

use std::sync::Arc;

use tepui_model::{Filters, FrameworkInfo, Offer, OfferId, TaskState};
use tepui_proto::v1::{
    self,
    master::{Call, call},
    quota::QuotaConfig,
    value::Scalar,
};

use crate::{
    Action, FrameworkEvent,
    calls::{Accept, Decline, Subscribe},
    testing::{Cluster, Scheduler, of_roles, operations::reserved, resources, seconds, task_info},
};

fn optimist(name: &str) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        tepui_optimistic_offers: Some(true),
        ..v1::FrameworkInfo::clone(&of_roles(&[name]).wire)
    };
    FrameworkInfo::try_from(wire).unwrap()
}

/// Optimistic frameworks in the roles `a`, `b` and `c`, and what each is shown of one agent. The
/// first holds it.
fn shown(agent: &str) -> (Cluster, [(Scheduler, Arc<Offer>); 3]) {
    let mut cluster = Cluster::new();
    let schedulers = ["a", "b", "c"].map(|name| cluster.subscribe(optimist(name)));
    cluster.register("one", agent);
    cluster.settle();
    let shown = schedulers.map(|scheduler| {
        let offer = cluster.offer(&scheduler);
        (scheduler, offer)
    });
    (cluster, shown)
}

fn rescinded(cluster: &mut Cluster, scheduler: &Scheduler) -> Vec<OfferId> {
    let events = cluster.events(scheduler.connection).into_iter();
    let rescinds = events.filter_map(|event| match event {
        FrameworkEvent::Rescind(id) => Some(id),
        _ => None,
    });
    rescinds.collect()
}

fn launch(cluster: &mut Cluster, (scheduler, offer): &(Scheduler, Arc<Offer>), size: &str) {
    let name = format!("of-{}", scheduler.id);
    let task = task_info(&name, &offer.agent_id, size);
    cluster.accept(scheduler, &[&offer.id], vec![task]);
}

#[test]
fn the_first_accept_wins_and_the_others_hear_at_once() {
    for winner in 0..3 {
        let (mut cluster, shown) = shown("cpus:4;mem:1024");
        launch(&mut cluster, &shown[winner], "cpus:4;mem:1024");
        for (at, (scheduler, offer)) in shown.iter().enumerate() {
            let ended = rescinded(&mut cluster, scheduler);
            let expected: &[OfferId] = match at == winner {
                true => &[],
                false => std::slice::from_ref(&offer.id),
            };
            assert_eq!(ended, expected);
        }
        cluster.settle();
        let tasks = cluster.snapshot().get_tasks();
        let tasks = tasks.tasks.iter();
        let owners: Vec<_> = tasks.map(|task| task.framework_id.value.clone()).collect();
        assert_eq!(owners, [shown[winner].0.id.as_str()]);
    }
}

#[test]
fn an_accept_that_comes_too_late_drops_its_tasks_and_takes_nothing() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    launch(&mut cluster, &shown[1], "cpus:4;mem:1024");
    cluster.events(shown[0].0.connection);
    launch(&mut cluster, &shown[0], "cpus:4;mem:1024");
    let status = cluster.update(&shown[0].0);
    assert_eq!(status.state, TaskState::Dropped);
    let message = status.message.unwrap();
    assert!(message.ends_with("is no longer valid"), "{message}");
}

#[test]
fn what_the_first_leaves_is_shown_to_all_again() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    launch(&mut cluster, &shown[2], "cpus:1;mem:24");
    cluster.settle();
    for (scheduler, _) in &shown {
        let offer = cluster.offer(scheduler);
        assert_eq!(offer.resources, resources("cpus:3;mem:1000"));
    }
}

#[test]
fn a_plain_framework_is_shown_what_is_its_alone_and_what_it_would_be_shown() {
    let offers = |optimists: bool| {
        let mut cluster = Cluster::new();
        let of = |name: &str| match optimists {
            true => optimist(name),
            false => of_roles(&[name]),
        };
        let plain = cluster.subscribe(of_roles(&["p"]));
        let others = [of("a"), of("b")].map(|info| cluster.subscribe(info));
        for name in ["one", "two", "three", "four", "five", "six"] {
            cluster.register(name, "cpus:4;mem:1024");
        }
        cluster.settle();
        let hosts = |cluster: &mut Cluster, scheduler: &Scheduler| {
            let offers = cluster.offers(scheduler).into_iter();
            offers
                .map(|offer| (offer.hostname.clone(), offer.resources.clone()))
                .collect::<Vec<_>>()
        };
        let own = hosts(&mut cluster, &plain);
        (own, others.map(|other| hosts(&mut cluster, &other)))
    };
    let ((own, apart), (with_optimists, shared)) = (offers(false), offers(true));
    assert_eq!(own, with_optimists);
    assert_eq!(shared[0], shared[1]);
    assert_eq!(shared[0].len(), apart[0].len() + apart[1].len());
    assert!(shared[0].iter().all(|seen| !own.contains(seen)));
}

#[test]
fn who_declines_leaves_the_offer_to_the_others() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    let [holder, middle, last] = &shown;
    for (scheduler, offer) in [middle, holder] {
        cluster.decline(scheduler, &offer.id, Filters::refuse(seconds(60)));
    }
    cluster.settle();
    assert_eq!(rescinded(&mut cluster, &last.0), []);
    launch(&mut cluster, last, "cpus:4;mem:1024");
    assert_eq!(cluster.updates(&last.0), []);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 1);
}

#[test]
fn what_all_declined_is_shown_to_nobody_before_a_filter_ends() {
    for by_accept in [false, true] {
        let (mut cluster, shown) = shown("cpus:4;mem:1024");
        for (wait, (scheduler, offer)) in (1..).zip(&shown) {
            let filters = Filters::refuse(seconds(wait * 5));
            let offers = vec![offer.id.clone()];
            let action = match by_accept {
                true => Action::Accept(Accept {
                    offers,
                    operations: Vec::new(),
                    filters,
                    all_or_nothing: false,
                }),
                false => Action::Decline(Decline { offers, filters }),
            };
            cluster.call(scheduler.connection, action);
        }
        cluster.pass(seconds(4));
        for (scheduler, _) in &shown {
            assert_eq!(cluster.offers(scheduler), []);
        }
        cluster.pass(seconds(2));
        let seen = shown.each_ref().map(|(it, _)| cluster.offers(it).len());
        assert_eq!(seen, [1, 0, 0], "the first filter ended");
    }
}

#[test]
fn an_offer_that_nobody_answers_ends_for_all() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    cluster.pass(seconds(30));
    for (scheduler, offer) in &shown {
        let ended = rescinded(&mut cluster, scheduler);
        assert_eq!(ended, std::slice::from_ref(&offer.id));
    }
}

#[test]
fn a_framework_that_is_cut_off_leaves_its_offer_to_the_others() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    cluster.disconnect_framework(&shown[0].0);
    cluster.settle();
    assert_eq!(rescinded(&mut cluster, &shown[1].0), []);
    launch(&mut cluster, &shown[2], "cpus:4;mem:1024");
    let ended = rescinded(&mut cluster, &shown[1].0);
    assert_eq!(ended, std::slice::from_ref(&shown[1].1.id));
}

#[test]
fn an_agent_that_is_cut_off_is_shown_to_nobody() {
    let mut cluster = Cluster::new();
    let both = ["a", "b"].map(|name| cluster.subscribe(optimist(name)));
    let node = cluster.register("one", "cpus:4;mem:1024");
    cluster.settle();
    let offers = both.each_ref().map(|it| cluster.offer(it).id.clone());
    cluster.disconnect_agent(&node);
    for (scheduler, offer) in both.iter().zip(&offers) {
        let ended = rescinded(&mut cluster, scheduler);
        assert_eq!(ended, std::slice::from_ref(offer));
    }
}

#[test]
fn a_view_holds_its_own_part_and_the_rest_is_free() {
    let (mut cluster, shown) = shown("cpus:2;mem:1024;cpus(a):2");
    let [holder, viewer, _] = &shown;
    assert_eq!(viewer.1.resources, resources("cpus:2;mem:1024"));
    launch(&mut cluster, viewer, "cpus:2;mem:1024");
    assert_eq!(rescinded(&mut cluster, &holder.0).len(), 1);
    cluster.settle();
    let rest = cluster.offer(&holder.0);
    assert_eq!(rest.resources, resources("cpus(a):2"));
}

fn operate(cluster: &mut Cluster, kind: call::Type, call: Call) {
    let call = Call {
        r#type: Some(kind.into()),
        ..call
    };
    cluster.v1(call).unwrap();
}

fn how_many_ended(cluster: &mut Cluster, shown: &[(Scheduler, Arc<Offer>); 3]) -> [usize; 3] {
    let ended = shown.each_ref();
    ended.map(|(scheduler, _)| rescinded(cluster, scheduler).len())
}

#[test]
fn a_role_that_is_given_a_limit_is_shown_nothing_that_is_not_counted() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    let config = QuotaConfig {
        role: "b".to_owned(),
        limits: [("cpus".to_owned(), Scalar { value: 4.0 })].into(),
        ..QuotaConfig::default()
    };
    let update_quota = Some(call::UpdateQuota {
        force: None,
        quota_configs: vec![config],
    });
    let call = Call {
        update_quota,
        ..Call::default()
    };
    operate(&mut cluster, call::Type::UpdateQuota, call);
    assert_eq!(how_many_ended(&mut cluster, &shown), [0, 1, 0]);
}

#[test]
fn what_an_operator_reserves_is_taken_back_from_all_who_are_shown_it() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    let reserve_resources = Some(call::ReserveResources {
        agent_id: (&shown[0].1.agent_id).into(),
        source: Vec::new(),
        resources: reserved("cpus:1", "z").to_proto(None),
    });
    let call = Call {
        reserve_resources,
        ..Call::default()
    };
    operate(&mut cluster, call::Type::ReserveResources, call);
    assert_eq!(how_many_ended(&mut cluster, &shown), [1, 1, 1]);
}

/// The framework says of itself anew that it does or does not share offers.
fn say(cluster: &mut Cluster, scheduler: &Scheduler, role: &str, optimistic: bool) {
    let info = match optimistic {
        true => optimist(role),
        false => of_roles(&[role]),
    };
    let update = Box::new(Subscribe::new(info));
    cluster.call(scheduler.connection, Action::UpdateFramework(update));
    assert!(!cluster.endings.contains_key(&scheduler.connection));
}

#[test]
fn who_shares_no_longer_keeps_its_own_offer_alone() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    let [holder, others @ ..] = &shown;
    say(&mut cluster, &holder.0, "a", false);
    assert_eq!(rescinded(&mut cluster, &holder.0), []);
    for (other, view) in others {
        assert_eq!(
            rescinded(&mut cluster, other),
            std::slice::from_ref(&view.id)
        );
    }
    cluster.settle();
    for (other, _) in others {
        assert_eq!(cluster.offers(other), [], "it is the first one's alone");
    }
    launch(&mut cluster, holder, "cpus:4;mem:1024");
    assert_eq!(cluster.updates(&holder.0), []);
    assert_eq!(cluster.snapshot().get_tasks().tasks.len(), 1);
}

#[test]
fn who_shares_no_longer_is_shown_nothing_that_another_holds() {
    let (mut cluster, shown) = shown("cpus:4;mem:1024");
    let [holder, middle, last] = &shown;
    say(&mut cluster, &middle.0, "b", false);
    assert_eq!(
        rescinded(&mut cluster, &middle.0),
        std::slice::from_ref(&middle.1.id)
    );
    for (other, _) in [holder, last] {
        assert_eq!(rescinded(&mut cluster, other), []);
    }
    say(&mut cluster, &middle.0, "b", true);
    for (other, _) in [holder, last] {
        assert_eq!(rescinded(&mut cluster, other), []);
    }
    launch(&mut cluster, last, "cpus:4;mem:1024");
    assert_eq!(cluster.updates(&last.0), []);
    assert_eq!(
        rescinded(&mut cluster, &holder.0),
        std::slice::from_ref(&holder.1.id)
    );
}
