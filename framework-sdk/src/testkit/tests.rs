//! Frameworks of all kinds against the master in memory.

mod gangs;

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::{
    Constraint, Driver, Event, Events, KnownOperation, OfferMatcher, OperationUpdate, Operations,
    Operator, Options, Profile, TaskBuilder, connect,
    model::{
        Filters, FrameworkId, OperationId, Reservation, Resources, Role, TaskId, TaskStatus,
        Traits, resources::ReservationKind,
    },
};

const PATIENCE: Duration = Duration::from_secs(20);

fn profile() -> Profile {
    let profile = Profile::new("test").failover_timeout(Duration::from_secs(60));
    profile.webui_url("http://127.0.0.1:4242/ui")
}

async fn next(events: &mut Events) -> Event {
    let event = timeout(PATIENCE, events.next())
        .await
        .expect("an event in time");
    event.expect("the session goes on").unwrap()
}

/// The next status update; offers in between are declined.
async fn update(driver: &Driver, events: &mut Events) -> TaskStatus {
    loop {
        match next(events).await {
            Event::Update(status) => return status,
            Event::Offers(offers) => {
                let ids = offers.into_iter().map(|offer| offer.id).collect();
                driver.decline(ids, Filters::default()).await;
            }
            _ => {}
        }
    }
}

/// Launches tasks of these names on the next offers.
async fn launch(driver: &Driver, events: &mut Events, names: &[&str]) {
    loop {
        let Event::Offers(offers) = next(events).await else {
            continue;
        };
        let mut matcher = OfferMatcher::new(offers);
        for name in names {
            let task = TaskBuilder::new(name).cpus(1.0).memory(32.0).shell("true");
            matcher
                .place(&task.build().unwrap())
                .expect("there is room");
        }
        driver.apply(matcher.finish(), Filters::default()).await;
        return;
    }
}

