//! What frameworks state about their offers: asks cut them, and constraints are bounded.

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    Constraint,
    v1::{
        self,
        scheduler::{
            AttributeConstraint, Call, OfferConstraints,
            call::{Subscribe, Type},
            event,
            offer_constraints::{RoleConstraints, role_constraints::Group},
        },
    },
};
use tokio::runtime::Runtime;

use super::{
    expect_alive,
    session::{Session, parse},
};

fn ask(resources: &str, count: u32) -> v1::Request {
    v1::Request {
        resources: parse(resources),
        tepui_count: Some(count),
        ..v1::Request::default()
    }
}

/// The amounts of an offer, ports aside.
fn scalars(offer: &v1::Offer) -> Vec<(String, f64)> {
    let amount = |resource: &v1::Resource| {
        let value = resource.scalar.as_ref()?.value;
        Some((resource.name.clone(), value))
    };
    let mut all: Vec<_> = offer.resources.iter().filter_map(amount).collect();
    all.sort_by(|one, two| one.0.cmp(&two.0));
    all
}

#[test]
fn a_request_cuts_an_offer_and_leaves_the_rest_to_another() {
    let mut cluster = Cluster::start(0);
    let runtime = Runtime::new().unwrap();
    let address = cluster.master.address().to_owned();
    let (mut modest, mut other) = runtime.block_on(async {
        let modest = Session::subscribe(&address).await;
        modest.request(vec![ask("cpus:0.5;mem:64", 2)]).await;
        (modest, Session::subscribe(&address).await)
    });
    cluster.add_agent(&[]);
    runtime.block_on(async {
        let offer = modest.offer().await;
        let wanted = [("cpus", 1.0), ("mem", 128.0)];
        assert_eq!(
            scalars(&offer),
            wanted.map(|(name, it)| (name.to_owned(), it))
        );
        let offer = other.offer().await;
        let rest = [("cpus", 1.0), ("disk", 1024.0), ("mem", 384.0)];
        assert_eq!(
            scalars(&offer),
            rest.map(|(name, it)| (name.to_owned(), it))
        );
        other.teardown().await;
        modest.request(vec![ask("cpus:0.5", 0)]).await;
        let refusal = modest.end().await.expect("a refusal");
        let field = "request.requests[0].tepui_count: ";
        assert!(refusal.message().starts_with(field), "{refusal:?}");
    });
    expect_alive(&cluster);
}

/// Subscribes with constraints; gives the error, if that is the answer.
async fn answer_to(address: &str, groups: Vec<Vec<AttributeConstraint>>) -> Option<String> {
    let group = |attribute_constraints| Group {
        attribute_constraints,
    };
    let constraints = RoleConstraints {
        groups: groups.into_iter().map(group).collect(),
    };
    let subscribe = Subscribe {
        framework_info: v1::FrameworkInfo {
            user: "root".to_owned(),
            name: "endless".to_owned(),
            ..v1::FrameworkInfo::default()
        },
        offer_constraints: Some(OfferConstraints {
            role_constraints: [("*".to_owned(), constraints)].into(),
        }),
        ..Subscribe::default()
    };
    let call = Call {
        r#type: Some(Type::Subscribe.into()),
        subscribe: Some(subscribe),
        ..Call::default()
    };
    let mut session = Session::open(address, call).await;
    let answer = session.first().await;
    match answer.r#type() {
        event::Type::Subscribed => None,
        _ => Some(answer.error.unwrap().message),
    }
}

#[test]
fn endless_constraints_are_refused_and_costly_ones_cost_little() {
    let cluster = Cluster::start(1);
    let address = cluster.master.address();
    Runtime::new().unwrap().block_on(async {
        let is = |rack: usize| vec![Constraint::is("rack", format!("r{rack}")).into()];
        assert_eq!(answer_to(address, (0..1000).map(is).collect()).await, None);
        let regex = |regex: &str| vec![Constraint::matching("hostname", regex)];
        for nested in ["(a*)*b", "((a|aa)*)*c", "(.*)*x"] {
            assert_eq!(answer_to(address, vec![regex(nested)]).await, None);
        }
        for (groups, problem) in [
            (vec![is(1); 100_000], "more than 1024 constraints"),
            (
                vec![regex("a.*b"); 1000],
                "more than 128 regular expressions",
            ),
            (vec![regex(&"x?".repeat(500_000))], "4096 are allowed"),
            (vec![regex("((a{60}){60}){60}")], "too complex"),
            (vec![regex("(")], "Failed to construct regex"),
            (vec![Vec::new()], "empty RoleConstraints::Group"),
            (Vec::new(), "empty 'RoleConstraints::groups'"),
        ] {
            let error = answer_to(address, groups).await.expect(problem);
            assert!(error.contains(problem), "{error}");
        }
    });
    expect_alive(&cluster);
}
