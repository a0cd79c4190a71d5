//! Frameworks that know no stacks of reservations, and reservations by configuration (Mesos:
//! RES-01, RES-05).

#![allow(deprecated, reason = "these tests are about the old form")]

use tepui_cluster_tests::Cluster;
use tepui_sdk::v1::{self, framework_info::capability::Type, offer::operation, resource};

use crate::session::{Session, launch, task};

/// What is said of a reservation in the old form: the role and whether it was made while the agent
/// ran.
fn old_form(offer: &v1::Offer, name: &str) -> Vec<(String, bool)> {
    let named = offer.resources.iter().filter(|it| it.name == name);
    named
        .map(|it| {
            assert!(it.reservations.is_empty(), "{it:?}");
            (it.role().to_owned(), it.reservation.is_some())
        })
        .collect()
}

async fn subscribe(cluster: &Cluster, role: &str) -> Session {
    Session::subscribe_with(cluster.master.address(), |info| {
        info.role = Some(role.to_owned());
    })
    .await
}

#[test]
fn a_framework_of_the_old_kind_sees_and_uses_reservations_in_the_old_form() {
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of("cpus(web):1;cpus:1;mem(web):256;disk:64;ports:[]", &[]);
    cluster.await_agents(1);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut session = subscribe(&cluster, "web").await;
        let offer = session.offer().await;
        let mut cpus = old_form(&offer, "cpus");
        cpus.sort();
        assert_eq!(cpus, [("*".to_owned(), false), ("web".to_owned(), false)]);
        assert_eq!(old_form(&offer, "mem"), [("web".to_owned(), false)]);

        let mut reserved = cpus_of("web", 0.5);
        reserved.reservation = Some(resource::ReservationInfo::default());
        let reserve = v1::offer::Operation {
            r#type: Some(operation::Type::Reserve.into()),
            reserve: Some(operation::Reserve {
                resources: vec![reserved.clone()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut user = task("t", &offer, "mem:1");
        user.command.as_mut().unwrap().value = Some("true".to_owned());
        let mut memory = cpus_of("web", 32.0);
        memory.name = "mem".to_owned();
        user.resources = vec![reserved, memory];
        session
            .accept(&[&offer.id.value], vec![reserve, launch(vec![user])])
            .await;
        let end = session
            .next_status(|status| status.state() != v1::TaskState::TaskStarting)
            .await;
        let lives = [v1::TaskState::TaskRunning, v1::TaskState::TaskFinished];
        assert!(lives.contains(&end.state()), "{end:?}");
        session.teardown().await;
    });
}

fn cpus_of(role: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: "cpus".to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        role: Some(role.to_owned()),
        ..Default::default()
    }
}

#[test]
fn the_agents_default_role_is_whom_its_resources_are_reserved_to() {
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of(
        "cpus:1;mem(*):256;disk:64;ports:[]",
        &["--default-role", "db"],
    );
    cluster.await_agents(1);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut other = subscribe(&cluster, "other").await;
        let offer = other.offer().await;
        assert_eq!(old_form(&offer, "mem"), [("*".to_owned(), false)]);
        assert!(old_form(&offer, "cpus").is_empty(), "{offer:?}");
        other.teardown().await;
        let mut owner = Session::subscribe_with(cluster.master.address(), |info| {
            info.role = Some("db".to_owned());
            info.capabilities.push(v1::framework_info::Capability {
                r#type: Some(Type::ReservationRefinement.into()),
            });
        })
        .await;
        let offer = owner.offer().await;
        let cpus = offer.resources.iter().find(|it| it.name == "cpus").unwrap();
        assert_eq!(cpus.reservations[0].role(), "db");
        let fixed = resource::reservation_info::Type::Static;
        assert_eq!(cpus.reservations[0].r#type(), fixed);
        owner.teardown().await;
    });
}
