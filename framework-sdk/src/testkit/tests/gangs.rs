//! Gangs against the master in memory.

use super::*;
use crate::{Asks, model::Quantity, v1};

/// The offers of the next event that has any.
async fn offers(events: &mut Events) -> Vec<crate::model::Offer> {
    loop {
        if let Event::Offers(offers) = next(events).await {
            return offers;
        }
    }
}

fn member(name: &str, offer: &crate::model::Offer) -> v1::TaskInfo {
    let task = TaskBuilder::new(name).cpus(2.0).memory(64.0).shell("true");
    let placed = task.build().unwrap().place(offer, &offer.resources);
    placed.unwrap().info
}

#[tokio::test]
async fn a_gang_is_offered_together_and_launched_together() {
    let master = TestMaster::start().await.unwrap();
    let mut one = master.agent("cpus:4;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    let worker = Resources::parse("cpus:2;mem:64", &Role::default()).unwrap();
    driver
        .request(Asks::new().gang("pair", [(worker, 3)]))
        .await;
    // The first agent alone is not enough: its offer, if it was made before the master heard of the
    // gang, is of no use.
    let mut two = master.agent("cpus:4;mem:256", "").await.unwrap();
    let gang = loop {
        let offers = offers(&mut events).await;
        if offers.len() == 2
            && offers
                .iter()
                .all(|it| it.resources.memory() < Quantity::from_units(200))
        {
            break offers;
        }
        let ids = offers.into_iter().map(|offer| offer.id).collect();
        driver.decline(ids, Filters::NONE).await;
    };
    let tasks = ["a", "b"].iter().zip(&gang);
    let tasks = tasks.map(|(name, offer)| member(name, offer)).collect();
    let ids = gang.iter().map(|offer| offer.id.clone()).collect();
    driver.accept_all(ids, tasks, Filters::default()).await;
    one.launched().await.unwrap();
    two.launched().await.unwrap();
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
}

#[tokio::test]
async fn a_task_that_cannot_be_launched_keeps_its_gang_from_it() {
    let master = TestMaster::start().await.unwrap();
    let _one = master.agent("cpus:4;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    let offers = offers(&mut events).await;
    let good = member("good", &offers[0]);
    let mut bad = member("bad", &offers[0]);
    bad.agent_id.value = "elsewhere".to_owned();
    let ids = vec![offers[0].id.clone()];
    driver
        .accept_all(ids, vec![good, bad], Filters::default())
        .await;
    let first = update(&driver, &mut events).await;
    assert_eq!(
        (first.task_id.as_str(), first.state),
        ("good", TaskState::Dropped)
    );
    let second = update(&driver, &mut events).await;
    assert_eq!(
        (second.task_id.as_str(), second.state),
        ("bad", TaskState::Error)
    );
    assert!(second.message.unwrap().contains("agent elsewhere"));
}

/// Waits for the gang and launches it, and returns the names of its tasks.
async fn launch_gang(driver: &Driver, events: &mut Events, names: [&str; 2]) {
    let gang = offers(events).await;
    assert_eq!(gang.len(), 2, "all of a gang, or nothing");
    let tasks = names.iter().zip(&gang);
    let tasks = tasks.map(|(name, offer)| member(name, offer)).collect();
    let ids = gang.iter().map(|offer| offer.id.clone()).collect();
    driver.accept_all(ids, tasks, Filters::default()).await;
}

#[tokio::test]
async fn two_gangs_that_fit_one_at_a_time_both_run_one_after_the_other() {
    let master = TestMaster::start().await.unwrap();
    let pair = || {
        let member = Resources::parse("cpus:2;mem:64", &Role::default()).unwrap();
        Asks::new().gang("pair", [(member, 2)])
    };
    let connect = || connect(Options::new(master.address(), profile()).unwrap());
    let ((first, mut heard_first), (second, mut heard_second)) = (connect(), connect());
    // Both are heard before there is anything to offer.
    first.request(pair()).await;
    second.request(pair()).await;
    subscribed(&mut heard_first).await;
    subscribed(&mut heard_second).await;
    let mut agents = Vec::new();
    for _ in 0..2 {
        agents.push(master.agent("cpus:3;mem:256", "").await.unwrap());
    }
    let is_first = tokio::select! {
        () = launch_gang(&first, &mut heard_first, ["a", "b"]) => true,
        () = launch_gang(&second, &mut heard_second, ["a", "b"]) => false,
    };
    for agent in &mut agents {
        let task = agent.launched().await.unwrap().task_id.value;
        agent.report(&task, TaskState::Finished, "").await.unwrap();
    }
    let (driver, events, winner, heard) = if is_first {
        (&second, &mut heard_second, &first, &mut heard_first)
    } else {
        (&first, &mut heard_first, &second, &mut heard_second)
    };
    for _ in 0..4 {
        // RUNNING and FINISHED of both; what ended is free when it is acknowledged.
        update(winner, heard).await;
    }
    launch_gang(driver, events, ["c", "d"]).await;
    for agent in &mut agents {
        agent.launched().await.unwrap();
    }
}

async fn subscribed(events: &mut Events) {
    while !matches!(next(events).await, Event::Subscribed(_)) {}
}
