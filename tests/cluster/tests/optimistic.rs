//! Two frameworks are shown the same, over the real binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use tepui_cluster_tests::{Cluster, PATIENCE};
use tepui_sdk::{
    Driver, Event, Events, Options, Profile, TaskBuilder, connect,
    model::{Offer, Reason, TaskState, TaskStatus},
};
use tokio::time::timeout;

/// An optimistic framework, and the offer that it is shown first.
struct Optimist {
    driver: Driver,
    events: Events,
    offer: Offer,
}

impl Optimist {
    async fn start(cluster: &Cluster, name: &str) -> (Driver, Events) {
        let profile = Profile::new(name).optimistic_offers();
        let (driver, mut events) =
            connect(Options::new(cluster.master.address(), profile).unwrap());
        let first = next(&mut events).await;
        assert!(matches!(first, Event::Subscribed(_)), "{first:?}");
        (driver, events)
    }

    async fn shown((driver, mut events): (Driver, Events)) -> Self {
        let offer = match next(&mut events).await {
            Event::Offers(offers) if offers.len() == 1 => offers.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        };
        Self {
            driver,
            events,
            offer,
        }
    }

    /// Launches a task that takes part of what it was shown.
    async fn launch(&self, task: &str) {
        let task = TaskBuilder::new(task)
            .cpus(1.0)
            .memory(64.0)
            .shell("sleep 600");
        let task = task.build().unwrap();
        let placed = task.place(&self.offer, &self.offer.resources).unwrap();
        self.driver.launch(&self.offer, vec![placed.info]).await;
    }

    async fn update(&mut self) -> TaskStatus {
        loop {
            if let Event::Update(status) = next(&mut self.events).await {
                return status;
            }
        }
    }
}

async fn next(events: &mut Events) -> Event {
    let event = timeout(PATIENCE, events.next()).await;
    event
        .expect("an event in time")
        .expect("it goes on")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_are_shown_the_same_and_the_first_accept_wins() {
    let mut cluster = Cluster::start(0);
    let one = Optimist::start(&cluster, "one").await;
    let two = Optimist::start(&cluster, "two").await;
    cluster.add_agent(&[]);
    let mut slow = Optimist::shown(one).await;
    let mut quick = Optimist::shown(two).await;
    assert_ne!(slow.offer.id, quick.offer.id);
    assert_eq!(slow.offer.agent_id, quick.offer.agent_id);
    assert_eq!(slow.offer.resources, quick.offer.resources);

    quick.launch("quick").await;
    match next(&mut slow.events).await {
        Event::Rescinded(offer) => assert_eq!(offer, slow.offer.id),
        other => panic!("it hears at once, not {other:?}"),
    }
    slow.launch("slow").await;
    let late = slow.update().await;
    assert_eq!(late.state, TaskState::Dropped, "{late:?}");
    assert_eq!(late.reason, Some(Reason::InvalidOffers));
    while quick.update().await.state != TaskState::Running {}
    assert_eq!(cluster.await_running(1).len(), 1);
    for optimist in [slow, quick] {
        optimist.driver.teardown().await;
    }
}