#[tokio::test]
async fn a_task_goes_from_offer_to_end() {
    let master = TestMaster::start().await.unwrap();
    let mut agent = master.agent("cpus:2;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    launch(&driver, &mut events, &["one"]).await;
    assert_eq!(agent.launched().await.unwrap().task_id.value, "one");
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
    agent
        .report("one", TaskState::Failed, "Command exited with status 1")
        .await
        .unwrap();
    let status = update(&driver, &mut events).await;
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(
        status.message.as_deref(),
        Some("Command exited with status 1")
    );
    assert!(agent.report("two", TaskState::Running, "").await.is_err());
    driver.teardown().await;
    while timeout(PATIENCE, events.next()).await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_restart_of_the_master_touches_no_task_and_loses_no_update() {
    let master = TestMaster::start().await.unwrap();
    let agent = master.agent("cpus:2;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    launch(&driver, &mut events, &["one"]).await;
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
    // Said while the framework does not look, and not acknowledged when the master dies.
    agent.report("one", TaskState::Finished, "").await.unwrap();
    master.restart().await.unwrap();
    let mut states = Vec::new();
    while states.last() != Some(&TaskState::Finished) {
        states.push(update(&driver, &mut events).await.state);
    }
    // Asking for the next event acknowledges the last, and the agent forgets the task.
    let forgotten = async {
        while !agent.tasks().await.unwrap().is_empty() {
            let _ = timeout(Duration::from_millis(20), events.next()).await;
        }
    };
    timeout(PATIENCE, forgotten)
        .await
        .expect("the update is acknowledged");
}

#[tokio::test]
async fn a_framework_that_comes_back_hears_what_became_of_its_tasks() {
    let master = TestMaster::start().await.unwrap();
    let agent = master.agent("cpus:2;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    let id: FrameworkId = match next(&mut events).await {
        Event::Subscribed(subscription) => subscription.framework_id,
        other => panic!("not subscribed: {other:?}"),
    };
    launch(&driver, &mut events, &["one"]).await;
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
    driver.stop().await;
    drop(events);
    let known = |name: &str| crate::KnownTask {
        task_id: TaskId::new(name).unwrap(),
        agent_id: Some(agent.id().clone()),
    };
    let options = Options::new(master.address(), profile().id(Some(id))).unwrap();
    let (driver, mut events) = connect(options.known_tasks(vec![known("one"), known("never")]));
    let mut states = std::collections::BTreeMap::new();
    while states.len() < 2 {
        let status = update(&driver, &mut events).await;
        states.insert(status.task_id.to_string(), status.state);
    }
    assert_eq!(states["one"], TaskState::Running);
    assert_eq!(states["never"], TaskState::Gone);
}

#[tokio::test]
async fn operators_find_what_a_framework_is_and_end_it() {
    let master = TestMaster::start().await.unwrap();
    let agent = master.agent("cpus:2;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    launch(&driver, &mut events, &["one"]).await;
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Running);
    let operator = Operator::connect(master.address()).await.unwrap();
    assert_eq!(
        operator.tasks().await.unwrap().tasks[0].task_id.value,
        "one"
    );
    let address = operator.framework_address("test").await.unwrap();
    assert_eq!(address.as_deref(), Some("127.0.0.1:4242"));
    assert_eq!(operator.framework_address("other").await.unwrap(), None);
    let address = operator.agent_address(agent.id()).await.unwrap();
    assert_eq!(address.as_deref(), Some("127.0.0.1:5051"));
    operator
        .kill_task(&TaskId::new("one").unwrap(), None, None)
        .await
        .unwrap();
    assert_eq!(update(&driver, &mut events).await.state, TaskState::Killed);
    let frameworks = operator.frameworks().await.unwrap().frameworks;
    let id = FrameworkId::try_from(frameworks[0].framework_info.id.as_ref().unwrap()).unwrap();
    operator.teardown(&id).await.unwrap();
    let ended = loop {
        match timeout(PATIENCE, events.next()).await.unwrap() {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(
        matches!(ended, Some(Err(crate::Error::Ended(_)))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_framework_that_began_suppressed_gets_offers_when_it_revives() {
    let master = TestMaster::start().await.unwrap();
    let _agent = master.agent("cpus:2;mem:256", "").await.unwrap();
    let (driver, mut events) = connect(Options::new(master.address(), profile()).unwrap());
    driver.suppress(&[]).await;
    assert!(matches!(next(&mut events).await, Event::Subscribed(_)));
    let quiet = timeout(Duration::from_millis(100), events.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    driver.revive(&[]).await;
    assert!(matches!(next(&mut events).await, Event::Offers(_)));
}

/// What became of the next operation that was given a name.
async fn operation(events: &mut Events) -> OperationUpdate {
    loop {
        if let Event::Operation(update) = next(events).await {
            return update;
        }
    }
}

#[tokio::test]
async fn a_framework_makes_a_volume_and_hears_what_became_of_it() {
    let cluster = TestMaster::start().await.unwrap();
    let agent = cluster.agent("cpus:2;mem:256;disk:100", "").await.unwrap();
    let role = Role::new("web").unwrap();
    let options = Options::new(cluster.address(), profile().role(&role)).unwrap();
    let (driver, mut events) = connect(options);
    let offer = loop {
        if let Event::Offers(mut offers) = next(&mut events).await {
            break offers.remove(0);
        }
    };
    let disk: Resources = "disk:60".parse().unwrap();
    let reservation = Reservation {
        kind: ReservationKind::Dynamic,
        ..Reservation::fixed(role)
    };
    let reserved = disk.with_traits(|traits| Traits {
        reservations: vec![reservation.clone()],
        ..traits.clone()
    });
    let name = |name: &str| OperationId::new(name).unwrap();
    let operations = Operations::new()
        .reserve(&reserved)
        .with_id(name("reserve"))
        .unreserve(&disk)
        .with_id(name("nonsense"));
    driver
        .accept_operations(vec![offer.id], operations, Filters::NONE)
        .await;
    let refused = operation(&mut events).await;
    assert_eq!(refused.operation_id, name("nonsense"));
    assert_eq!(refused.state, v1::OperationState::OperationError);
    let done = operation(&mut events).await;
    assert_eq!(done.operation_id, name("reserve"));
    assert_eq!(done.state, v1::OperationState::OperationFinished);
    assert_eq!(done.agent_id.as_ref(), Some(agent.id()));
    let known = KnownOperation {
        operation_id: name("reserve"),
        agent_id: done.agent_id,
    };
    // What is said while an event is handled goes out before its acknowledgement.
    driver.reconcile_operations(vec![known.clone()]).await;
    let still = operation(&mut events).await;
    assert_eq!(still.state, v1::OperationState::OperationFinished);
    assert_eq!(still.uuid, None);
    driver.reconcile_operations(vec![known]).await;
    let forgotten = operation(&mut events).await;
    assert_eq!(forgotten.state, v1::OperationState::OperationUnknown);
}

/// The next offers, each by its resources.
async fn offered(events: &mut Events) -> Vec<String> {
    loop {
        if let Event::Offers(offers) = next(events).await {
            return offers
                .iter()
                .map(|offer| offer.resources.to_string())
                .collect();
        }
    }
}

#[tokio::test]
async fn a_framework_is_offered_only_agents_that_meet_its_constraints() {
    let master = TestMaster::start().await.unwrap();
    let _other = master.agent("cpus:8;mem:256", "rack:b").await.unwrap();
    let _own = master.agent("cpus:2;mem:256", "rack:a").await.unwrap();
    let role = Role::default();
    let elsewhere = vec![Constraint::matching("rack", "c|d")];
    let here = vec![
        Constraint::is("rack", "a").into(),
        Constraint::absent("@zone").into(),
    ];
    let profile = profile().only_on(&role, [elsewhere, here]);
    let (_driver, mut events) = connect(Options::new(master.address(), profile).unwrap());
    assert_eq!(offered(&mut events).await, ["cpus:2;mem:256"]);
}

#[tokio::test]
async fn constraints_that_make_no_sense_end_the_session_with_the_reason() {
    let master = TestMaster::start().await.unwrap();
    let endless = vec![Constraint::not_matching("rack", "(a{100}){100}")];
    let profile = profile().only_on(&Role::default(), [endless]);
    let (_driver, mut events) = connect(Options::new(master.address(), profile).unwrap());
    let error = timeout(PATIENCE, events.next()).await.unwrap().unwrap();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("too complex"), "{error}");
}

#[tokio::test]
async fn a_framework_is_made_no_offer_below_its_own_minimum() {
    let master = TestMaster::start().await.unwrap();
    let _small = master.agent("cpus:2;mem:256", "").await.unwrap();
    let _large = master.agent("cpus:4;mem:256", "").await.unwrap();
    let sets = [vec![("cpus", 3.0), ("mem", 64.0)], vec![("gpus", 1.0)]];
    let profile = profile().at_least(&Role::default(), sets);
    let (_driver, mut events) = connect(Options::new(master.address(), profile).unwrap());
    assert_eq!(offered(&mut events).await, ["cpus:4;mem:256"]);
}
