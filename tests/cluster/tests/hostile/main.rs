//! What a wrong or hostile client may say to a master: it hears an error, and the process lives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

mod changes;
mod session;
mod shaping;

use tepui_cluster_tests::Cluster;
use tepui_sdk::v1::{self, scheduler::event::Type as Event};

use session::{Session, launch, task};

/// The master still runs work, after whatever was said to it.
fn expect_alive(cluster: &Cluster) {
    assert_eq!(
        cluster.tepui(&["run", "--", "echo", "alive"]).ok(),
        "alive\n"
    );
}

/// Subscribes, takes an offer, runs `talk` with both, and checks that the master lives.
fn with_offer(talk: impl AsyncFnOnce(&mut Session, v1::Offer)) {
    let cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut session = Session::subscribe(cluster.master.address()).await;
        let offer = session.offer().await;
        talk(&mut session, offer).await;
        session.teardown().await;
    });
    expect_alive(&cluster);
}

/// The one update that answers a launch.
async fn answer_to(session: &mut Session, offers: &[&str], task: v1::TaskInfo) -> v1::TaskStatus {
    let id = task.task_id.clone();
    session.accept(offers, vec![launch(vec![task])]).await;
    session.status_of(&id.value).await
}

#[test]
fn an_offer_of_nobody_drops_the_task() {
    with_offer(async |session, offer| {
        let status = answer_to(
            session,
            &["no-such-offer"],
            task("t", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_eq!(status.state(), v1::TaskState::TaskDropped, "{status:?}");
        assert_eq!(status.reason(), v1::task_status::Reason::InvalidOffers);
        assert!(status.message().contains("no longer valid"), "{status:?}");
    });
}

#[test]
fn an_offer_can_be_used_once() {
    with_offer(async |session, offer| {
        let first = answer_to(
            session,
            &[&offer.id.value],
            task("a", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_ne!(first.state(), v1::TaskState::TaskDropped, "{first:?}");
        let again = answer_to(
            session,
            &[&offer.id.value],
            task("b", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_eq!(again.state(), v1::TaskState::TaskDropped, "{again:?}");
    });
}

#[test]
fn a_foreign_offer_is_refused_and_stays_with_its_owner() {
    let cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut owner = Session::subscribe(cluster.master.address()).await;
        let offer = owner.offer().await;
        let mut thief = Session::subscribe(cluster.master.address()).await;
        let stolen = answer_to(
            &mut thief,
            &[&offer.id.value],
            task("t", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_eq!(stolen.state(), v1::TaskState::TaskDropped, "{stolen:?}");
        let own = answer_to(
            &mut owner,
            &[&offer.id.value],
            task("o", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_ne!(own.state(), v1::TaskState::TaskDropped, "{own:?}");
    });
    expect_alive(&cluster);
}

#[test]
fn an_expired_offer_is_rescinded_and_cannot_be_accepted() {
    let cluster = Cluster::start_with(1, &["--offer-timeout", "300ms"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut session = Session::subscribe(cluster.master.address()).await;
        let offer = session.offer().await;
        let rescind = session.next_of(Event::Rescind).await.rescind.unwrap();
        assert_eq!(rescind.offer_id.value, offer.id.value);
        let status = answer_to(
            &mut session,
            &[&offer.id.value],
            task("t", &offer, "cpus:0.1;mem:32"),
        )
        .await;
        assert_eq!(status.state(), v1::TaskState::TaskDropped, "{status:?}");
    });
    expect_alive(&cluster);
}

#[test]
fn more_than_was_offered_is_an_error() {
    with_offer(async |session, offer| {
        let status = answer_to(
            session,
            &[&offer.id.value],
            task("t", &offer, "cpus:1000;mem:32"),
        )
        .await;
        assert_eq!(status.state(), v1::TaskState::TaskError, "{status:?}");
        assert!(status.message().contains("more than"), "{status:?}");
    });
}

#[test]
fn a_task_id_cannot_be_used_twice_at_a_time() {
    with_offer(async |session, offer| {
        let mut twice = vec![task("same", &offer, "cpus:0.1;mem:32"); 2];
        twice[1].name = "second".to_owned();
        session
            .accept(&[&offer.id.value], vec![launch(twice)])
            .await;
        let error = session
            .next_status(|it| it.state() == v1::TaskState::TaskError)
            .await;
        assert!(error.message().contains("duplicate"), "{error:?}");
    });
}

#[test]
fn quantities_that_are_none_are_refused() {
    // The first is nothing once it is rounded, though it says that it is something.
    for (at, value) in [0.0004, -1.0, f64::NAN, f64::INFINITY, 1e300]
        .into_iter()
        .enumerate()
    {
        with_offer(async |session, offer| {
            let mut task = task(&format!("t{at}"), &offer, "cpus:0.1;mem:32");
            task.resources[0].scalar = Some(v1::value::Scalar { value });
            let status = answer_to(session, &[&offer.id.value], task).await;
            assert_eq!(
                status.state(),
                v1::TaskState::TaskError,
                "{value}: {status:?}"
            );
        });
    }
}

#[test]
fn nothing_of_a_kind_is_as_good_as_not_naming_it() {
    with_offer(async |session, offer| {
        let mut task = task("t", &offer, "cpus:0.1;mem:32");
        let mut none = task.resources[0].clone();
        "gpus".clone_into(&mut none.name);
        none.scalar = Some(v1::value::Scalar { value: 0.0 });
        task.resources.push(none);
        let status = answer_to(session, &[&offer.id.value], task).await;
        assert_ne!(status.state(), v1::TaskState::TaskError, "{status:?}");
        assert_ne!(status.state(), v1::TaskState::TaskDropped, "{status:?}");
    });
}

#[test]
fn a_message_over_the_limit_ends_its_stream_only() {
    with_offer(async |session, offer| {
        let mut huge = task("huge", &offer, "cpus:0.1;mem:32");
        huge.data = Some(vec![0; 65 << 20]);
        session
            .accept(&[&offer.id.value], vec![launch(vec![huge])])
            .await;
        let end = session.end().await;
        assert!(
            end.is_some_and(|it| it.code() == tonic::Code::OutOfRange || !it.message().is_empty())
        );
    });
}

#[test]
fn a_first_call_that_is_no_subscription_is_refused() {
    let cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let first = v1::scheduler::Call {
            r#type: Some(v1::scheduler::call::Type::Revive.into()),
            ..Default::default()
        };
        let mut session = Session::open(cluster.master.address(), first).await;
        let end = session.end().await.unwrap();
        assert!(end.message().contains("SUBSCRIBE"), "{end:?}");
        let mut session = Session::open(cluster.master.address(), Default::default()).await;
        assert!(session.end().await.is_some());
    });
    expect_alive(&cluster);
}

#[test]
fn half_a_message_and_garbage_end_their_own_connection_only() {
    let cluster = Cluster::start(1);
    let address = cluster.master.address();
    session::send_half_a_message(address);
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..],
        b"GET",
        b"\0\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\n",
    ] {
        session::send_raw(address, garbage);
    }
    expect_alive(&cluster);
}
