//! Tests of the module that this one belongs to.

use tepui_model::FrameworkId;
use tepui_proto::v1::{
    OfferFilters,
    offer_filters::{MinAllocatableResources, ResourceQuantities},
    scheduler::{
        AttributeConstraint,
        attribute_constraint::{
            Predicate, Selector,
            predicate::{self, TextMatches},
            selector::{self, PseudoattributeType},
        },
        offer_constraints::{RoleConstraints, role_constraints::Group},
    },
    value::Scalar,
};

use super::*;
use crate::{
    Action,
    calls::Subscribe,
    testing::{Cluster, Scheduler, of_roles, role},
};

/// The framework can use agents whose host name matches.
fn hosts(role: &str, regex: &str) -> OfferConstraints {
    let pseudo = PseudoattributeType::Hostname;
    let selector = selector::Selector::PseudoattributeType(pseudo.into());
    let matches = TextMatches {
        regex: regex.to_owned(),
    };
    let constraint = AttributeConstraint {
        selector: Selector {
            selector: Some(selector),
        },
        predicate: Predicate {
            predicate: Some(predicate::Predicate::TextMatches(matches)),
        },
    };
    let group = Group {
        attribute_constraints: vec![constraint],
    };
    let constraints = RoleConstraints {
        groups: vec![group],
    };
    OfferConstraints {
        role_constraints: [(role.to_owned(), constraints)].into(),
    }
}

fn constrained(info: FrameworkInfo, constraints: &OfferConstraints) -> Box<Subscribe> {
    Box::new(Subscribe {
        constraints: Some(Arc::new(constraints.clone())),
        ..Subscribe::new(info)
    })
}

fn subscribe(cluster: &mut Cluster, constraints: &OfferConstraints) -> Scheduler {
    let connection = cluster.stream();
    let subscribe = constrained(of_roles(&["a"]), constraints);
    cluster.call(connection, Action::Subscribe(subscribe));
    let framework = cluster.master.frameworks.iter().last();
    let id = framework.map(|framework| framework.id.clone());
    Scheduler {
        connection,
        id: id.unwrap_or_else(|| FrameworkId::new("none").unwrap()),
    }
}

