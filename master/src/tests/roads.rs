//! The roads that everything takes: offers to frameworks, tasks to agents, updates and
//! acknowledgements between them.

use std::time::{Duration, Instant};

use tepui_proto::{
    services::{agent_message, master_message},
    v1::{
        self,
        scheduler::{Call, call},
    },
};

use super::{AgentClient, FrameworkClient, clients, master};

const UUID: [u8; 16] = [7; 16];

#[tokio::test]
async fn a_task_goes_to_the_agent_and_its_update_comes_back() {
    let (_dir, server) = master().await;
    let mut framework =
        FrameworkClient::subscribed(server.address(), clients::framework("roads")).await;
    let mut agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let offers = framework.offers().await;
    assert_eq!(offers[0].hostname, "host");
    framework.say(clients::launch(&offers[0], "t1")).await;
    let master_message::Message::RunTask(run) = agent.hear().await else {
        panic!("not RunTask")
    };
    assert_eq!(run.task.unwrap().task_id.value, "t1");
    assert_eq!(run.framework.unwrap().id, Some(framework.id()));

    let update = clients::running(&framework.id(), &agent.id, "t1", UUID);
    agent
        .say(agent_message::Message::StatusUpdate(update))
        .await;
    // What the task left of the offer may be offered again before the update comes.
    let status = loop {
        if let Some(update) = framework.hear().await.update {
            break update.status;
        }
    };
    assert_eq!(status.state(), v1::TaskState::TaskRunning);
    assert_eq!(status.uuid.as_deref(), Some(&UUID[..]));

    framework.say(acknowledge(&agent.id, "t1")).await;
    let master_message::Message::Acknowledge(acknowledged) = agent.hear().await else {
        panic!("not Acknowledge")
    };
    assert_eq!(acknowledged.uuid, UUID);
    framework.say(kill("t1")).await;
    let master_message::Message::KillTask(kill) = agent.hear().await else {
        panic!("not KillTask")
    };
    assert_eq!(kill.task_id.unwrap().value, "t1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn offers_of_an_agent_that_leaves_are_rescinded() {
    let (_dir, server) = master().await;
    let mut framework =
        FrameworkClient::subscribed(server.address(), clients::framework("rescind")).await;
    let agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let offers = framework.offers().await;
    drop(agent);
    let event = framework.hear().await;
    assert_eq!(event.rescind.unwrap().offer_id, offers[0].id);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_subscription_ends_the_first() {
    let (_dir, server) = master().await;
    let mut first = FrameworkClient::subscribed(server.address(), clients::framework("twin")).await;
    let info = v1::FrameworkInfo {
        id: Some(first.id()),
        ..clients::framework("twin")
    };
    let second = FrameworkClient::subscribed(server.address(), info).await;
    assert_eq!(first.id(), second.id());
    assert_eq!(
        first.hear().await.error.unwrap().message,
        "Framework failed over"
    );
    assert!(first.end().await.is_none());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn frameworks_hear_heartbeats_announced_at_the_start() {
    let (_dir, server) = master().await;
    let mut framework = FrameworkClient::connect(server.address()).await;
    let subscribed = framework.subscribe(clients::framework("beats")).await;
    assert_eq!(subscribed.heartbeat_interval_seconds, Some(15.0));
    assert_eq!(
        subscribed.master_info.unwrap().port,
        u32::from(server.address().port())
    );
    server.stop().await.unwrap();
}

/// A subscription is one flush, an offer one flush and the allocation window: milliseconds each.
/// The bound is wide because other tests run beside this one.
#[tokio::test]
async fn subscriptions_and_offers_take_milliseconds() {
    const ROUNDS: u32 = 20;
    const BOUND: Duration = Duration::from_millis(250);
    let (_dir, server) = master().await;
    let mut framework = FrameworkClient::connect(server.address()).await;
    let start = Instant::now();
    framework.subscribe(clients::framework("first")).await;
    let first = start.elapsed();
    let (mut subscribe, mut offer) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut other = FrameworkClient::connect(server.address()).await;
        let start = Instant::now();
        other.subscribe(clients::framework("other")).await;
        subscribe.push(start.elapsed());
        drop(other);
        let start = Instant::now();
        let agent =
            AgentClient::registered(server.address(), clients::agent(&format!("h{round}"))).await;
        framework.offers().await;
        offer.push(start.elapsed());
        drop(agent);
        framework.hear().await.rescind.unwrap();
    }
    subscribe.sort();
    offer.sort();
    let middle = ROUNDS as usize / 2;
    println!(
        "first subscription {first:?}, median {:?}; agent to offer {:?}",
        subscribe[middle], offer[middle]
    );
    assert!(subscribe[middle] < BOUND && offer[middle] < BOUND);
    server.stop().await.unwrap();
}

fn acknowledge(agent_id: &v1::AgentId, task_id: &str) -> Call {
    Call {
        r#type: Some(call::Type::Acknowledge.into()),
        acknowledge: Some(call::Acknowledge {
            agent_id: agent_id.clone(),
            task_id: v1::TaskId {
                value: task_id.to_owned(),
            },
            uuid: UUID.to_vec(),
        }),
        ..Call::default()
    }
}

fn kill(task_id: &str) -> Call {
    Call {
        r#type: Some(call::Type::Kill.into()),
        kill: Some(call::Kill {
            task_id: v1::TaskId {
                value: task_id.to_owned(),
            },
            ..call::Kill::default()
        }),
        ..Call::default()
    }
}