fn hostnames(cluster: &mut Cluster, scheduler: &Scheduler) -> Vec<String> {
    let offers = cluster.offers(scheduler);
    let names = offers.iter().map(|offer| offer.hostname.clone());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn view(cluster: &Cluster) -> Option<OfferConstraints> {
    let view = cluster.snapshot().get_frameworks();
    view.frameworks[0].offer_constraints.clone()
}

#[test]
fn constraints_keep_agents_from_a_framework_until_they_change() {
    let mut cluster = Cluster::new();
    let ones = hosts("a", "one-[0-9]+");
    let scheduler = subscribe(&mut cluster, &ones);
    cluster.register("one-1", "cpus:4;mem:64");
    cluster.register("two-1", "cpus:4;mem:64");
    cluster.settle();
    assert_eq!(hostnames(&mut cluster, &scheduler), ["one-1"]);
    assert_eq!(view(&cluster), Some(ones));
    let mut info = of_roles(&["a"]);
    info.id = Some(scheduler.id.clone());
    let twos = hosts("a", "two-.*");
    let update = constrained(info.clone(), &twos);
    cluster.call(scheduler.connection, Action::UpdateFramework(update));
    cluster.settle();
    let rescinded = cluster.snapshot().get_frameworks().frameworks[0]
        .offers
        .len();
    assert_eq!(rescinded, 2, "what is offered already stays offered");
    assert_eq!(hostnames(&mut cluster, &scheduler), ["two-1"]);
    assert_eq!(view(&cluster), Some(twos));
    let update = Box::new(Subscribe::new(info));
    cluster.call(scheduler.connection, Action::UpdateFramework(update));
    cluster.register("three", "cpus:4;mem:64");
    cluster.settle();
    assert_eq!(hostnames(&mut cluster, &scheduler), ["three"]);
    assert_eq!(view(&cluster), Some(OfferConstraints::default()));
}

#[test]
fn constraints_are_known_after_a_restart_and_when_the_framework_is_over() {
    let mut cluster = Cluster::new();
    let ones = hosts("a", "one");
    let scheduler = subscribe(&mut cluster, &ones);
    cluster.restart();
    assert_eq!(view(&cluster), Some(ones.clone()));
    let mut info = of_roles(&["a"]);
    info.id = Some(scheduler.id);
    let connection = cluster.stream();
    let subscribe = constrained(info, &ones);
    cluster.call(connection, Action::Subscribe(subscribe));
    cluster.call(connection, Action::Teardown);
    let view = cluster.snapshot().get_frameworks();
    assert_eq!(view.completed_frameworks[0].offer_constraints, Some(ones));
}

#[test]
fn constraints_that_make_no_sense_are_answered_and_change_nothing() {
    let mut cluster = Cluster::new();
    let empty = OfferConstraints {
        role_constraints: [("a".to_owned(), RoleConstraints::default())].into(),
    };
    let cases = [
        (
            hosts("b", "x"),
            "Offer constraints specify `role_constraints` for a role 'b' not contained in the set \
             of roles",
        ),
        (
            empty,
            "Offer constraints are not valid: 'OfferConstraints::role_constraints' has an empty \
             'RoleConstraints::groups' for role a",
        ),
        (
            hosts("a", "("),
            "Offer constraints are not valid: A role a has an invalid 'AttributeConstraint': \
             Failed to construct regex from pattern '('",
        ),
        (
            hosts("a", "(a{100}){100}"),
            "Offer constraints are not valid: A role a has an invalid 'AttributeConstraint': \
             Regex '(a{100}){100}' is too complex",
        ),
    ];
    let kept = subscribe(&mut cluster, &hosts("a", "one"));
    cluster.events(kept.connection);
    for (wrong, said) in cases {
        let refused = subscribe(&mut cluster, &wrong);
        let error = cluster.error(refused.connection).unwrap();
        assert!(error.starts_with(said), "{error}");
        assert!(cluster.endings.contains_key(&refused.connection));
        let mut other = Cluster::new();
        let scheduler = subscribe(&mut other, &hosts("a", "one"));
        let update = constrained(of_roles(&["a"]), &wrong);
        other.call(scheduler.connection, Action::UpdateFramework(update));
        let ending = format!("{:?}", other.endings[&scheduler.connection]);
        assert!(
            ending.contains("InvalidCall") && ending.contains(said),
            "{ending}"
        );
        assert_eq!(view(&other), Some(hosts("a", "one")));
    }
    assert_eq!(cluster.master.frameworks.slab.len(), 1);
}

fn with_minimum(cpus: f64) -> FrameworkInfo {
    let quantities = [("cpus".to_owned(), Scalar { value: cpus })].into();
    let filters = OfferFilters {
        min_allocatable_resources: Some(MinAllocatableResources {
            quantities: vec![ResourceQuantities { quantities }],
        }),
    };
    let mut info = of_roles(&["a"]);
    let wire = Arc::make_mut(&mut info.wire);
    wire.offer_filters = [("a".to_owned(), filters.clone()), ("z".to_owned(), filters)].into();
    info
}

#[test]
fn a_framework_is_offered_no_less_than_its_minimum() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(with_minimum(3.0));
    cluster.register("small", "cpus:2;mem:64");
    cluster.register("large", "cpus:3;mem:64");
    cluster.settle();
    assert_eq!(hostnames(&mut cluster, &scheduler), ["large"]);
    let mut info = with_minimum(1.0);
    info.id = Some(scheduler.id.clone());
    let update = Box::new(Subscribe::new(info));
    cluster.call(scheduler.connection, Action::UpdateFramework(update));
    cluster.settle();
    assert_eq!(hostnames(&mut cluster, &scheduler), ["small"]);
}

#[test]
fn a_minimum_that_is_no_quantity_is_answered() {
    let mut cluster = Cluster::new();
    for (cpus, what) in [(-1.0, "Negative"), (f64::NAN, "NaN")] {
        let connection = cluster.try_subscribe(with_minimum(cpus));
        let error = cluster.error(connection).unwrap();
        assert_eq!(
            error,
            format!(
                "FrameworkInfo.offer_filters of role 'a': Invalid resource quantity for 'cpus': \
                 {what} values not supported"
            )
        );
    }
}

#[test]
fn limits_that_were_lowered_since_leave_the_constraints_to_be_seen() {
    let wide = Arc::new(hosts("a", "[a-z]{50}"));
    let narrow = RegexLimits {
        program: 1,
        ..RegexLimits::default()
    };
    let info = of_roles(&["a"]);
    assert!(Terms::new(&info, Some(wide.clone()), &narrow).is_err());
    let terms = Terms::recovered(&info, Some(wide.clone()), &narrow);
    assert_eq!(terms.stated, Some(wide));
    assert!(terms.constraints.is_empty());
    let kept = Terms::new(&info, terms.stated, &RegexLimits::default()).unwrap();
    assert!(kept.constraints.contains_key(&role("a")));
}
